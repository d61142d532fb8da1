//! A world and its loop: what happens next.

use std::collections::BTreeMap;
use std::time::Duration;

use tokend::core::handoff::Held;
use tokend::core::id::WriteId;
use tokend::core::input::Input;
use tokend_proto::{ProfileName, TokenName};

use super::clockwork::Clockwork;
use super::daemon::Daemon;
use super::disk::Disk;
use super::faults::Trouble;
use super::invariants::{Invariants, Violation};
use super::journal::{Journal, moment};
use super::lifecycle::Phase;
use super::machine::{BEGIN, Machine, Time};
use super::network::{FlightId, Network};
use super::peers::Peers;
use super::rng::Rng;
use super::totals::Totals;
use super::wire::Arrived;
use super::world::World;
use super::{Failure, Plan};

/// Wake-ups in a row for which no time passes; more of them, and the core does not come to rest.
const RESTLESS: u32 = 100;

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
    Fault,
    /// One of those things ends.
    Clear(Trouble),
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
    /// The machine or the gateway is gone for weeks.
    Absence,
    /// Something happens just when it hurts most.
    Mischief,
    /// The daemon is killed.
    Kill,
    /// The machine goes off, for long.
    PowerCut,
    /// A chapter of the small world's story.
    Small(u32),
}

/// A world.
pub(super) struct Simulation {
    pub(super) plan: Plan,
    pub(super) rng: Rng,
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
    /// What the service manager keeps for the daemon's next life.
    pub(super) handed_on: Option<Held>,
    /// Lives of the daemon so far.
    pub(super) life: u64,
    pub(super) phase: Phase,
    pub(super) clockwork: Clockwork,
    pub(super) waiters: u64,
    pub(super) peers: Peers,
    pub(super) invariants: Invariants,
    pub(super) journal: Journal,
    pub(super) totals: Totals,
}

impl Simulation {
    pub(super) fn new(plan: Plan) -> Self {
        let mut rng = Rng::new(plan.seed);
        let world = World::settle(&plan, &mut rng);
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
            handed_on: None,
            life: 0,
            phase: Phase::default(),
            clockwork: Clockwork::default(),
            waiters: 0,
            peers: Peers::default(),
            invariants: Invariants::new(),
            journal: Journal::new(plan.aloud),
            totals: Totals::default(),
            rng,
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
            self.invariants.hours_are_bounded();
            if let Some(violation) = self.invariants.violation() {
                return Err(Box::new(self.failure(violation)));
            }
        }
        self.at = end;
        self.invariants.renewals_were_spread();
        self.invariants.backoffs_were_spread();
        if let Some(violation) = self.invariants.violation() {
            return Err(Box::new(self.failure(violation)));
        }
        let (judged, most) = self.invariants.judged();
        (self.totals.judged, self.totals.most) = (judged.clone(), most.clone());
        self.totals.runs = 1;
        self.totals.time = end - BEGIN;
        self.totals.digest = self.journal.digest();
        Ok(self.totals)
    }

    fn failure(&self, Violation { rule, what }: Violation) -> Failure {
        let what = format!("{rule}: {what}");
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
        Failure { seed: self.plan.seed, rule, what, report }
    }

    pub(super) fn after(&mut self, delay: Time, event: Event) {
        self.numbered += 1;
        self.events.insert((self.at + delay, self.numbered), event);
    }

    /// What was to go wrong, or to be put right, will not any more.
    pub(super) fn end_troubles(&mut self) {
        let trouble = |event: &Event| {
            matches!(
                event,
                Event::Fault
                    | Event::Clear(_)
                    | Event::Operator
                    | Event::Unlock
                    | Event::Machine
                    | Event::Mischief
                    | Event::Kill
                    | Event::PowerCut
            )
        };
        self.events.retain(|_, event| !trouble(event) && !matches!(event, Event::Inspect));
        self.put_off.retain(|event| !trouble(event));
    }

    /// The weather stays as it is.
    pub(super) fn forget_turns(&mut self) {
        self.events.retain(|_, event| !matches!(event, Event::Turn));
        self.put_off.retain(|event| !matches!(event, Event::Turn));
    }

    fn next_time(&self) -> Option<Time> {
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        event.into_iter().chain(self.wake_time()).min()
    }

    /// When the core wants to be woken; a machine that sleeps wakes nobody.
    fn wake_time(&self) -> Option<Time> {
        let wanted = self.machine.time_of(self.daemon.as_ref()?.wake?).max(self.at);
        Some(self.machine.asleep(wanted).unwrap_or(wanted))
    }

    fn happen(&mut self) {
        if self.events.first_key_value().is_none_or(|((at, _), _)| *at > self.at) {
            return self.wake();
        }
        let Some((_, event)) = self.events.pop_first() else { return };
        if self.machine.asleep(self.at).is_some()
            && !matches!(
                event,
                Event::Arrive(_) | Event::Fault | Event::Clear(_) | Event::Turn | Event::Resume | Event::Absence
            )
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
            Event::Fault => self.start_fault(),
            Event::Clear(trouble) => self.clear(trouble),
            Event::Machine => self.machine_event(),
            Event::Start => self.start(),
            Event::Turn => self.turn(),
            Event::Inspect => self.inspect(),
            Event::Import(profile) => self.import_good(profile),
            Event::Resume => self.resume(),
            Event::Absence => self.absence(),
            Event::Mischief => self.mischief(),
            Event::Kill => self.crash("killed after a login", 0.5),
            Event::PowerCut => self.power_cut(),
            Event::Small(chapter) => self.small(chapter),
        }
    }

    fn wake(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            daemon.restless += 1;
            if daemon.restless > RESTLESS {
                self.invariants.fail(
                    "comes-to-rest",
                    "the core wants to be woken again and again while no time passes".to_owned(),
                );
            }
        }
        let before = self.at;
        self.tell(Input::Tick);
        if let Some(daemon) = &mut self.daemon
            && daemon.wake.is_none_or(|next| self.machine.time_of(next) > before)
        {
            daemon.restless = 0;
        }
    }
}
