//! The configuration file: TOML as typed by a person → a validated [`Config`].
//!
//! `raw` reads keys and types and knows where each stands; the file of each subject makes values of them that cannot
//! be wrong; `validate` puts them together. All findings are collected, each with file, line and key; only a syntax
//! error stops at once. Nothing typed where a secret belongs is ever repeated in a finding.
//!
//! `keys` says in words what every key means; the configuration that is installed (`template`), `tokend init` and the
//! manual page are made of it.
//!
//! Not here: the kinds' behaviour, and reading secrets (`crate::secret`); `outside` only looks whether they can
//! be read. Nothing outside of the file is waited for longer than a named time: it may be on a file system, or with a
//! directory service, that does not answer.

mod access;
mod accounts;
mod audit;
mod changes;
mod duration;
mod environment;
mod findings;
pub mod init;
pub mod keys;
mod machine;
mod outside;
mod profile;
mod raw;
mod server;
mod suggest;
pub mod template;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokend_proto::ProfileName;

pub use audit::AuditSettings;
pub use environment::Environment;
pub use findings::ConfigError;
pub(crate) use findings::Place;
pub use profile::ProfileExtras;
pub use profile::ca_file::CaFile;
pub(crate) use server::Places;
pub use server::{Server, SocketGroup, USUAL_GROUP};

pub(crate) use access::AccessRules;
pub(crate) use accounts::{Account, LookedUp, Numbers, looks};

use crate::access::policy::Access;
use crate::core::settings::Settings;
use crate::os::process::Needs;
use crate::secret::SecretSource;
use validate::Purpose;

/// Where the configuration is unless `--config` or `$TOKEND_CONFIG` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/tokend/tokend.toml";

/// Everything that the file says, validated.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the core decides by.
    pub settings: Arc<Settings>,
    /// The socket and the state folder.
    pub server: Server,
    /// Where the keys stand that are looked at again later.
    pub(crate) places: Places,
    /// What the shell needs of each profile in [`Settings::profiles`], under the same names.
    pub profiles: BTreeMap<ProfileName, ProfileExtras>,
    /// Who may read what, by names.
    pub(crate) rules: AccessRules,
    /// The numbers of those whom the configuration names.
    pub(crate) numbers: Numbers,
    /// What is recorded about peers.
    pub audit: AuditSettings,
    /// What seals the records in the state folder: 64 hex digits, if it is configured.
    pub state_key: Option<SecretSource>,
    /// What is odd but does not stop anything, each with file, line and key: in the file and, as of when it was read, in
    /// what it names.
    pub warnings: Vec<String>,
    /// Those of the warnings that are as true as the file.
    notes: Vec<String>,
    /// Where it was read.
    file: PathBuf,
}

/// What `tokend check` found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// In the order of their lines.
    pub errors: Vec<ConfigError>,
    /// As in [`Config::warnings`].
    pub warnings: Vec<String>,
}

impl Config {
    /// What it needs descriptors for.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let of_profiles =
            self.profiles.values().flat_map(|profile| profile.secrets.client.iter().chain(&profile.secrets.password));
        let sources: Vec<&SecretSource> = of_profiles.chain(&self.state_key).collect();
        let commands = sources.iter().filter(|source| matches!(source, SecretSource::Command { .. })).count();
        let files = sources
            .iter()
            .filter(|source| matches!(source, SecretSource::File { .. } | SecretSource::Credential { .. }))
            .count();
        let hosts: BTreeSet<_> = self.settings.profiles.values().map(|profile| &profile.endpoint().host).collect();
        Needs { connections: self.server.max_connections as usize, hosts: hosts.len(), files, commands }
    }

    /// For start-up. Reads the configuration, and looks users and groups up for a moment: whom a directory service does
    /// not tell in that time is in no rule yet. Reads no secret and no `ca_file`, and runs no command.
    ///
    /// # Errors
    ///
    /// All that is wrong in the file, in the order of the lines: never an empty list.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, Vec<ConfigError>> {
        validate::file(path, environment, Purpose::Start, &Numbers::default()).map_err(|report| report.errors)
    }

    /// For a reload. Looks whether secrets and `ca_file`s can be read as well, and warns of those that cannot. The
    /// numbers in force stay for users and groups that cannot be looked up.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub(crate) fn reload(path: &Path, environment: &Environment, numbers: &Numbers) -> Result<Self, Vec<ConfigError>> {
        validate::file(path, environment, Purpose::Reload, numbers).map_err(|report| report.errors)
    }

    /// Who may read what, by the numbers that are known.
    #[must_use]
    pub fn access(&self) -> Access {
        self.rules.with(&self.numbers)
    }

    /// What is odd as long as this configuration is in force, and whom it names that cannot be found now.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let of_account = |(place, problem): (Place, String)| {
            ConfigError { file: self.file.clone(), line: place.line, key: place.key, problem }.to_string()
        };
        self.notes.iter().cloned().chain(self.problems_of_accounts().into_iter().map(of_account)).collect()
    }

    fn problems_of_accounts(&self) -> Vec<(Place, String)> {
        let group = self.server.named_group().and_then(|group| {
            let without = "a socket that tokend makes is its own user's alone until it is found";
            Some((self.places.group.clone(), self.numbers.problem(&group, without)?))
        });
        self.rules.problems(&self.numbers).into_iter().chain(group).collect()
    }
}

/// For `tokend check`: what is wrong in the file, with what it names, and with this machine. It need not run inside the
/// unit: credentials are read only where `$CREDENTIALS_DIRECTORY` is set, and to root a secret file of a service's user
/// is not an error.
#[must_use]
pub fn check(path: &Path, environment: &Environment) -> Report {
    report(path, environment, Purpose::Check)
}

/// For `tokend check --start`: as [`check`], but only what would keep the daemon from starting is an error.
#[must_use]
pub fn check_start(path: &Path, environment: &Environment) -> Report {
    report(path, environment, Purpose::CheckStart)
}

fn report(path: &Path, environment: &Environment, purpose: Purpose) -> Report {
    match validate::file(path, environment, purpose, &Numbers::default()) {
        Ok(config) => Report { errors: Vec::new(), warnings: config.warnings },
        Err(report) => report,
    }
}

#[cfg(test)]
mod tests;
