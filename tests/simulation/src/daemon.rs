//! One life of the daemon: the real core, and around it what the driver and the socket do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokend::access::policy::Access;
use tokend::core::Core;
use tokend::core::id::WaiterId;
use tokend::core::issued::{AccessToken, ReadMode};
use tokend::core::provider::{Grant, ProviderRequest, SecretVersion, SecretVersions};
use tokend::core::settings::{Kind, Profile};
use tokend::core::time::BootTime;
use tokend_proto::{Fingerprint, ProfileName, TokenName};

use super::access;
use super::wire::Texts;
use super::world::{Configuration, Vault};

/// A name on the board.
pub(super) struct Slot {
    pub(super) token: Arc<AccessToken>,
    pub(super) mode: ReadMode,
    pub(super) last_read: Option<BootTime>,
}

/// A question that is open.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) uid: u32,
    pub(super) name: Option<TokenName>,
    /// The profile of whose tenants it is.
    pub(super) tenants_of: Option<ProfileName>,
    pub(super) min_ttl: Duration,
    pub(super) deadline: BootTime,
    pub(super) kind: OpenKind,
    /// The current token, if it is to be replaced.
    pub(super) unwanted: Option<Fingerprint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenKind {
    Get,
    Reject(Fingerprint),
    Refresh,
    Import,
    /// Three quarters of a life are wanted, in calm weather, with time to wait: they can be had.
    MuchLife,
    Other,
}

/// The daemon while it runs.
pub(super) struct Daemon {
    pub(super) core: Core,
    pub(super) board: BTreeMap<TokenName, Slot>,
    pub(super) applied: Configuration,
    pub(super) access: Access,
    pub(super) open: BTreeMap<WaiterId, Open>,
    pub(super) deadlines: BTreeSet<(BootTime, WaiterId)>,
    /// Texts of secrets by version, as the shell keeps them.
    versions: BTreeMap<SecretVersion, String>,
    by_text: BTreeMap<(ProfileName, String), SecretVersion>,
    pub(super) stopping: bool,
    /// Wake-ups in a row without time passing.
    pub(super) restless: u32,
    /// When the core wants to be woken.
    pub(super) wake: Option<BootTime>,
}

impl Daemon {
    pub(super) fn new(core: Core, applied: Configuration) -> Self {
        Self {
            core,
            board: BTreeMap::new(),
            access: access::in_force(&applied.rules),
            applied,
            open: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            versions: BTreeMap::new(),
            by_text: BTreeMap::new(),
            stopping: false,
            restless: 0,
            wake: None,
        }
    }

    pub(super) fn opened(&mut self, waiter: WaiterId, open: Open) {
        self.deadlines.insert((open.deadline, waiter));
        self.open.insert(waiter, open);
    }

    pub(super) fn closed(&mut self, waiter: WaiterId) -> Option<Open> {
        let open = self.open.remove(&waiter)?;
        self.deadlines.remove(&(open.deadline, waiter));
        Some(open)
    }

    /// Whether a Classic token is on the board that is still good then.
    pub(super) fn serves_classic(&self, name: &TokenName, then: BootTime) -> bool {
        let classic = |profile: &Arc<Profile>| matches!(profile.kind, Kind::Classic { .. });
        self.applied.profiles.get(&name.profile).is_some_and(classic)
            && self.board.get(name).is_some_and(|slot| slot.token.expires > then)
    }

    /// A reading of a profile's secrets: the same text keeps its version.
    pub(super) fn read_secrets(&mut self, profile: &ProfileName, vault: Option<&Vault>, login: bool) -> SecretVersions {
        let Some(vault) = vault.filter(|vault| !vault.locked) else {
            let problems = vec!["the secret cannot be read".to_owned()];
            return SecretVersions { client_secrets: Vec::new(), password: None, problems };
        };
        let client_secrets = vault.secrets.iter().map(|text| self.version(profile, text)).collect();
        let password = vault.password.as_ref().filter(|_| login).map(|text| self.version(profile, text));
        SecretVersions { client_secrets, password, problems: Vec::new() }
    }

    fn version(&mut self, profile: &ProfileName, text: &str) -> SecretVersion {
        let next = SecretVersion(self.versions.len() as u64 + 1);
        let version = *self.by_text.entry((profile.clone(), text.to_owned())).or_insert(next);
        self.versions.entry(version).or_insert_with(|| text.to_owned());
        version
    }

    /// The texts for a request, as the driver resolves them when it sends it.
    pub(super) fn texts(&self, request: &ProviderRequest) -> Texts {
        let text = |version: &SecretVersion| self.versions.get(version).cloned().unwrap_or_default();
        match &request.grant {
            Grant::ClientCredentials { secret } | Grant::Refresh { secret, .. } => {
                Texts { secret: text(secret), password: String::new() }
            }
            Grant::Login { secret, password } => Texts { secret: text(secret), password: text(password) },
            Grant::Exchange { .. } | Grant::ListTenants { .. } => Texts::default(),
        }
    }
}
