//! What the core remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{Fingerprint, ProfileName, Secret, TokenName, WorkspaceId};

use super::effect::{Issued, ReadMode};
use super::exchange::{RequestId, SecretVersion, SecretVersions};
use super::input::{Question, WaiterId, WriteId};
use super::limiter::Limiter;
use super::record::{CandidateRecord, ChainKey, ChainRecord, QuotaKey, QuotaRecord, Revision};
use super::settings::{Kind, Profile};
use super::time::{Boot, Now};

/// One token name.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) profile: Arc<Profile>,
    /// Renewed whether or not it is read.
    pub(super) warm: bool,
    pub(super) token: Option<Arc<Issued>>,
    pub(super) mode: ReadMode,
    /// The token was fetched because a peer rejected the one before.
    pub(super) token_was_forced: bool,
    pub(super) activity: Activity,
    /// Not before: set by a failure, cleared by a success.
    pub(super) retry_at: Option<Boot>,
    pub(super) failures: u32,
    pub(super) unreadable: u32,
    pub(super) probes: u32,
    pub(super) trouble: Option<Trouble>,
    pub(super) waiters: Vec<WaiterId>,
    pub(super) throttle: Throttle,
    /// A token other than this one is wanted, however good this one looks.
    pub(super) forced: Option<Fingerprint>,
    /// How many client secrets were refused in a row.
    pub(super) secrets_refused: usize,
    /// The exchange was refused once and tried again with another parent token.
    pub(super) exchanged_again: bool,
    /// Reads wait until then for the refresh on the wire.
    pub(super) hold_until: Option<Boot>,
    pub(super) reads: Reads,
}

/// What is known of the reads of an on-demand tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reads {
    /// Read since the last renewal, from the board or from the core itself.
    pub(super) seen: bool,
    /// The board was asked and has not answered.
    pub(super) asked: bool,
    /// Nobody had read it when the board was asked at this time.
    pub(super) unread_at: Option<Boot>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    Idle,
    /// Waits for a reading of the secrets.
    Secrets,
    /// Waits for its workspace's token.
    Parent,
    /// Waits for a slot of its host.
    Queued,
    Sent(RequestId),
    /// Its chain is at work.
    Chain,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) kind: TroubleKind,
    pub(super) message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TroubleKind {
    Transient,
    Rejected,
    ParentRejected,
    AwaitingLogin,
    ChainLost,
    ChainEmpty,
}

impl Trouble {
    pub(super) fn new(kind: TroubleKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl TroubleKind {
    /// Only an operator can help: peers need not wait.
    pub(super) fn is_permanent(self) -> bool {
        matches!(self, Self::Rejected | Self::ParentRejected | Self::ChainLost | Self::ChainEmpty)
    }
}

/// Of forced renewals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Throttle {
    pub(super) next: Boot,
    pub(super) interval: Duration,
}

impl Name {
    pub(super) fn new(profile: Arc<Profile>, warm: bool) -> Self {
        Self {
            profile,
            warm,
            token: None,
            mode: ReadMode::Serve,
            token_was_forced: false,
            activity: Activity::Idle,
            retry_at: None,
            failures: 0,
            unreadable: 0,
            probes: 0,
            trouble: None,
            waiters: Vec::new(),
            throttle: Throttle::default(),
            forced: None,
            secrets_refused: 0,
            exchanged_again: false,
            hold_until: None,
            reads: Reads::default(),
        }
    }

    pub(super) fn is_classic(&self) -> bool {
        matches!(self.profile.kind, Kind::Classic { .. })
    }

    /// The current token, unless it has expired.
    pub(super) fn good(&self, now: Boot) -> Option<&Arc<Issued>> {
        self.token.as_ref().filter(|token| now < token.expires)
    }

    pub(super) fn left(&self, now: Boot) -> Option<Duration> {
        self.good(now).map(|token| token.left(now))
    }

    pub(super) fn is_permanent(&self) -> bool {
        self.trouble.as_ref().is_some_and(|t| t.kind.is_permanent())
    }

    /// Nothing is wrong any more.
    pub(super) fn recovered(&mut self) {
        self.retry_at = None;
        self.failures = 0;
        self.unreadable = 0;
        self.probes = 0;
        self.secrets_refused = 0;
        self.exchanged_again = false;
        self.trouble = None;
    }

    /// To be tried at once, and peers may wait for it: something changed that may have been the cause.
    pub(super) fn probe_now(&mut self) {
        self.retry_at = None;
        self.failures = 0;
        self.unreadable = 0;
        self.secrets_refused = 0;
        self.exchanged_again = false;
        if let Some(trouble) = &mut self.trouble
            && matches!(trouble.kind, TroubleKind::Rejected | TroubleKind::ParentRejected)
        {
            trouble.kind = TroubleKind::Transient;
        }
    }
}

/// One profile.
#[derive(Debug)]
pub(super) struct ProfileState {
    pub(super) profile: Arc<Profile>,
    /// `None` until they were read, and again when they have to be read anew.
    pub(super) secrets: Option<SecretVersions>,
    pub(super) reading: bool,
    /// The client secret that worked last.
    pub(super) worked: Option<SecretVersion>,
    /// The password that the provider refused.
    pub(super) refused_password: Option<SecretVersion>,
    /// Only of a GreenLake profile with tenants.
    pub(super) listing: Option<Listing>,
    /// The workspace's token that an exchange was refused for.
    pub(super) distrusted: Option<Fingerprint>,
    /// When an exchange may have the workspace's token renewed again.
    pub(super) next_distrust: Boot,
}

impl ProfileState {
    pub(super) fn new(profile: Arc<Profile>) -> Self {
        let tenants = matches!(profile.kind, Kind::Glp { tenants: Some(_), .. });
        Self {
            profile,
            secrets: None,
            reading: false,
            worked: None,
            refused_password: None,
            listing: tenants.then(Listing::default),
            distrusted: None,
            next_distrust: Boot::default(),
        }
    }

    /// The client secret to try after `refused` were refused: the one that worked last first.
    pub(super) fn secret(&self, refused: usize) -> Option<SecretVersion> {
        let all = &self.secrets.as_ref()?.client_secrets;
        let worked = self.worked.filter(|version| all.contains(version));
        worked.into_iter().chain(all.iter().copied().filter(|v| Some(*v) != worked)).nth(refused)
    }
}

/// The tenants of a workspace.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) tenants: BTreeMap<WorkspaceId, Arc<str>>,
    /// When the whole list was last received.
    pub(super) fetched: Option<Boot>,
    pub(super) activity: Fetch,
    /// Pages received so far.
    pub(super) partial: BTreeMap<WorkspaceId, Arc<str>>,
    pub(super) received: u64,
    pub(super) failures: u32,
    pub(super) retry_at: Option<Boot>,
    pub(super) trouble: Option<String>,
    pub(super) waiters: Vec<WaiterId>,
    /// Somebody has a use for it: it is renewed every hour.
    pub(super) wanted: bool,
    pub(super) refused_again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Fetch {
    #[default]
    Idle,
    Parent,
    Queued,
    Sent(RequestId),
}

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
}

#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) record: CandidateRecord,
    pub(super) fingerprint: Fingerprint,
    pub(super) durable: bool,
    pub(super) retry_at: Option<Boot>,
    pub(super) failures: u32,
    pub(super) secrets_refused: usize,
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
    pub(super) token: Option<Issued>,
    /// It came from a candidate with this fingerprint.
    pub(super) imported: Option<Fingerprint>,
}

/// Logins of one client_id.
#[derive(Debug, Default)]
pub(super) struct Quota {
    pub(super) record: QuotaRecord,
    pub(super) revision: Revision,
    /// When it was read from the store.
    pub(super) restored: Now,
    /// The chain whose login is under way.
    pub(super) busy: Option<ChainKey>,
    pub(super) writing: bool,
    /// The outcome is to be written once the write before has ended.
    pub(super) rewrite: bool,
}

/// One host of a provider.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) limiter: Limiter,
    pub(super) queue: Vec<(u64, Job)>,
    /// Clients that were answered 429, and until when they are left alone.
    pub(super) paused: BTreeMap<String, Boot>,
}

/// What waits for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Job {
    Name(TokenName),
    Listing(ProfileName),
    Chain(ChainKey),
}

/// What a request was sent for.
#[derive(Debug, Clone)]
pub(super) enum Purpose {
    Token { name: TokenName, sent: Boot, secret: Option<SecretVersion>, subject: Option<Fingerprint> },
    Listing { profile: ProfileName, subject: Fingerprint },
    Chain { key: ChainKey, send: Send, sent: Boot, host: Arc<str>, secret: SecretVersion, of: Sent },
}

/// What a chain's request spends.
#[derive(Debug, Clone)]
pub(super) enum Sent {
    RefreshToken(Fingerprint),
    Password(SecretVersion),
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
    QuotaClosed(QuotaKey, QuotaRecord),
    /// What a request brought.
    Kept(ChainKey),
}

/// One question.
#[derive(Debug, Clone)]
pub(super) struct Waiter {
    pub(super) uid: u32,
    pub(super) deadline: Boot,
    pub(super) place: Place,
    pub(super) want: Want,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Name(TokenName),
    Listing(ProfileName),
}

#[derive(Debug, Clone)]
pub(super) enum Want {
    Token {
        min_ttl: Duration,
        other_than: Option<Fingerprint>,
    },
    Renewed {
        other_than: Option<Fingerprint>,
    },
    Import(Fingerprint),
    /// To be asked again when the list of tenants is there.
    Listed(Question),
}

/// Something that has to be looked at when its time comes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    Name(TokenName),
    Chain(ChainKey),
    Listing(ProfileName),
    Waiter(WaiterId),
}

/// One time per alarm, in order.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    order: BTreeSet<(Boot, Alarm)>,
    times: BTreeMap<Alarm, Boot>,
}

impl Alarms {
    pub(super) fn set(&mut self, alarm: Alarm, at: Option<Boot>) {
        let before = match at {
            Some(at) => self.times.insert(alarm.clone(), at),
            None => self.times.remove(&alarm),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, alarm.clone()));
        }
        if let Some(at) = at {
            self.order.insert((at, alarm));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn first(&self) -> Option<Boot> {
        self.order.first().map(|(at, _)| *at)
    }

    pub(super) fn pop_due(&mut self, now: Boot) -> Option<Alarm> {
        if self.first()? > now {
            return None;
        }
        let (_, alarm) = self.order.pop_first()?;
        self.times.remove(&alarm);
        Some(alarm)
    }
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

impl Candidate {
    pub(super) fn new(record: CandidateRecord, durable: bool) -> Self {
        Self {
            fingerprint: Fingerprint::of(&record.refresh_token),
            record,
            durable,
            retry_at: None,
            failures: 0,
            secrets_refused: 0,
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
