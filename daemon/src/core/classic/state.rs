//! What the core remembers of Classic chains, imports and logins.

use std::time::Duration;

use tokend_proto::{Fingerprint, Secret};

use crate::core::id::WriteId;
use crate::core::issued::AccessToken;
use crate::core::provider::SecretVersion;
use crate::core::record::{CandidateRecord, ChainKey, ChainRecord, ChainState, QuotaKey, QuotaRecord, Revision};
use crate::core::settings::{Kind, Login, Profile};
use crate::core::time::BootTime;

/// A refresh token dies so long after the refresh that brought it (the provider's documentation).
pub(in crate::core) const CHAIN_LIFE: Duration = Duration::from_secs(14 * 24 * 3600);

/// What is said of an import whose client is refused.
pub(in crate::core) const CLIENT_REFUSED: &str =
    "the provider refuses the client, so it has not looked at the imported refresh token, which is kept";

/// One Classic chain. It outlives its profile, so that a rotation is always finished.
#[derive(Debug, Default)]
pub(in crate::core) struct Chain {
    pub(in crate::core) record: ChainRecord,
    pub(in crate::core) revision: Revision,
    pub(in crate::core) candidate: Option<Candidate>,
    /// Of the candidate's record in the store, which may outlive the candidate.
    pub(in crate::core) candidate_revision: Revision,
    /// That record is being removed: another candidate has to wait.
    pub(in crate::core) removing_candidate: bool,
    pub(in crate::core) work: Work,
    /// The refresh token may have been spent by a request whose reply was lost.
    pub(in crate::core) reply_lost: bool,
    /// Warnings given of the end of its 14 days.
    pub(in crate::core) warned: usize,
    pub(in crate::core) write_failures: u32,
    /// Refreshes in a row that brought less than a pair that can be used.
    pub(in crate::core) incomplete: u32,
    /// After such a refresh it is left alone until then, whatever else happens.
    pub(in crate::core) rest_until: Option<BootTime>,
    /// Its record is to be written with times that hold after a reboot, not before then.
    pub(in crate::core) rebase_at: Option<BootTime>,
}

#[derive(Debug)]
pub(in crate::core) struct Candidate {
    pub(in crate::core) record: CandidateRecord,
    pub(in crate::core) fingerprint: Fingerprint,
    pub(in crate::core) durable: bool,
    pub(in crate::core) retry_at: Option<BootTime>,
    pub(in crate::core) failures: u32,
    pub(in crate::core) secrets_refused: usize,
    /// How often the provider has refused the client, with every secret that there is.
    pub(in crate::core) client_refused: u32,
    pub(in crate::core) trouble: Option<String>,
}

#[derive(Debug, Default)]
pub(in crate::core) enum Work {
    #[default]
    Idle,
    Secrets,
    /// What is about to be sent is being made durable.
    WritingIntent(Send),
    Queued(Send),
    /// Its record is being written with other times. What had been queued goes on afterwards.
    Rebasing(Option<Send>),
    Sent(Send),
    /// What came back is being made durable.
    Keeping(Box<Keep>),
}

/// What a chain sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core) enum Send {
    Refresh,
    Candidate,
    Login,
}

#[derive(Debug)]
pub(in crate::core) struct Keep {
    pub(in crate::core) record: ChainRecord,
    pub(in crate::core) write: Option<WriteId>,
    pub(in crate::core) retry_at: Option<BootTime>,
    pub(in crate::core) token: Option<Fresh>,
    /// It came from a candidate with this fingerprint.
    pub(in crate::core) imported: Option<Fingerprint>,
}

/// The access token of an answer that is being made durable, or need not be.
#[derive(Debug)]
pub(in crate::core) struct Fresh {
    pub(in crate::core) token: AccessToken,
    /// Why it may live shorter than it says: it is served with a flag, and another one follows soon.
    pub(in crate::core) doubt: Option<String>,
}

/// Logins of one client_id.
#[derive(Debug, Default)]
pub(in crate::core) struct Quota {
    pub(in crate::core) record: QuotaRecord,
    pub(in crate::core) revision: Revision,
    /// The chain whose login is under way.
    pub(in crate::core) busy: Option<ChainKey>,
    pub(in crate::core) writing: bool,
    /// The outcome is to be written once the write before has ended.
    pub(in crate::core) rewrite: bool,
    /// As of a chain.
    pub(in crate::core) rebase_at: Option<BootTime>,
}

/// What a chain's request spends.
#[derive(Debug, Clone)]
pub(in crate::core) enum Sent {
    RefreshToken(Fingerprint),
    Login(Credentials),
}

/// What the provider judges a login by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::core) struct Credentials {
    pub(in crate::core) login: Login,
    pub(in crate::core) password: SecretVersion,
}

/// What a write was made for.
#[derive(Debug, Clone)]
pub(in crate::core) enum Written {
    /// The chain's record, before a refresh.
    Intent(ChainKey, Box<ChainRecord>),
    /// The candidate, before its refresh.
    Candidate(ChainKey),
    /// The candidate is gone.
    CandidateGone(ChainKey),
    /// The quota, before a login.
    QuotaOpen(QuotaKey, QuotaRecord, ChainKey),
    /// The quota, after a login.
    QuotaClosed(QuotaKey),
    /// What a request brought.
    Kept(ChainKey),
    /// The chain's record, with other times.
    Restamped(ChainKey, Box<ChainRecord>),
}

/// The chain of a Classic profile.
pub(in crate::core) fn chain_key(profile: &Profile) -> Option<ChainKey> {
    match &profile.kind {
        Kind::Classic { gateway, .. } => Some(ChainKey {
            profile: profile.name.clone(),
            gateway: gateway.url.clone(),
            client_id: profile.client_id.clone(),
        }),
        _ => None,
    }
}

/// The login quota of a chain.
pub(in crate::core) fn quota_key(chain: &ChainKey) -> QuotaKey {
    QuotaKey { gateway: chain.gateway.clone(), client_id: chain.client_id.clone() }
}

impl Chain {
    /// The access token may be dead before its time: it dies with the refresh token that it came with, when that is
    /// spent or revoked (the provider's documentation).
    pub(in crate::core) fn doubts_access_token(&self) -> bool {
        match self.record.state {
            ChainState::AwaitingLogin { .. } | ChainState::Lost { .. } => true,
            ChainState::InFlight { .. } => self.reply_lost,
            ChainState::Empty | ChainState::Settled => false,
        }
    }
}

impl Candidate {
    pub(in crate::core) fn new(record: CandidateRecord, durable: bool) -> Self {
        Self {
            fingerprint: Fingerprint::of(&record.refresh_token),
            record,
            durable,
            retry_at: None,
            failures: 0,
            secrets_refused: 0,
            client_refused: 0,
            trouble: None,
        }
    }

    /// Whether it may be tried now.
    pub(in crate::core) fn is_due(&self, now: BootTime) -> bool {
        self.retry_at.is_none_or(|at| at <= now)
    }

    pub(in crate::core) fn token(&self) -> &Secret {
        &self.record.refresh_token
    }
}
