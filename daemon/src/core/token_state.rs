//! What the core remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{Fingerprint, ProfileName, TokenName, WorkspaceId};

use super::activity::Activity;
use super::classic::state::{Credentials, Send, Sent};
use super::id::Asker;
use super::input::Question;
use super::issued::{AccessToken, ReadMode};
use super::provider::{RequestId, SecretVersion, SecretVersions};
use super::record::ChainKey;
use super::settings::{Kind, Profile};
use super::shares::Shares;
use super::time::BootTime;
use super::waiting::{Prospect, Waiting};
use super::watchers::Watch;

/// One token name.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) profile: Arc<Profile>,
    /// Renewed whether or not it is read.
    pub(super) warm: bool,
    /// The user whose place of [`ProfileState::on_demand`] it has, if it is not warm.
    pub(super) place_of: Option<u32>,
    pub(super) token: Option<Arc<AccessToken>>,
    pub(super) mode: ReadMode,
    /// The token was fetched because a peer rejected the one before.
    pub(super) token_was_forced: bool,
    pub(super) activity: Activity,
    /// Not before: set by a failure, cleared by a success.
    pub(super) retry_at: Option<BootTime>,
    pub(super) failures: u32,
    pub(super) unreadable: u32,
    pub(super) probes: u32,
    pub(super) trouble: Option<Trouble>,
    pub(super) waiters: Waiting,
    pub(super) throttle: Throttle,
    /// A token other than this one is wanted, however good this one looks.
    pub(super) forced: Option<Fingerprint>,
    /// How many client secrets were refused in a row.
    pub(super) secrets_refused: usize,
    /// The exchange was refused once and tried again with another parent token.
    pub(super) exchanged_again: bool,
    /// Reads wait until then for the refresh on the wire.
    pub(super) hold_until: Option<BootTime>,
    pub(super) reads: Reads,
    pub(super) watch: Watch,
    /// When it is looked at again: its time in [`super::timers::Alarms`].
    pub(super) alarm: Option<BootTime>,
}

/// What is known of the reads of an on-demand tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reads {
    /// Read since the last renewal, from the token cache or from the core itself.
    pub(super) seen: bool,
    /// The token cache was asked and has not answered.
    pub(super) asked: bool,
    /// Nobody had read it when the token cache was asked at this time.
    pub(super) unread_at: Option<BootTime>,
}

/// In a box, because most names have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble(Box<Cause>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
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
        Self(Box::new(Cause { kind, message: message.into() }))
    }
}

impl Deref for Trouble {
    type Target = Cause;

    fn deref(&self) -> &Cause {
        &self.0
    }
}

impl DerefMut for Trouble {
    fn deref_mut(&mut self) -> &mut Cause {
        &mut self.0
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
    pub(super) next: BootTime,
    pub(super) interval: Duration,
}

impl Name {
    pub(super) fn new(profile: Arc<Profile>, warm: bool) -> Self {
        Self {
            profile,
            warm,
            place_of: None,
            token: None,
            mode: ReadMode::Serve,
            token_was_forced: false,
            activity: Activity::Idle,
            retry_at: None,
            failures: 0,
            unreadable: 0,
            probes: 0,
            trouble: None,
            waiters: Waiting::default(),
            throttle: Throttle::default(),
            forced: None,
            secrets_refused: 0,
            exchanged_again: false,
            hold_until: None,
            reads: Reads::default(),
            watch: Watch::default(),
            alarm: None,
        }
    }

    /// What those who wait for it can hope for, if `parent` is the workspace in trouble that it waits for.
    pub(super) fn prospect(&self, parent: Option<&Self>) -> Prospect {
        Prospect {
            token: self.token.as_ref().map(|token| token.fingerprint),
            activity: self.activity,
            retry_at: self.retry_at,
            is_permanent: self.is_permanent(),
            forced: self.forced,
            hold_until: self.hold_until,
            parent: parent.map(|parent| (parent.activity == Activity::Idle, parent.retry_at)),
        }
    }

    /// Renewed ahead whether or not anybody reads it.
    pub(super) fn is_kept(&self) -> bool {
        self.warm || self.watch.is_on()
    }

    pub(super) fn is_classic(&self) -> bool {
        matches!(self.profile.kind, Kind::Classic { .. })
    }

    /// The current token, unless it has expired.
    pub(super) fn good(&self, now: BootTime) -> Option<&Arc<AccessToken>> {
        self.token.as_ref().filter(|token| now < token.expires)
    }

    pub(super) fn left(&self, now: BootTime) -> Option<Duration> {
        self.good(now).map(|token| token.left(now))
    }

    pub(super) fn is_permanent(&self) -> bool {
        self.trouble.as_ref().is_some_and(|t| t.kind.is_permanent())
    }

    /// Its last attempt failed, and there is another one without anybody's help.
    pub(super) fn is_in_passing_trouble(&self) -> bool {
        (self.trouble.is_some() || self.retry_at.is_some()) && !self.is_permanent()
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
    /// `None` until they were read, and again when they have to be read again.
    pub(super) secrets: Option<SecretVersions>,
    pub(super) reading: bool,
    /// They may have changed since that reading began: another one follows.
    pub(super) reads_again: bool,
    /// When they were read last.
    pub(super) read_at: Option<BootTime>,
    /// Why no client secret could be read then, and how often that has happened in a row.
    pub(super) unreadable: Option<String>,
    pub(super) failed_readings: u32,
    /// They are not read before that time.
    pub(super) next_reading: BootTime,
    /// What was said of odd answers of the provider.
    pub(super) warned: BTreeSet<&'static str>,
    /// The client secret that worked last.
    pub(super) worked: Option<SecretVersion>,
    /// The login that the provider refused.
    pub(super) refused_login: Option<Credentials>,
    /// Only of a GreenLake profile with tenants.
    pub(super) listing: Option<Listing>,
    /// Places of tenants that are not warm.
    pub(super) on_demand: Shares,
    /// Tenants that wait for the workspace's token.
    pub(super) await_parent: BTreeSet<WorkspaceId>,
    /// Whether the workspace was in trouble, and with an error, when their watchers were last told.
    pub(super) told_of_parent: (bool, bool),
    /// The workspace's token that an exchange was refused for.
    pub(super) distrusted: Option<Fingerprint>,
    /// When an exchange may have the workspace's token renewed again.
    pub(super) next_distrust: BootTime,
}

impl ProfileState {
    pub(super) fn new(profile: Arc<Profile>) -> Self {
        let tenants = matches!(profile.kind, Kind::Glp { tenants: Some(_), .. });
        Self {
            profile,
            secrets: None,
            reading: false,
            reads_again: false,
            read_at: None,
            unreadable: None,
            failed_readings: 0,
            next_reading: BootTime::default(),
            warned: BTreeSet::new(),
            worked: None,
            refused_login: None,
            listing: tenants.then(Listing::default),
            on_demand: Shares::new(MAX_ON_DEMAND, KEPT_ON_DEMAND),
            await_parent: BTreeSet::new(),
            told_of_parent: (false, false),
            distrusted: None,
            next_distrust: BootTime::default(),
        }
    }

    /// What a login would be made with, if there is one and its password could be read.
    pub(super) fn credentials(&self) -> Option<Credentials> {
        let password = self.secrets.as_ref()?.password?;
        match &self.profile.kind {
            Kind::Classic { login: Some(login), .. } => Some(Credentials { login: login.clone(), password }),
            _ => None,
        }
    }

    /// They are read again before they are used again.
    pub(super) fn forget_secrets(&mut self) {
        self.secrets = None;
        self.reads_again = self.reading;
    }

    /// A person has perhaps corrected them: they are read again, but never twice in a moment.
    pub(super) fn read_soon(&mut self, now: BootTime) {
        let next = self.read_at.map_or(BootTime::default(), |at| at + READING_INTERVAL);
        if self.secrets.is_none() || next <= now {
            self.forget_secrets();
            self.next_reading = next.min(self.next_reading);
        }
    }

    /// The client secret to try after `refused` were refused: the one that worked last first.
    pub(super) fn secret(&self, refused: usize) -> Option<SecretVersion> {
        let all = &self.secrets.as_ref()?.client_secrets;
        let worked = self.worked.filter(|version| all.contains(version));
        worked.into_iter().chain(all.iter().copied().filter(|v| Some(*v) != worked)).nth(refused)
    }

    /// The provider refuses this secret, which was sent after `refused` others: how many are refused now, `None` if all
    /// are. If the secrets were forgotten or read again since it was sent, that says nothing about those that there are
    /// now.
    pub(super) fn refused(&self, secret: SecretVersion, refused: usize) -> Option<usize> {
        if self.secret(refused) != Some(secret) {
            return Some(0);
        }
        self.secret(refused + 1).map(|_| refused + 1)
    }
}

/// Tenants on demand that a profile may have. One user alone gets 1,024 of them.
pub(super) const MAX_ON_DEMAND: usize = 2 * 1_024 + KEPT_ON_DEMAND;

/// Of which these are kept for superusers.
const KEPT_ON_DEMAND: usize = 64;

/// Between two readings of a profile's secrets, however they are asked for.
pub(super) const READING_INTERVAL: Duration = Duration::from_secs(1);

/// Whether a profile's secrets can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    Known,
    /// They are being read.
    Reading,
    /// They are read again then, and not before.
    ReadAt(BootTime),
}

/// The tenants of a workspace.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) tenants: BTreeMap<WorkspaceId, Arc<str>>,
    /// The same by their workspace names, in order.
    pub(super) by_name: Vec<(Arc<str>, WorkspaceId)>,
    /// When the whole list was last received.
    pub(super) fetched: Option<BootTime>,
    pub(super) activity: Fetch,
    /// Pages received so far.
    pub(super) partial: BTreeMap<WorkspaceId, Arc<str>>,
    pub(super) received: u64,
    pub(super) pages: u32,
    pub(super) failures: u32,
    pub(super) retry_at: Option<BootTime>,
    pub(super) trouble: Option<String>,
    pub(super) waiters: Waiting,
    /// Somebody has a use for it: it is renewed every hour.
    pub(super) wanted: bool,
    pub(super) refused_again: bool,
    /// Refusals in a row, each of two tokens.
    pub(super) refusals: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Fetch {
    #[default]
    Idle,
    Parent,
    Queued,
    Sent(RequestId),
}

/// What a request was sent for.
#[derive(Debug, Clone)]
pub(super) enum Purpose {
    Token { name: TokenName, sent: BootTime, secret: Option<SecretVersion>, subject: Option<Fingerprint> },
    Listing { profile: ProfileName, subject: Fingerprint },
    Chain { key: ChainKey, send: Send, sent: BootTime, host: Arc<str>, secret: SecretVersion, of: Sent },
}

/// One question.
#[derive(Debug, Clone)]
pub(super) struct Waiter {
    pub(super) asker: Asker,
    pub(super) deadline: BootTime,
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
    /// Nothing but the end.
    Watch,
    /// To be asked again when the list of tenants is there.
    Listed(Question),
}
