//! What is durable: the chains and the login quotas.

use std::collections::BTreeSet;
use std::time::Duration;

use tokend_proto::{Fingerprint, ProfileName, Secret};

use super::time::DurableTime;

/// Whose chain: a profile bound to its gateway and client. A record is never used for another binding.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainKey {
    /// The profile.
    pub profile: ProfileName,
    /// URL of the gateway.
    pub gateway: String,
    /// OAuth client id.
    pub client_id: String,
}

/// Whose login quota. It outlives profiles.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuotaKey {
    /// URL of the gateway.
    pub gateway: String,
    /// OAuth client id.
    pub client_id: String,
}

/// Names a record in the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordKey {
    /// A chain.
    Chain(ChainKey),
    /// An imported refresh token that the provider has not confirmed yet, beside the chain.
    Candidate(ChainKey),
    /// A login quota.
    Quota(QuotaKey),
}

/// A record's content. Its variant is that of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A chain.
    Chain(ChainRecord),
    /// A candidate.
    Candidate(CandidateRecord),
    /// A quota.
    Quota(QuotaRecord),
}

/// A Classic chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChainRecord {
    /// Where it stands.
    pub state: ChainState,
    /// The newest refresh token known.
    pub refresh_token: Option<Secret>,
    /// The newest access token whose life is known.
    pub access: Option<AccessRecord>,
    /// When the request that brought the refresh token was sent: its 14 days count from then.
    pub rotated: Option<DurableTime>,
    /// Fingerprint of the refresh token that was last imported and accepted.
    pub imported: Option<Fingerprint>,
    /// The refresh token was sent since, and the answer did not bring another one.
    pub reply_lost: bool,
}

impl ChainRecord {
    /// When the request that brought the access token was sent.
    #[must_use]
    pub fn issued(&self) -> Option<DurableTime> {
        self.access.as_ref()?.issued.or(self.rotated)
    }
}

/// A stored access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRecord {
    /// The token.
    pub token: Secret,
    /// Its type, as given.
    pub token_type: String,
    /// Its whole life, from when the request was sent.
    pub life: Duration,
    /// When the request that brought it was sent; `None`: the one that brought the refresh token.
    pub issued: Option<DurableTime>,
}

/// Where a chain stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ChainState {
    /// Never started.
    #[default]
    Empty,
    /// The refresh token has not been sent.
    Settled,
    /// The refresh token may have been sent: only the provider can say whether it is spent.
    InFlight {
        /// Since when.
        since: DurableTime,
        /// Fingerprint of the refresh token.
        sent: Fingerprint,
    },
    /// The refresh token is dead; a login follows.
    AwaitingLogin {
        /// Since when it waits.
        since: DurableTime,
    },
    /// The refresh token is dead and there is no login.
    Lost {
        /// Since when.
        since: DurableTime,
        /// Why, as far as can be known.
        why: LostCause,
    },
}

/// Why a chain was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LostCause {
    /// The reply to an earlier refresh never arrived, or the daemon stopped before it was durable.
    ReplyLost,
    /// Not refreshed for 14 days.
    Expired,
    /// Revoked, or refreshed by somebody else.
    Revoked,
    /// Its record could not be read. What became of the refresh token is not known, so nothing says that it was
    /// refused: no login follows.
    RecordUnreadable,
}

/// An imported refresh token on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandidateRecord {
    /// The imported refresh token.
    pub refresh_token: Secret,
    /// When it was imported.
    pub since: DurableTime,
}

/// The logins of one client_id in the last 30 minutes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuotaRecord {
    /// Oldest first; written before the first step of each.
    pub attempts: Vec<LoginAttempt>,
}

/// One login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginAttempt {
    /// When it was begun.
    pub at: DurableTime,
    /// What became of it.
    pub outcome: LoginOutcome,
}

/// What became of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoginOutcome {
    /// Not known: counts as a token.
    Open,
    /// It surely brought no token.
    Failed,
    /// It brought a token.
    Minted,
}

/// A record's revision: 0 before it is first written, then one more with each write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Revision(pub u64);

/// What a store keeps a record under, made of its key: `==` says whether a name is a key's, nothing turns it back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordName(pub String);

/// Records that are there and damaged beyond reading: they do not say any more whose they are. Their names do, of a key
/// that is asked about.
#[derive(Debug, Clone)]
pub struct UnreadableRecords {
    /// What is left of them.
    pub names: BTreeSet<RecordName>,
    /// The store's own way to name a record.
    pub name_of: fn(&RecordKey) -> RecordName,
}

/// A record as found at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Which.
    pub key: RecordKey,
    /// What the next write has to replace: 0 where not even that can be read.
    pub revision: Revision,
    /// How well it could be read.
    pub content: RestoredContent,
}

/// How well a record could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoredContent {
    /// The newest one.
    Newest(Record),
    /// The newest one is damaged; this is the one before. What happened since is not known.
    Previous(Record),
    /// Neither can be read; the record's name is all that is known.
    Unreadable,
}
