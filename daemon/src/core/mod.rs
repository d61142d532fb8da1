//! Every decision, sans I/O: no tokio, no sockets, no clock, no randomness of its own.
//!
//! [`Core`] is one state machine for all names, because what matters crosses them: a tenant's parent, the
//! login quota of a client_id, a provider's rate limit. The shell tells it what happened ([`Core::handle`]); it says
//! what is to be done ([`Core::poll_effect`]) and when to be woken ([`Core::poll_timeout`]). Time comes in
//! with each call; a wake-up too many does nothing.
//!
//! Inside, each change of a name marks it dirty, and dirty names are updated one by one at the end of each input:
//! `token` expires tokens, answers waiters and decides whether to begin a renewal. `renewal` carries it out, with
//! `unchanged` for an answer that brings nothing new. `classic` keeps the chains of refresh tokens, `tenants` the lists
//! of tenants and their parents' tokens, `egress` what waits for a host and how much is on its way. `reload` changes
//! the configuration, `requests` and `report` answer people and peers, `restore` takes in the tokens of the last start.
//!
//! Architecture invariant: only `std` and `tokend-proto` are imported here (a test holds it to that).

mod activity;
mod classic;
pub mod effect;
mod egress;
#[cfg(test)]
mod fixture;
pub mod handoff;
pub mod id;
pub mod input;
pub mod issued;
pub mod provider;
pub mod query;
mod random;
pub mod record;
mod reload;
mod renewal;
pub mod report;
mod requests;
mod restore;
mod schedule;
mod secrets;
pub mod settings;
pub mod shares;
mod sizes;
mod tenants;
#[cfg(test)]
mod tests;
pub mod time;
mod timers;
mod token;
mod token_state;
mod unchanged;
mod waiting;
mod watchers;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;

use tokend_proto::{ProfileName, TokenName};

use classic::state::{Chain, Quota, Work, Written};
use effect::{Effect, Notice, Outcome, Severity};
use egress::Egress;
pub use egress::in_flight::MOST_REQUESTS;
use handoff::HeldProfile;
use id::{WaiterId, WriteId};
use input::Input;
use provider::{Answer, RequestId};
use random::Random;
use record::{ChainKey, QuotaKey, Record, RecordKey, Restored, Revision, UnreadableRecords};
pub use report::summary::Summary;
use settings::Settings;
pub use sizes::Sizes;
use time::{BootId, BootTime, DurableTime, Now};
use timers::{Alarm, Alarms};
use token_state::{Name, ProfileState, Purpose, Waiter};

/// The state machine.
#[derive(Debug)]
pub struct Core {
    boot_id: BootId,
    /// How far the wall clock was ahead of boot time, in milliseconds, when records last went by it.
    wall_ahead: i128,
    random: Random,
    settings: Arc<Settings>,
    profiles: BTreeMap<ProfileName, ProfileState>,
    names: BTreeMap<TokenName, Name>,
    chains: BTreeMap<ChainKey, Chain>,
    quotas: BTreeMap<QuotaKey, Quota>,
    /// What nobody has asked about so far, and when it was found.
    unreadable: Option<(Now, UnreadableRecords)>,
    egress: Egress,
    /// Questions that are not answered yet. How many there may be of each user, the shell says.
    waiters: HashMap<WaiterId, Waiter>,
    requests: HashMap<RequestId, Purpose>,
    writes: HashMap<WriteId, Written>,
    dirty: BTreeSet<TokenName>,
    alarms: Alarms,
    effects: VecDeque<Effect>,
    last_id: u64,
    /// What was handed on for profiles, until the first configuration.
    handed_on: BTreeMap<ProfileName, HeldProfile>,
    held_version: u64,
    stopping: bool,
}

impl Core {
    /// A core that knows what the store held and has no configuration yet.
    #[must_use]
    pub fn new(now: Now, boot_id: BootId, seed: u64, restored: Vec<Restored>) -> Self {
        let mut core = Self {
            boot_id,
            wall_ahead: now.wall_ahead(),
            random: Random::new(seed),
            settings: Arc::new(Settings {
                profiles: BTreeMap::new(),
                refresh_at: settings::Fraction::default(),
                jitter: settings::Fraction::default(),
                max_requests_per_second: NonZeroU32::MIN,
            }),
            profiles: BTreeMap::new(),
            names: BTreeMap::new(),
            chains: BTreeMap::new(),
            quotas: BTreeMap::new(),
            unreadable: None,
            egress: Egress::default(),
            waiters: HashMap::new(),
            requests: HashMap::new(),
            writes: HashMap::new(),
            dirty: BTreeSet::new(),
            alarms: Alarms::default(),
            effects: VecDeque::new(),
            last_id: 0,
            handed_on: BTreeMap::new(),
            held_version: 0,
            stopping: false,
        };
        core.restore(now, restored);
        core
    }

    /// Registers unreadable records that the store found at `now`. To be called before the first configuration, so that
    /// no chain with such a record is taken for a new one, then or after a reload.
    pub fn register_unreadable(&mut self, now: Now, records: UnreadableRecords) {
        self.unreadable = Some((now, records));
    }

    /// Something happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.watch_wall_clock(now);
        match input {
            Input::Restore(held) => self.take_over(held),
            Input::Configure(settings) => self.configure(now, settings),
            Input::Revised(profiles) => profiles.iter().for_each(|profile| self.revised(now, profile)),
            Input::Ask { waiter, asker, question } => self.ask(now, waiter, asker, question),
            Input::Leave(waiter) => self.forget(waiter),
            Input::Answered { request, answer } => self.answered(now, request, answer),
            Input::Secrets { profile, versions } => self.secrets_read(now, &profile, versions),
            Input::Written { write, result } => self.written(now, write, result),
            Input::LastRead { name, at } => self.last_read(now, &name, at),
            Input::Tick => {}
            Input::Shutdown => self.stopping = true,
        }
        self.settle(now);
    }

    /// The next thing to be done, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`Core::handle`] with [`Input::Tick`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<BootTime> {
        self.alarms.first().into_iter().chain(self.next_slot()).min()
    }

    /// Whether no rotation is on the wire and none waits to become durable: the daemon may stop.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.chains.values().all(|chain| !matches!(chain.work, Work::Sent(..) | Work::Keeping(_)))
    }

    fn settle(&mut self, now: Now) {
        while let Some(alarm) = self.alarms.pop_due(now.boot) {
            match alarm {
                Alarm::Name(name) => {
                    if let Some(entry) = self.names.get_mut(&name) {
                        entry.alarm = None;
                    }
                    self.mark_dirty(name);
                }
                Alarm::Chain(key) => self.chain_alarm(now, &key),
                Alarm::Listing(profile) => self.consider_listing(now, &profile),
                Alarm::Waiter(waiter) => self.deadline(now, waiter),
                Alarm::Clock => self.rebase(now),
            }
        }
        let mut considered = 0;
        loop {
            while let Some(name) = self.dirty.pop_first() {
                considered += 1;
                debug_assert!(considered <= 1000 + 100 * self.names.len(), "{name} marks itself again and again");
                self.update(now, &name);
            }
            if !self.dispatch(now) && self.dirty.is_empty() {
                return;
            }
        }
    }

    fn answered(&mut self, now: Now, request: RequestId, answer: Answer) {
        self.egress.answered(request);
        match self.requests.remove(&request) {
            Some(Purpose::Token { name, sent, secret, subject }) => {
                self.token_answered(now, request, &name, sent, secret, subject, answer);
            }
            Some(Purpose::Listing { profile, subject }) => {
                self.listing_answered(now, request, &profile, subject, answer);
            }
            Some(Purpose::Chain { key, send, sent, host, secret, of }) => {
                if send == classic::state::Send::Login {
                    self.egress.login_ended(now.boot, &host);
                }
                self.chain_answered(now, &key, send, sent, secret, &of, answer);
            }
            None => {}
        }
    }

    fn written(&mut self, now: Now, write: WriteId, result: Result<(), String>) {
        match self.writes.remove(&write) {
            Some(Written::Intent(key, record)) => self.intent_written(now, &key, *record, result),
            Some(Written::Candidate(key)) => self.candidate_written(now, &key, result),
            Some(Written::CandidateGone(key)) => self.candidate_gone(&key, result),
            Some(Written::QuotaOpen(quota, record, key)) => self.quota_opened(now, &quota, record, &key, result),
            Some(Written::QuotaClosed(quota)) => self.quota_closed(now, &quota, result),
            Some(Written::Kept(key)) => self.kept(now, &key, result),
            Some(Written::Restamped(key, record)) => self.rebased(now, &key, *record, result),
            None => {}
        }
    }

    /// The name is to be considered before this input is done with.
    fn mark_dirty(&mut self, name: TokenName) {
        self.dirty.insert(name);
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn write(&mut self, key: RecordKey, replaces: Revision, record: Option<Record>, purpose: Written) -> WriteId {
        let write = WriteId(self.next_id());
        self.writes.insert(write, purpose);
        self.effects.push_back(Effect::Write { write, key, replaces, record: record.map(Box::new) });
        write
    }

    fn answer(&mut self, waiter: WaiterId, outcome: Outcome) {
        if self.take_waiter(waiter).is_some() {
            self.effects.push_back(Effect::Answer { waiter, outcome });
        }
    }

    fn notice(&mut self, severity: Severity, subject: impl ToString, message: impl Into<String>) {
        let notice = Notice { severity, subject: subject.to_string(), message: message.into() };
        self.effects.push_back(Effect::Notice(notice));
    }

    fn durable_now(&self, now: Now) -> DurableTime {
        self.durable_at(now, now.boot)
    }

    /// A moment of this boot, for a record.
    fn durable_at(&self, now: Now, moment: BootTime) -> DurableTime {
        let stamp = now.stamp(moment);
        let boot = i64::try_from(moment.0).unwrap_or(i64::MAX);
        DurableTime { boot, wall: time::UnixTime(stamp.unix_ms), boot_id: self.boot_id }
    }
}
