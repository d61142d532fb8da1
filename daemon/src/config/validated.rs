//! A configuration that is right in every part, and what was found in one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use tokend_proto::ProfileName;

use super::access::AccessRules;
use super::accounts::Numbers;
use super::audit::AuditSettings;
use super::diagnostics::{ConfigError, Place};
use super::profile::kind::ProfileExtras;
use super::server::{Places, Server};
use crate::access::policy::Access;
use crate::core::settings::Settings;
use crate::os::process::Needs;
use crate::secret::SecretSource;

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
    /// What is odd but does not stop anything, each with file, line and key: in the file and, as of when it was read,
    /// in what it names.
    pub warnings: Vec<String>,
    /// Those of the warnings that are as true as the file.
    pub(super) notes: Vec<String>,
    /// Where it was read.
    pub(super) file: PathBuf,
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

    pub(super) fn problems_of_accounts(&self) -> Vec<(Place, String)> {
        let group = self.server.named_group().and_then(|group| {
            let without = "a socket that tokend makes is its own user's alone until it is found";
            Some((self.places.group.clone(), self.numbers.problem(&group, without)?))
        });
        self.rules.problems(&self.numbers).into_iter().chain(group).collect()
    }
}
