//! What the core remembers of Classic chains, imports and logins.

use tokend_proto::{Fingerprint, Secret};

use super::effect::Issued;
use super::exchange::SecretVersion;
use super::input::WriteId;
use super::record::{CandidateRecord, ChainKey, ChainRecord, ChainState, QuotaKey, QuotaRecord, Revision};
use super::settings::{Kind, Login, Profile};
use super::time::Boot;

/// One Classic chain. It outlives its profile, so that a rotation is always finished.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) record: ChainRecord,
    pub(super) revision: Revision,
    pub(super) candidate: Option<Candidate>,
    /// Of the candidate's record in the store, which may outlive the candidate.
    pub(super) candidate_revision: Revision,
    /// That record is being removed: another candidate has to wait.
    pub(super) removing_candidate: bool,
    pub(super) work: Work,
    /// The refresh token may have been spent by a request whose reply was lost.
    pub(super) reply_lost: bool,
    /// Warnings given of the end of its 14 days.
    pub(super) warned: usize,
    pub(super) write_failures: u32,
    /// Refreshes in a row that brought less than a pair that can be used.
    pub(super) incomplete: u32,
    /// After such a refresh it is left alone until then, whatever else happens.
    pub(super) rest_until: Option<Boot>,
    /// Its record is to be written with times that hold after a reboot, not before then.
    pub(super) restamp_at: Option<Boot>,
}

#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) record: CandidateRecord,
    pub(super) fingerprint: Fingerprint,
    pub(super) durable: bool,
    pub(super) retry_at: Option<Boot>,
    pub(super) failures: u32,
    pub(super) secrets_refused: usize,
    /// How often the provider has refused the client, with every secret that there is.
    pub(super) client_refused: u32,
    pub(super) trouble: Option<String>,
}

#[derive(Debug, Default)]
pub(super) enum Work {
    #[default]
    Idle,
    Secrets,
    /// What is about to be sent is being made durable.
    Marking(Send),
    Queued(Send),
    /// Its record is being written with other times. What had been queued goes on afterwards.
    Restamping(Option<Send>),
    Sent(Send),
    /// What came back is being made durable.
    Keeping(Box<Keep>),
}

/// What a chain sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Send {
    Refresh,
    Candidate,
    Login,
}

#[derive(Debug)]
pub(super) struct Keep {
    pub(super) record: ChainRecord,
    pub(super) write: Option<WriteId>,
    pub(super) retry_at: Option<Boot>,
    pub(super) token: Option<Fresh>,
    /// It came from a candidate with this fingerprint.
    pub(super) imported: Option<Fingerprint>,
}

/// The access token of an answer that is being made durable, or need not be.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) token: Issued,
    /// Why it may live shorter than it says: it is served with a flag, and another one follows soon.
    pub(super) doubt: Option<String>,
}

/// Logins of one client_id.
#[derive(Debug, Default)]
pub(super) struct Quota {
    pub(super) record: QuotaRecord,
    pub(super) revision: Revision,
    /// The chain whose login is under way.
    pub(super) busy: Option<ChainKey>,
    pub(super) writing: bool,
    /// The outcome is to be written once the write before has ended.
    pub(super) rewrite: bool,
    /// As of a chain.
    pub(super) restamp_at: Option<Boot>,
}

/// What a chain's request spends.
#[derive(Debug, Clone)]
pub(super) enum Sent {
    RefreshToken(Fingerprint),
    Login(Credentials),
}

/// What the provider judges a login by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) login: Login,
    pub(super) password: SecretVersion,
}

/// What a write was made for.
#[derive(Debug, Clone)]
pub(super) enum Written {
    /// The chain's record, before a refresh.
    Mark(ChainKey, Box<ChainRecord>),
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
pub(super) fn chain_key(profile: &Profile) -> Option<ChainKey> {
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
pub(super) fn quota_key(chain: &ChainKey) -> QuotaKey {
    QuotaKey { gateway: chain.gateway.clone(), client_id: chain.client_id.clone() }
}

impl Chain {
    /// The access token may be dead before its time: it dies with the refresh token that it came with, when that is
    /// spent or revoked (the provider's documentation).
    pub(super) fn doubts_access_token(&self) -> bool {
        match self.record.state {
            ChainState::AwaitingLogin { .. } | ChainState::Lost { .. } => true,
            ChainState::InFlight { .. } => self.reply_lost,
            ChainState::Empty | ChainState::Settled => false,
        }
    }
}

impl Candidate {
    pub(super) fn new(record: CandidateRecord, durable: bool) -> Self {
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
    pub(super) fn is_due(&self, now: Boot) -> bool {
        self.retry_at.is_none_or(|at| at <= now)
    }

    pub(super) fn token(&self) -> &Secret {
        &self.record.refresh_token
    }
}
