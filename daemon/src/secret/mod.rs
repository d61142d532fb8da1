//! Where secrets come from: systemd credentials, files, environment variables and commands.
//!
//! A secret's text is held in [`Secret`] from the first byte read and is in no error: a [`SecretError`] knows the
//! source, never what was in it. What is configured is decided in `crate::config`; when a secret is read again, and
//! which of several is tried, in the core.

mod cache;
mod child;
mod command;
mod error;
mod file;
mod process_env;
mod said;
mod session;
mod text;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokend_proto::Secret;
use zeroize::Zeroizing;

pub use cache::{ProfileSecrets, SecretCache};
pub use command::{MAX_COMMANDS_AT_ONCE, MAX_SLOW_COMMANDS, TIME_OUT};
pub use error::{MAX_SECRET, SecretError};
pub use process_env::ProcessEnv;
pub use said::Said;

use crate::os::detached::{Threads, Undone};
use text::secret_from;

/// How long a file may take: it may lie on a file system that does not answer.
pub const FILE_TIME_OUT: Duration = Duration::from_secs(10);

/// One thread for each file that hangs; more wait for a thread.
static READING: Threads = Threads::new(MAX_FILES_AT_ONCE);

/// Files of secrets that are read, or hang, at the same time.
pub const MAX_FILES_AT_ONCE: usize = 256;

/// The variable by which systemd tells where the credentials are (systemd.exec(5), "LoadCredential=").
pub const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// One place that a secret is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// `$CREDENTIALS_DIRECTORY/NAME`.
    Credential {
        /// Without a slash.
        name: String,
    },
    /// A file of root's or of the daemon's own, that others have no access to.
    File {
        /// Absolute.
        path: PathBuf,
    },
    /// A variable of the daemon's environment as it was at start.
    Env {
        /// The variable's name.
        variable: String,
    },
    /// What a program prints.
    Command {
        /// Absolute path.
        program: PathBuf,
        /// Never shown.
        arguments: Vec<String>,
    },
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential { name } => write!(f, "credential {name:?}"),
            Self::File { path } => write!(f, "file {}", path.display()),
            Self::Env { variable } => write!(f, "environment variable {variable}"),
            Self::Command { program, .. } => write!(f, "command {}", program.display()),
        }
    }
}

impl SecretSource {
    /// Reads the secret, unless a command has to be run for it: then `None`. A file is read where the call is made, and
    /// may hang there.
    #[must_use]
    pub fn read_without_running(&self, process_env: &ProcessEnv) -> Option<Result<Secret, SecretError>> {
        match self.way(process_env) {
            Way::Known(result) => Some(result),
            Way::File(file) => Some(file.read()),
            Way::Command { .. } => None,
        }
    }

    /// Reads the secret. It waits at most ten seconds for a source that hangs, and nobody else waits for that source.
    ///
    /// # Errors
    ///
    /// A [`SecretError`] that names what is wrong and what is expected.
    pub async fn read(&self, process_env: &ProcessEnv) -> Result<Secret, SecretError> {
        match self.way(process_env) {
            Way::Known(result) => result,
            Way::File(file) => file.read_within(FILE_TIME_OUT).await,
            Way::Command { program, arguments } => command::run(program, arguments, process_env).await,
        }
    }

    fn way(&self, process_env: &ProcessEnv) -> Way<'_> {
        match self {
            Self::Credential { name } => match credentials(process_env) {
                Some(folder) => {
                    let path = Path::new(&folder).join(name);
                    Way::File(SecretFile { path, rules: file::Rules::Credential, credential: Some(name.clone()) })
                }
                None => Way::Known(Err(SecretError::NoCredentials { name: name.clone() })),
            },
            Self::File { path } => {
                let rules = file::Rules::Strict { uid: process_env.uid(), gid: process_env.gid() };
                Way::File(SecretFile { path: path.clone(), rules, credential: None })
            }
            Self::Env { variable } => Way::Known(read_variable(variable, process_env)),
            Self::Command { program, arguments } => Way::Command { program, arguments },
        }
    }
}

/// How a secret is read.
enum Way<'a> {
    /// It has been.
    Known(Result<Secret, SecretError>),
    File(SecretFile),
    Command {
        program: &'a Path,
        arguments: &'a [String],
    },
}

/// A file that holds a secret.
struct SecretFile {
    path: PathBuf,
    rules: file::Rules,
    /// The name of the credential that it is.
    credential: Option<String>,
}

impl SecretFile {
    fn read(self) -> Result<Secret, SecretError> {
        file::read(&self.path, self.rules).map_err(|problem| match (problem, self.credential) {
            (SecretError::NoFile { .. }, Some(name)) => SecretError::NoCredential { name },
            (other, _) => other,
        })
    }

    /// On a thread of its own; those who read the same file read it one after the other.
    async fn read_within(self, limit: Duration) -> Result<Secret, SecretError> {
        let key = self.path.to_string_lossy().into_owned();
        READING.within(&key, limit, move || self.read()).await.unwrap_or_else(|undone| {
            Err(match undone {
                Undone::Hangs(limit) => SecretError::Hangs { limit },
                Undone::Crowded | Undone::Failed => SecretError::NotTried { why: undone.to_string() },
            })
        })
    }
}

fn credentials(process_env: &ProcessEnv) -> Option<OsString> {
    process_env.variable(CREDENTIALS_DIRECTORY).filter(|folder| !folder.is_empty())
}

fn read_variable(variable: &str, process_env: &ProcessEnv) -> Result<Secret, SecretError> {
    use std::os::unix::ffi::OsStringExt;
    let text =
        process_env.variable(variable).ok_or_else(|| SecretError::NoVariable { variable: variable.to_owned() })?;
    secret_from(Zeroizing::new(text.into_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_read_from_the_environment_given() {
        let process_env = ProcessEnv::new([("A".into(), "hunter2\n".into()), ("EMPTY".into(), "".into())], 990, 991);
        let read = |variable: &str| {
            let source = SecretSource::Env { variable: variable.to_owned() };
            source.read_without_running(&process_env).expect("nothing to run")
        };
        assert_eq!(read("A"), Ok(Secret::from("hunter2")));
        assert_eq!(read("EMPTY"), Err(SecretError::Empty));
        assert_eq!(
            read("B").expect_err("not set").to_string(),
            "the variable is not set in the daemon's environment; set it (in a unit: EnvironmentFile=), or name another \
             source"
        );
    }

    #[tokio::test]
    async fn a_file_that_hangs_is_given_up_and_keeps_nobody_else_waiting() {
        let folder = tempfile::tempdir().expect("a folder");
        let process_env = ProcessEnv::of_this_process();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, "hunter2").expect("written");
            file::chmod(&path, 0o600);
            SecretSource::File { path }
        };
        let (hung, good) = (file("hung"), file("good"));
        let secret_file = |source: &SecretSource| match source.way(&process_env) {
            Way::File(file) => file,
            _ => unreachable!("it is a file"),
        };
        let path = secret_file(&hung).path.to_string_lossy().into_owned();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let hangs = READING.begin(&path, move || released.recv().is_ok()).expect("begun");
        let moment = Duration::from_millis(10);
        let read = || secret_file(&hung).read_within(moment);
        for _ in 0..3 {
            assert_eq!(read().await, Err(SecretError::Hangs { limit: moment }));
        }
        assert_eq!(good.read(&process_env).await, Ok(Secret::from("hunter2")));
        assert_eq!(
            SecretError::Hangs { limit: FILE_TIME_OUT }.to_string(),
            "it did not answer within 10 s; its file system hangs, or one on the way to it"
        );
        release.send(()).expect("it waits for this");
        assert!(hangs.await.expect("released"));
        let both = tokio::join!(hung.read(&process_env), hung.read(&process_env));
        assert_eq!(both, (Ok(Secret::from("hunter2")), Ok(Secret::from("hunter2"))));
    }

    #[test]
    fn a_credential_is_a_file_in_the_credentials_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("campus"), "hunter2\n").expect("written");
        file::chmod(&folder.path().join("campus"), 0o440);
        let process_env = ProcessEnv::new([(CREDENTIALS_DIRECTORY.into(), folder.path().into())], 990, 991);
        let read = |name: &str, process_env: &ProcessEnv| {
            let source = SecretSource::Credential { name: name.to_owned() };
            source.read_without_running(process_env).expect("nothing to run")
        };
        assert_eq!(read("campus", &process_env), Ok(Secret::from("hunter2")));
        assert_eq!(read("other", &process_env), Err(SecretError::NoCredential { name: "other".to_owned() }));
        assert_eq!(
            read("campus", &ProcessEnv::default()).expect_err("no folder").to_string(),
            "$CREDENTIALS_DIRECTORY is not set; credentials exist only in a systemd unit, with \
             LoadCredential=campus:PATH or SetCredential=; elsewhere use file, env or command"
        );
    }
}
