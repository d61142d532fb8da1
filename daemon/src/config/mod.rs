//! The configuration file: TOML as typed by a person → a validated [`Config`].
//!
//! `value` reads keys and types and knows where each stands; the file of each subject makes values of them that cannot
//! be wrong; `validate` puts them together. All diagnostics are collected, each with file, line and key; only a syntax
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
mod context;
mod diagnostics;
mod duration;
mod environment;
mod host_check;
pub mod init;
pub mod keys;
mod outside;
mod profile;
mod purpose;
mod server;
mod suggest;
pub mod template;
mod validate;
mod validated;
mod value;

use std::path::Path;

pub use audit::AuditSettings;
pub use diagnostics::ConfigError;
pub(crate) use diagnostics::Place;
pub use environment::Environment;
pub use profile::ca_file::CaFile;
pub use profile::kind::ProfileExtras;
pub use server::{Server, SocketGroup, USUAL_GROUP};
pub use validated::{Config, Report};

pub(crate) use accounts::{Account, LookedUp, Numbers, looks};

use purpose::Purpose;

/// Where the configuration is unless `--config` or `$TOKEND_CONFIG` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/tokend/tokend.toml";

impl Config {
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
