//! The configuration file: TOML as typed by a person → a validated [`Config`].
//!
//! `raw` reads keys and types and knows where each stands; the file of each subject makes values of them that cannot
//! be wrong; `validate` puts them together. All findings are collected, each with file, line and key; only a syntax
//! error stops at once. Nothing typed where a secret belongs is ever repeated in a finding.
//!
//! `keys` says in words what every key means; the configuration that is installed (`template`), `tokend init` and the
//! manual page are made of it.
//!
//! Not here: the kinds' behaviour, and reading secrets (`crate::system::secret`); this only looks whether they can be
//! read.

mod access;
mod audit;
mod ca_file;
mod classic;
mod cluster;
mod duration;
mod endpoint;
mod environment;
mod findings;
mod glp;
pub mod init;
pub mod keys;
mod machine;
mod profile;
mod raw;
mod refresh;
mod secret;
mod server;
mod suggest;
pub mod template;
mod validate;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tokend_proto::ProfileName;

pub use audit::AuditSettings;
pub use ca_file::CaFile;
pub use environment::{Accounts, Environment, SystemAccounts, UnitSight};
pub use findings::ConfigError;
pub(crate) use findings::Place;
pub use profile::ProfileExtras;
pub(crate) use server::Places;
pub use server::{Server, SocketGroup, USUAL_GROUP};

use crate::core::access::Access;
use crate::core::settings::Settings;
use crate::system::process::Needs;
use crate::system::secret::SecretSource;
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
    /// Who may read what.
    pub access: Access,
    /// What is recorded about peers.
    pub audit: AuditSettings,
    /// What seals the records in the state folder: 64 hex digits, if it is configured.
    pub state_key: Option<SecretSource>,
    /// What is odd but does not stop anything, each with file, line and key.
    pub warnings: Vec<String>,
}

/// What `tokend check` found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// In the order of their lines. With one of these the daemon does not start.
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
        Needs { connections: self.server.max_connections as usize, files, commands }
    }

    /// For start-up and reload. Reads the configuration, the `ca_file`s, and whether the secrets are there; runs no
    /// command.
    ///
    /// # Errors
    ///
    /// All that is wrong, in the order of the lines: never an empty list.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, Vec<ConfigError>> {
        validate::file(path, environment, Purpose::Start).map_err(|report| report.errors)
    }
}

/// For `tokend check`: as [`Config::load`], but it need not run inside the unit. Credentials are read only where
/// `$CREDENTIALS_DIRECTORY` is set, and to root a secret file of a service's user is not an error.
#[must_use]
pub fn check(path: &Path, environment: &Environment) -> Report {
    match validate::file(path, environment, Purpose::Check) {
        Ok(config) => Report { errors: Vec::new(), warnings: config.warnings },
        Err(report) => report,
    }
}

#[cfg(test)]
mod tests;
