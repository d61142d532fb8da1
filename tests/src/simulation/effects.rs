//! The loop: the next event, what the core says to it, and its effects one by one, with a crash after any of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokend::core::effect::{Effect, Issued, Outcome, ReadMode};
use tokend::core::input::{Input, WaiterId, WriteId};
use tokend::core::record::{ChainState, LoginOutcome, Record, RecordKey};
use tokend::core::time::Boot;
use tokend_proto::{ProfileName, TokenName};

use super::daemon::{Daemon, OpenKind, Slot};
use super::dice::Dice;
use super::disk::{Disk, DiskFault, Ended, Pending};
use super::journal::{Entry, Journal, moment};
use super::life::Phase;
use super::machine::{BEGIN, Machine, SECOND, Time};
use super::network::{FlightId, Network};
use super::totals::Totals;
use super::watch::Watch;
use super::wire::Arrived;
use super::world::World;
use super::{Failure, Kept, Plan};

/// Wake-ups in a row for which no time passes; more of them, and the core does not come to rest.
const RESTLESS: u32 = 100;

/// Effects of one input. The most are the answers to a crowd.
const MOST_EFFECTS: u64 = 5000;

/// What happens by itself.
pub(super) enum Event {
    /// A request reaches the provider.
    Arrive(FlightId),
    /// Its answer, or the news that there is none, reaches the daemon.
    Land(FlightId, Box<Arrived>),
    /// The next step of a login begins.
    Step(FlightId),
    /// A write ends.
    Written(u64, WriteId),
    /// Secrets have been read.
    Secrets(u64, ProfileName),
    /// The board says when a name was read.
    LastRead(u64, TokenName),
    /// A peer does something.
    Peer,
    /// A peer reads one name, as one of a sweep.
    Sweep(TokenName),
    /// The operator does something.
    Operator,
    /// The operator puts the secrets right.
    Unlock,
    /// Something goes wrong outside.
    Weather,
    /// One of those things ends.
    Clear(super::weather::Trouble),
    /// Something happens to the machine.
    Machine,
    /// The daemon is started.
    Start,
    /// A phase ends.
    Turn,
    /// In calm weather: is everything well?
    Inspect,
    /// In calm weather: a chain needs a token from the web interface.
    Import(ProfileName),
    /// The machine wakes.
    Resume,
    /// A chapter of the small world's story.
    Small(u32),
}

/// A world.
pub(super) struct Simulation {
    pub(super) plan: Plan,
    pub(super) dice: Dice,
    pub(super) at: Time,
    events: BTreeMap<(Time, u64), Event>,
    numbered: u64,
    /// What would have happened while the machine slept.
    pub(super) put_off: Vec<Event>,
    pub(super) machine: Machine,
    pub(super) world: World,
    pub(super) network: Network,
    pub(super) disk: Disk,
    pub(super) daemon: Option<Daemon>,
    /// Lives of the daemon so far.
    pub(super) life: u64,
    pub(super) phase: Phase,
    pub(super) waiters: u64,
    pub(super) peers: super::peers::Peers,
    pub(super) watch: Watch,
    pub(super) journal: Journal,
    pub(super) totals: Totals,
}

impl Simulation {
    pub(super) fn new(plan: Plan) -> Self {
        let mut dice = Dice::new(plan.seed);
        let world = World::settle(&plan, &mut dice);
        Self {
            at: BEGIN,
            events: BTreeMap::new(),
            numbered: 0,
            put_off: Vec::new(),
            machine: Machine::new(BEGIN),
            world,
            network: Network::new(),
            disk: Disk::default(),
            daemon: None,
            life: 0,
            phase: Phase::default(),
            waiters: 0,
            peers: super::peers::Peers::default(),
            watch: Watch::new(),
            journal: Journal::new(plan.aloud),
            totals: Totals::default(),
            dice,
            plan,
        }
    }

    pub(super) fn play(mut self) -> Result<Totals, Box<Failure>> {
        let end = BEGIN + u64::try_from(self.plan.span.as_millis()).expect("a span of this world");
        self.begin();
        while let Some(at) = self.next_time().filter(|at| *at <= end) {
            self.at = at;
            self.happen();
            self.every_waiter_is_answered_in_time();
            if let Some(what) = self.watch.violation() {
                return Err(Box::new(self.failure(what)));
            }
        }
        self.at = end;
        self.watch.renewals_were_spread();
        if let Some(what) = self.watch.violation() {
            return Err(Box::new(self.failure(what)));
        }
        self.totals.runs = 1;
        self.totals.time = end - BEGIN;
        self.totals.digest = self.journal.digest();
        Ok(self.totals)
    }

    fn failure(&self, what: String) -> Failure {
        let report = format!(
            "seed {}, {} after the beginning, effect {}, entry {}\nagain: {}\nthe last that happened:\n{}{}",
            self.plan.seed,
            moment(self.at),
            self.totals.effects,
            self.journal.seen(),
            self.plan.command(),
            self.journal.tail(),
            what,
        );
        Failure { what, report }
    }

    pub(super) fn after(&mut self, delay: Time, event: Event) {
        self.numbered += 1;
        self.events.insert((self.at + delay, self.numbered), event);
    }

    /// What was to go wrong, or to be put right, will not any more.
    pub(super) fn end_troubles(&mut self) {
        let trouble = |event: &Event| {
            matches!(event, Event::Weather | Event::Clear(_) | Event::Operator | Event::Unlock | Event::Machine)
        };
        self.events.retain(|_, event| !trouble(event) && !matches!(event, Event::Inspect));
        self.put_off.retain(|event| !trouble(event));
    }

    fn next_time(&self) -> Option<Time> {
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        event.into_iter().chain(self.wake_time()).min()
    }

    /// When the core wants to be woken; a machine that sleeps wakes nobody.
    fn wake_time(&self) -> Option<Time> {
        let wanted = self.machine.time_of(self.daemon.as_ref()?.core.poll_timeout()?).max(self.at);
        Some(self.machine.asleep(wanted).unwrap_or(wanted))
    }

    fn happen(&mut self) {
        if self.events.first_key_value().is_none_or(|((at, _), _)| *at > self.at) {
            return self.wake();
        }
        let Some((_, event)) = self.events.pop_first() else { return };
        if self.machine.asleep(self.at).is_some()
            && !matches!(event, Event::Arrive(_) | Event::Weather | Event::Clear(_) | Event::Turn | Event::Resume)
        {
            return self.put_off.push(event);
        }
        if let Some(daemon) = &mut self.daemon {
            daemon.restless = 0;
        }
        match event {
            Event::Arrive(flight) => self.arrive(flight),
            Event::Land(flight, arrived) => self.land(flight, &arrived),
            Event::Step(flight) => self.step(flight),
            Event::Written(life, write) if life == self.life => self.written(write),
            Event::Secrets(life, profile) if life == self.life => self.secrets_read(profile),
            Event::LastRead(life, name) if life == self.life => {
                let slot = self.daemon.as_ref().and_then(|daemon| daemon.board.get(&name));
                let at = slot.and_then(|slot| slot.last_read);
                self.tell(Input::LastRead { name, at });
            }
            Event::Written(..) | Event::Secrets(..) | Event::LastRead(..) => {}
            Event::Peer => self.peer(),
            Event::Sweep(name) => self.read(name, Duration::ZERO, Duration::from_secs(60), 2),
            Event::Operator => self.operator(),
            Event::Unlock => self.unlock(),
            Event::Weather => self.weather(),
            Event::Clear(trouble) => self.clear(trouble),
            Event::Machine => self.machine_event(),
            Event::Start => self.start(),
            Event::Turn => self.turn(),
            Event::Inspect => self.inspect(),
            Event::Import(profile) => self.import_good(profile),
            Event::Resume => self.resume(),
            Event::Small(chapter) => self.small(chapter),
        }
    }

    fn wake(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            daemon.restless += 1;
            if daemon.restless > RESTLESS {
                self.watch.fail("the core wants to be woken again and again while no time passes".to_owned());
            }
        }
        let before = self.at;
        self.tell(Input::Tick);
        if let Some(daemon) = &mut self.daemon
            && daemon.core.poll_timeout().is_none_or(|next| self.machine.time_of(next) > before)
        {
            daemon.restless = 0;
        }
    }

    /// Tells the core and does what it says; with a crash in between, by chance or by plan.
    pub(super) fn tell(&mut self, input: Input) {
        let now = self.machine.now(self.at);
        let Some(daemon) = &mut self.daemon else { return };
        daemon.core.handle(now, input);
        self.totals.inputs += 1;
        let mut count = 0;
        while let Some(effect) = self.daemon.as_mut().and_then(|daemon| daemon.core.poll_effect()) {
            count += 1;
            self.totals.effects += 1;
            self.carry_out(effect);
            if self.crash_is_due() {
                return self.crash("after an effect");
            }
        }
        if count > MOST_EFFECTS {
            self.watch.fail(format!("{count} effects of one input"));
        }
        self.sizes_are_bounded();
        self.stop_if_quiet();
    }

    fn carry_out(&mut self, effect: Effect) {
        let life = self.life;
        match effect {
            Effect::Send(request) => self.send(request),
            Effect::ReadSecrets(profile) => {
                let delay = self.dice.from_to(1, 300);
                self.after(delay, Event::Secrets(life, profile));
            }
            Effect::Write { write, key, replaces, record } => {
                self.begin_write(write, Pending { key, replaces, record: record.map(|record| *record) });
            }
            Effect::Publish { name, token, mode } => self.publish(name, token, mode),
            Effect::Withdraw(name) => {
                if let Some(daemon) = &mut self.daemon {
                    daemon.board.remove(&name);
                }
                self.journal.note(self.at, Entry::Withdrawn(name));
            }
            Effect::Directory { .. } => {}
            Effect::AskLastRead(name) => self.after(1, Event::LastRead(life, name)),
            Effect::Answer { waiter, outcome } => self.answered(waiter, outcome),
            Effect::Notice(notice) => {
                let (subject, message) = (notice.subject, notice.message);
                self.journal.note(self.at, Entry::Notice { subject, message });
            }
        }
    }

    fn publish(&mut self, name: TokenName, token: Arc<Issued>, mode: ReadMode) {
        let Some(daemon) = &mut self.daemon else { return };
        let before = daemon.board.remove(&name);
        match daemon.applied.profiles.get(&name.profile) {
            None => self.watch.fail(format!("{name} is published and not configured")),
            Some(profile) if before.as_ref().is_none_or(|slot| slot.token.fingerprint != token.fingerprint) => {
                self.totals.renewals += 1;
                self.watch.published(profile, &name, &token, &self.disk);
                self.watch.scheduled(profile, &token);
            }
            Some(_) => {}
        }
        let what = match mode {
            ReadMode::Serve => "serve",
            ReadMode::ServeRenewing => "serve, renewing",
            ReadMode::Ask => "ask",
        };
        self.journal.note(self.at, Entry::Published { name: name.clone(), token: token.fingerprint, mode: what });
        let last_read = before.and_then(|slot| slot.last_read);
        daemon.board.insert(name, Slot { token, mode, last_read });
    }

    /// An answer of the core to a peer.
    fn answered(&mut self, waiter: WaiterId, outcome: Outcome) {
        let Some(open) = self.daemon.as_mut().and_then(|daemon| daemon.closed(waiter)) else {
            return self.watch.fail(format!("{waiter:?} got an answer, and had one, or had left, or never asked"));
        };
        let what = match &outcome {
            Outcome::Token { token, flags } => {
                if let Some(name) = open.name.clone() {
                    if open.kind == OpenKind::Reject(token.fingerprint) {
                        self.watch.fail(format!("{name}: a peer rejected {} and got it again", token.fingerprint));
                    }
                    self.give(&name, token, *flags, open.min_ttl);
                }
                format!("token {}", token.fingerprint)
            }
            Outcome::Error(error) => {
                self.totals.refused += 1;
                format!("{:?}: {}", error.code, error.message)
            }
            Outcome::Imported(imported) => imported.message.clone(),
            Outcome::Renewed(_) => "renewed".to_owned(),
            Outcome::Resolved(name) => name.to_string(),
            Outcome::Tenants(tenants) => format!("{} tenants", tenants.len()),
            Outcome::Status(names) => format!("{} names", names.len()),
        };
        self.heard(&outcome);
        self.journal.note(self.at, Entry::Told { waiter: waiter.0, what });
    }

    /// A peer gets a token, from the board or from the core.
    pub(super) fn give(&mut self, name: &TokenName, token: &Issued, flags: tokend_proto::Flags, min_ttl: Duration) {
        self.watch.served(name, token, flags, min_ttl, &self.world.provider, &self.machine, self.at);
        self.totals.served += 1;
        let left = token.left(self.machine.boot(self.at));
        let least = |least: &mut Option<Duration>| *least = Some(least.map_or(left, |before| before.min(left)));
        least(&mut self.totals.least_life);
        if self.phase.is_healed(self.at) && self.phase.keeps(name) {
            least(&mut self.totals.least_life_in_calm);
        }
        self.peers.got(name, token);
    }

    fn begin_write(&mut self, write: WriteId, pending: Pending) {
        let (record, profile) = match &pending.key {
            RecordKey::Chain(key) => ("chain", key.profile.to_string()),
            RecordKey::Candidate(key) => ("candidate", key.profile.to_string()),
            RecordKey::Quota(key) => ("quota", key.client_id.clone()),
        };
        let state = match &pending.record {
            None => "gone",
            Some(Record::Chain(chain)) => match chain.state {
                ChainState::Empty => "empty",
                ChainState::Settled => "settled",
                ChainState::InFlight { .. } => "in flight",
                ChainState::AwaitingLogin { .. } => "awaiting login",
                ChainState::Lost { .. } => "lost",
            },
            Some(Record::Candidate(_)) => "on trial",
            Some(Record::Quota(quota)) => match quota.attempts.last().map(|attempt| attempt.outcome) {
                Some(LoginOutcome::Open) => "open",
                Some(LoginOutcome::Minted) => "minted",
                Some(LoginOutcome::Failed) => "failed",
                None => "none",
            },
        };
        self.journal.note(self.at, Entry::Writing { write: write.0, record, profile, state });
        if self.disk.pending.values().any(|other| other.key == pending.key) {
            self.watch.fail(format!("{:?}: written while it is being written", pending.key));
        }
        self.disk.pending.insert(write, pending);
        let longest = if self.disk.fault == Some(DiskFault::Slow) { 20 * SECOND } else { 30 };
        let delay = self.dice.from_to(1, longest);
        self.after(delay, Event::Written(self.life, write));
    }

    fn written(&mut self, write: WriteId) {
        let Some(pending) = self.disk.pending.remove(&write) else { return };
        let ended = self.disk.finish(&pending, &mut self.dice);
        let (result, error) = match ended {
            Ended::Durable => (Ok(()), None),
            Ended::Failed(why) => (Err(why.to_owned()), Some(why)),
            Ended::Conflict(found) => {
                let (key, replaces) = (&pending.key, pending.replaces);
                self.watch.fail(format!("{key:?}: {replaces:?} was to be replaced and {found:?} is there"));
                return;
            }
        };
        self.journal.note(self.at, Entry::Written { write: write.0, error });
        if result.is_ok()
            && let RecordKey::Chain(key) = &pending.key
        {
            self.review(key);
        }
        self.tell(Input::Written { write, result });
    }

    pub(super) fn review(&mut self, key: &tokend::core::record::ChainKey) {
        let Some(record) = self.disk.chain(key) else { return };
        let death = self.watch.review(key, record, &self.world.provider, &self.machine, self.at);
        if let Some(death) = death {
            *self.totals.lost.entry(death).or_default() += 1;
        }
    }

    fn every_waiter_is_answered_in_time(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        let now: Boot = self.machine.boot(self.at);
        let is_due = daemon.core.poll_timeout().is_some_and(|at| at <= now);
        if is_due || self.machine.asleep(self.at).is_some() {
            return; // it has not been woken yet, or cannot be
        }
        if let Some((deadline, waiter)) = daemon.deadlines.first()
            && *deadline < now
        {
            let open = &daemon.open[waiter];
            self.watch.fail(format!("{waiter:?} should have had its answer by {deadline:?}: {open:?}"));
        }
    }

    /// Everything the core holds is there for something that is there.
    fn sizes_are_bounded(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        let sizes = daemon.core.sizes();
        let profiles = daemon.applied.profiles.len();
        let tenants: usize = self.world.tenants.values().map(Vec::len).sum();
        let life = self.life;
        let flights = self.network.flights.range((life, tokend::core::exchange::RequestId(0))..).count();
        let bounds = [
            ("waiters", sizes.waiters, daemon.open.len()),
            ("waiting", sizes.waiting, 2 * daemon.open.len()),
            ("requests", sizes.requests, flights),
            ("writes", sizes.writes, self.disk.pending.len()),
            ("names", sizes.names, profiles + tenants + self.peers.strangers()),
            ("chains", sizes.chains, self.disk.records() + profiles + 1),
            ("queued", sizes.queued, sizes.names + profiles + sizes.chains),
            ("alarms", sizes.alarms, sizes.names + profiles + sizes.chains + sizes.waiters),
        ];
        for (what, held, most) in bounds {
            if held > most {
                self.watch.fail(format!("the core holds {held} {what}, where there can be {most} ({sizes:?})"));
            }
        }
    }

    fn crash_is_due(&mut self) -> bool {
        match (self.plan.kept, self.plan.crash_after) {
            (Kept::One, Some((effects, _))) => self.totals.effects == effects,
            (Kept::One, None) => false,
            (Kept::Many, _) => self.phase.crash_chance > 0.0 && self.dice.chance(self.phase.crash_chance),
        }
    }
}
