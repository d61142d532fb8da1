//! `tokend init`: a configuration to begin with, and what is left to do by hand.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::keys::ProfileKind;
use super::template::Secrets;
use super::{Environment, template};

/// The group that the daemon's user has as its primary group where the package made it.
const GROUP: &str = "tokend";

/// Where the encrypted credentials of the system's units are (systemd.exec(5)).
const CREDENTIAL_STORE: &str = "/etc/credstore.encrypted";

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is something already.
    #[error(
        "{} is there already and is left as it is; name another file with --config FILE, or --config - for stdout", .0.display()
    )]
    Exists(PathBuf),
    /// A relative path would make the paths of secret files relative.
    #[error("{} has no folder that could be found; expected the path of a file that can be made", .0.display())]
    NoFolder(PathBuf),
    /// The system refuses.
    #[error("{} cannot be {doing}", .path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes a configuration for these kinds; returns what the person is to be told. An existing file is replaced only if
/// it is the one that was installed, unchanged. As root the file belongs to the daemon's group, which may read it, if
/// there is that group; else it is the writer's alone.
///
/// # Errors
///
/// When the file is there already, or cannot be written.
pub fn write(path: &Path, kinds: &[ProfileKind], environment: &Environment) -> Result<String, InitError> {
    let failed = |doing| move |source| InitError::System { path: path.to_owned(), doing, source };
    let is_root = environment.process_env.uid() == 0;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| InitError::NoFolder(path.to_owned()))?;
    let folder = fs::canonicalize(folder).map_err(failed("written, because its folder is not there"))?;
    let replaces = match fs::read(path) {
        Ok(found) if found == template::installed().as_bytes() => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        _ => return Err(InitError::Exists(path.to_owned())),
    };

    let secrets = if is_root { Secrets::Credentials } else { Secrets::Files(folder.clone()) };
    let kinds = distinct(kinds);
    let text = template::starter(&kinds, secrets.clone());
    let group = if is_root { environment.accounts.group(GROUP).ok().flatten() } else { None };
    let temporary = Temporary(folder.join(format!(".{}.{}", name.to_string_lossy(), std::process::id())));
    temporary.fill(&text, group).map_err(failed("written"))?;
    let place = folder.join(name);
    if replaces {
        fs::rename(&temporary.0, &place).map_err(failed("replaced"))?;
    } else {
        fs::hard_link(&temporary.0, &place).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => InitError::Exists(path.to_owned()),
            _ => failed("written")(error),
        })?;
    }
    let owner = if group.is_some() { format!("mode 0640, group {GROUP}") } else { "mode 0600".to_owned() };
    Ok(format!("{} was written ({owner}).\n\n{}", place.display(), advice(&place, &kinds, &secrets)))
}

/// The configuration alone, for stdout, and what the person is to be told.
#[must_use]
pub fn print(kinds: &[ProfileKind]) -> (String, String) {
    let kinds = distinct(kinds);
    let text = template::starter(&kinds, Secrets::Credentials);
    (text, advice(Path::new(super::DEFAULT_PATH), &kinds, &Secrets::Credentials))
}

fn distinct(kinds: &[ProfileKind]) -> Vec<ProfileKind> {
    let mut kinds = kinds.to_vec();
    kinds.sort();
    kinds.dedup();
    kinds
}

/// A name beside the file's, removed on drop.
struct Temporary(PathBuf);

impl Temporary {
    fn fill(&self, text: &str, group: Option<u32>) -> io::Result<()> {
        let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.0)?;
        if let Some(group) = group {
            fchown(&file, None, Some(group))?;
            file.set_permissions(fs::Permissions::from_mode(0o640))?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already when it has taken the file's place.
        let _ = fs::remove_file(&self.0);
    }
}

fn advice(path: &Path, kinds: &[ProfileKind], secrets: &Secrets) -> String {
    let mut steps = vec![format!(
        "Put your own ids into it: those of the API clients{}.",
        if kinds.contains(&ProfileKind::Glp) { ", and of the workspace" } else { "" }
    )];
    steps.push(match secrets {
        Secrets::Credentials => of_credentials(kinds),
        Secrets::Files(folder) => of_files(kinds, folder),
    });
    let default = path == Path::new(super::DEFAULT_PATH);
    let option = if default { String::new() } else { format!(" --config {}", path.display()) };
    steps.push(format!("See whether all is right:\n\n     tokend check{option}\n"));
    steps.push(if default {
        "Begin:\n\n     systemctl enable --now tokend.service\n\n   and, if it ran already, for its new credentials:\n\n     \
         systemctl restart tokend.service\n"
            .to_owned()
    } else {
        format!("Begin:\n\n     tokend{option}\n")
    });
    if kinds.contains(&ProfileKind::Classic) {
        let name = ProfileKind::Classic.about().example;
        steps.push(format!(
            "Begin the chain of {name}, with what Download Token in the web UI gave:\n\n     tokenctl import {name} token.json\n"
        ));
    }
    let mut text = "What is left to do:\n".to_owned();
    for (index, step) in steps.iter().enumerate() {
        let _ = write!(text, "\n{}. {step}", index + 1);
    }
    text
}

fn of_credentials(kinds: &[ProfileKind]) -> String {
    let mut text = format!(
        "Encrypt the secrets, which are asked for at the terminal:\n\n     install -d -m 0700 {CREDENTIAL_STORE}\n"
    );
    for name in kinds.iter().map(|kind| kind.about().example) {
        let _ = writeln!(
            text,
            "     systemd-ask-password 'Secret of {name}:' |\n       systemd-creds encrypt --name={name} - \
             {CREDENTIAL_STORE}/{name}"
        );
    }
    text.push_str("\n   and hand them to the service, by `systemctl edit tokend.service`:\n\n     [Service]\n");
    for name in kinds.iter().map(|kind| kind.about().example) {
        let _ = writeln!(text, "     LoadCredentialEncrypted={name}:{CREDENTIAL_STORE}/{name}");
    }
    text
}

fn of_files(kinds: &[ProfileKind], folder: &Path) -> String {
    let mut text = "Put the secrets into files of your own, for example:\n\n".to_owned();
    for name in kinds.iter().map(|kind| kind.about().example) {
        let _ = writeln!(
            text,
            "     (umask 077; systemd-ask-password 'Secret of {name}:' > {}/{name}.secret)",
            folder.display()
        );
    }
    text
}
