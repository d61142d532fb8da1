//! The configuration file: the input is its text.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use nix::sys::memfd::{MFdFlags, memfd_create};
use tokend::access::cgroup::UnitLookup;
use tokend::config::{Config, ConfigError, Environment, check, check_start};
use tokend::os::accounts::Accounts;
use tokend::secret::ProcessEnv;
use toml::{Table, Value};

/// The secret that every variable and no text holds.
const SECRET: &str = "Zb9-s3cret-of-the-environment";

/// What the seeds have wherever somebody may have typed a secret.
const TYPED: &str = "hunter2";

/// Of the shortest text that is taken for a secret somebody typed: a shorter one may be any word.
const SHORTEST_SECRET: usize = 6;

static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(|| {
    let variables = ["LEGACY_SECRET", "CAMPUS_SECRET"].map(|name| (name.into(), OsString::from(SECRET)));
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    Environment {
        process_env: Arc::new(ProcessEnv::new(variables, uid, gid)),
        accounts: Arc::new(SomeAccounts),
        unit_lookup: || UnitLookup::Works,
    }
});

/// A machine on which every short name is a user's, and some cannot be looked up.
struct SomeAccounts;

impl Accounts for SomeAccounts {
    fn user(&self, name: &str) -> io::Result<Option<u32>> {
        match name.len() {
            0..=8 => Ok(Some(1_000)),
            9 => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(None),
        }
    }

    fn group(&self, name: &str) -> io::Result<Option<u32>> {
        self.user(name)
    }
}

/// It is either right or something is said about it, with the file and a line that it has. What is said does not depend
/// on what was typed in place of a secret, nor does it hold what a source of one does. `tokend check` prints the
/// same errors as a start, but for credentials, which only a unit has, and for folders, which are looked
/// at only by `tokend check`.
///
/// # Panics
/// When that does not hold.
pub fn configuration(text: &[u8]) {
    let loaded = Loaded::of(text);
    let Ok(text) = std::str::from_utf8(text) else { return assert!(loaded.config.is_err()) };
    let lines = text.split('\n').count();
    let path = loaded.file.path();
    let start = format!("{}:", path.display());
    for message in &loaded.messages {
        assert!(message.starts_with(&start), "{message}");
        assert!(text.contains(SECRET) || !message.contains(SECRET), "{message}");
    }
    match &loaded.config {
        Ok(config) => {
            assert!(text.contains(SECRET) || !format!("{config:?}").contains(SECRET));
            assert!(config.profiles.keys().eq(config.settings.profiles.keys()));
            assert!(text.parse::<Table>().is_ok(), "what is no TOML is right");
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "it is wrong, and nobody knows why");
            assert!(errors.iter().all(|error| error.line.is_none_or(|line| (1..=lines).contains(&line))), "{errors:?}");
        }
    }
    let checked = check_start(path, &ENVIRONMENT);
    if !text.contains("credential") {
        let errors = loaded.config.as_ref().err().map_or(&[][..], Vec::as_slice);
        // A start finds these by itself, after the configuration.
        let of_the_machine = |error: &&ConfigError| {
            !errors.contains(error)
                && matches!(error.key.as_deref(), Some("server.state_dir" | "server.socket" | "state.key"))
        };
        let of_the_text: Vec<&ConfigError> = checked.errors.iter().filter(|error| !of_the_machine(error)).collect();
        assert_eq!(of_the_text, errors.iter().collect::<Vec<_>>());
        let all = check(path, &ENVIRONMENT);
        assert!(errors.iter().all(|error| all.errors.contains(error)), "{errors:?}");
    }

    match text.parse::<Table>() {
        Ok(table) => no_typed_secret_matters(text, &table, &loaded),
        // Of a text that is no TOML nobody can tell what in it was meant as a secret; but no key was.
        Err(_) if text.matches(TYPED).count() == text.matches(&format!("= \"{TYPED}")).count() => {
            assert!(loaded.messages.iter().all(|message| !message.contains(TYPED)), "{:?}", loaded.messages);
        }
        Err(_) => {}
    }
}

/// A file that is in memory only, and what was said about it.
struct Loaded {
    file: InMemory,
    config: Result<Config, Vec<ConfigError>>,
    messages: Vec<String>,
}

impl Loaded {
    fn of(text: &[u8]) -> Self {
        let file = InMemory::new(text);
        let config = Config::load(file.path(), &ENVIRONMENT);
        let messages = match &config {
            Ok(config) => config.warnings.clone(),
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
        };
        Self { file, config, messages }
    }

    /// The messages, without the file's own name.
    fn said(&self) -> Vec<&str> {
        let length = self.file.path.as_os_str().len();
        self.messages.iter().map(|message| &message[length..]).collect()
    }
}

struct InMemory {
    path: PathBuf,
    _file: File,
}

impl InMemory {
    fn new(text: &[u8]) -> Self {
        let mut file = File::from(memfd_create("tokend.toml", MFdFlags::MFD_CLOEXEC).expect("memory"));
        file.set_permissions(Permissions::from_mode(0o600)).expect("it is ours");
        file.write_all(text).expect("memory");
        Self { path: PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())), _file: file }
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// Puts something else in place of each bare text where a secret belongs: all that is said has to stay the same.
fn no_typed_secret_matters(text: &str, table: &Table, loaded: &Loaded) {
    let typed = typed_secrets(table);
    for secret in &typed {
        let is_word = secret.len() >= SHORTEST_SECRET && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        // What stands elsewhere too may be shown there.
        if !is_word || text.matches(secret).count() != 1 {
            continue;
        }
        let other: String = "qZ7".chars().cycle().take(secret.len()).collect();
        let changed = text.replace(secret, &other);
        // Else it stands there with escapes, and that was something else.
        let is_it = changed.parse::<Table>().is_ok_and(|table| typed_secrets(&table).contains(&other.as_str()));
        if is_it {
            let changed = Loaded::of(changed.as_bytes());
            assert_eq!(loaded.said(), changed.said(), "{secret:?} was typed where a secret belongs");
        }
    }
}

fn typed_secrets(table: &Table) -> Vec<&str> {
    let mut typed = Vec::new();
    for profile in table.get("profiles").and_then(Value::as_table).into_iter().flat_map(Table::values) {
        bare_texts(profile.get("client_secret"), &mut typed);
        bare_texts(profile.get("login").and_then(|login| login.get("password")), &mut typed);
    }
    bare_texts(table.get("state").and_then(|state| state.get("key")), &mut typed);
    typed
}

/// Texts that name no source: the value itself, elements of a list, and arguments of a command.
fn bare_texts<'a>(value: Option<&'a Value>, texts: &mut Vec<&'a str>) {
    match value {
        Some(Value::String(text)) => texts.push(text),
        Some(Value::Array(items)) => items.iter().for_each(|item| bare_texts(Some(item), texts)),
        Some(Value::Table(source)) => {
            let command = source.get("command").and_then(Value::as_array).into_iter().flatten();
            texts.extend(command.skip(1).filter_map(Value::as_str));
            let unknown =
                source.iter().filter(|(key, _)| !["credential", "file", "env", "command"].contains(&key.as_str()));
            texts.extend(unknown.filter_map(|(_, value)| value.as_str()));
        }
        _ => {}
    }
}
