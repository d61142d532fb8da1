//! Lives of the daemon and turns of the weather: starts, ends, and what calm weather has to heal.

use std::collections::{BTreeMap, BTreeSet};

use tokend::core::Core;
use tokend::core::input::Input;
use tokend::core::record::{Record, RecordKey};
use tokend_proto::{Fingerprint, TokenName};

use super::Kept;
use super::access;
use super::daemon::Daemon;
use super::engine::{Event, Simulation};
use super::journal::{Entry, moment};
use super::machine::{DAY, HOUR, MINUTE, SECOND, Time, UPTIME_AT_START};

/// The machine reboots after a crash with this chance.
pub(super) const REBOOT: f64 = 0.25;

/// In rough weather the power fails with this chance before a daemon that has crashed is started again.
const POWER_CUT: f64 = 0.1;

/// A record is found damaged with this chance, in rough weather.
const ROT: f64 = 0.01;

/// One login in half an hour for each client; an attempt whose end is not known counts two minutes more.
const LOGIN_WINDOW: Time = 32 * MINUTE;

/// Beyond what the quota or the rate makes it wait for, a name has its token within this time: backoff at most, and
/// one request that is given up after half a minute.
const SLACK: Time = 90 * SECOND;

/// An honest peer's complaint about a dead token may be put off for so long, because of false ones before it.
const LONGEST_THROTTLE: Time = 11 * MINUTE;

/// A name whose credentials were refused is asked for again within this time; after a reload at once.
const LONGEST_PROBE: Time = HOUR;

/// A pair that was received is durable within this time, unless the disk is at fault: a backoff of half a minute.
const LONGEST_WRITE: Time = MINUTE;

/// In calm weather everything is looked at this often.
const INSPECTION: Time = MINUTE;

/// The weather.
#[derive(Default)]
pub(super) struct Phase {
    calm: bool,
    /// In calm weather: from then on every name has a good token.
    healed_by: Time,
    /// How long that takes, once nobody asks to be left alone.
    healing: Time,
    /// And from then on one that the provider takes.
    honest_by: Time,
    /// A provider has asked to be left alone until then.
    waits_until: Time,
    was_healed: bool,
    pub(super) crash_chance: f64,
    kept: BTreeSet<TokenName>,
    /// What a name that is rejected may wait for its next probe.
    longest_probe: Time,
    /// Names whose token the provider does not take, which token, and since when.
    dead: BTreeMap<TokenName, (Fingerprint, Time)>,
    reboot: bool,
    step_while_off: i64,
    /// When the daemon was started.
    pub(super) started: Time,
    /// The gateway of Classic is down for longer than a chain lives.
    pub(super) gateway_gone: bool,
    /// Nobody says of this name that its token is dead, until then: others have to find out.
    left_alone: Option<(TokenName, Time)>,
}

impl Phase {
    pub(super) fn asked_to_wait(&mut self, until: Time) {
        self.waits_until = self.waits_until.max(until);
        // What was asked in rough weather may be answered in calm weather.
        let late = (until + self.healing).saturating_sub(self.healed_by);
        self.healed_by += late;
        self.honest_by += late;
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calm
    }

    /// The machine is off.
    pub(super) fn is_off(&self) -> bool {
        self.reboot
    }

    /// Calm, and long enough for everything to be well.
    pub(super) fn is_healed(&self, at: Time) -> bool {
        self.calm && at >= self.healed_by
    }

    pub(super) fn leave_alone(&mut self, name: TokenName, until: Time) {
        self.left_alone = Some((name, until));
    }

    /// It is neither calm nor rough: one thing alone is wrong.
    pub(super) fn holds_still(&mut self, crash_chance: f64) {
        self.calm = false;
        self.crash_chance = crash_chance;
    }

    pub(super) fn kept(&self) -> Vec<TokenName> {
        self.kept.iter().cloned().collect()
    }

    /// Whether the name is always to be kept fresh.
    pub(super) fn keeps(&self, name: &TokenName) -> bool {
        self.kept.contains(name)
    }
}

impl Simulation {
    pub(super) fn begin(&mut self) {
        self.after(0, Event::Start);
        self.after(SECOND, Event::Peer);
        self.calm_down();
        match self.plan.kept {
            Kept::One => self.plan_the_small_world(),
            Kept::Many => {
                self.after(HOUR, Event::Turn);
                if self.plan.span.as_secs() > 20 * 86_400 && self.rng.chance(0.3) {
                    let delay = self.rng.between(HOUR, 10 * DAY);
                    self.after(delay, Event::Absence);
                }
            }
        }
    }

    /// The weather turns.
    pub(super) fn turn(&mut self) {
        self.phase.gateway_gone = false;
        if !self.phase.calm {
            self.calm_down();
            let length = self.phase.honest_by - self.at + self.rng.between(5 * MINUTE, 4 * HOUR);
            return self.after(length, Event::Turn);
        }
        self.journal.note(self.at, Entry::Phase("rough"));
        self.phase.calm = false;
        self.phase.crash_chance = *self.rng.pick(&[0.0, 0.0002, 0.001, 0.005]).expect("some");
        for event in [Event::Fault, Event::Operator, Event::Machine] {
            let delay = self.rng.pause(20 * MINUTE);
            self.after(delay, event);
        }
        let length = self.rng.pause(12 * HOUR).max(30 * MINUTE);
        self.after(length, Event::Turn);
    }

    /// All faults end. What they have broken is put right by the operator, once; the rest has to heal by itself.
    pub(super) fn calm_down(&mut self) {
        self.journal.note(self.at, Entry::Phase("calm"));
        self.end_troubles();
        self.world.provider.clear_faults();
        self.world.usual_habits();
        self.network.calm();
        self.records_may_have_followed();
        self.disk.fault = None;
        if self.machine.asleep(self.at).is_some() {
            self.resume();
        }
        self.phase.calm = true;
        self.phase.was_healed = false;
        self.phase.dead.clear();
        self.phase.crash_chance = 0.0;
        let was_right = self.is_configured_well();
        self.world.file = self.world.good.clone();
        self.world.unlock();
        // Where nothing was wrong with it, not even a reload helps: names that are rejected wait for their probe.
        let alone = was_right && self.rng.chance(0.5);
        self.phase.longest_probe = if alone { LONGEST_PROBE } else { 0 };
        self.phase.kept = self.world.kept_names().into_iter().collect();
        self.set_deadlines();
        if self.daemon.as_ref().is_some_and(|daemon| !daemon.stopping) {
            if !alone {
                self.reload();
            }
        } else {
            self.after(SECOND, Event::Start);
        }
        self.after(INSPECTION, Event::Inspect);
    }

    /// Whether the daemon runs with the configuration and the secrets that it should have.
    fn is_configured_well(&self) -> bool {
        let applied = self.daemon.as_ref().map(|daemon| &daemon.applied);
        applied == Some(&self.world.good) && self.world.is_unlocked()
    }

    fn set_deadlines(&mut self) {
        let logins = self.world.longest_login_queue() * LOGIN_WINDOW;
        let slots = self.phase.kept.len() as u64 * SECOND / u64::from(self.world.good.rate.get());
        let from = self.at.max(self.phase.waits_until);
        self.phase.healing = self.phase.longest_probe + logins.max(slots) + SLACK;
        self.phase.healed_by = from + self.phase.healing;
        self.phase.honest_by = self.phase.healed_by + logins + LONGEST_THROTTLE;
    }

    /// The daemon reads its configuration again.
    pub(super) fn reload(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let new = self.world.file.clone();
        for (name, old) in &daemon.applied.profiles {
            let same = new.profiles.get(name).is_some_and(|new| new.same_tokens(old));
            let tenants = |p: &tokend::core::settings::Profile| {
                matches!(&p.kind, tokend::core::settings::Kind::Glp { tenants: Some(_), .. })
            };
            if !same || new.profiles.get(name).is_some_and(|new| tenants(old) && !tenants(new)) {
                self.invariants.replaced(name);
            }
        }
        self.invariants.rate_was(daemon.applied.rate.get() as usize, self.machine.boot(self.at));
        daemon.access = access::in_force(&new.rules);
        daemon.applied = new;
        self.journal.note(self.at, Entry::Operator("reload".to_owned()));
        self.invariants.all_start_afresh();
        let settings = self.world.file.settings();
        self.tell(Input::Configure(settings));
        self.nobody_waits_for_what_is_gone();
    }

    /// The daemon is started.
    pub(super) fn start(&mut self) {
        if self.daemon.is_some() {
            return;
        }
        let reboot = std::mem::take(&mut self.phase.reboot);
        if reboot {
            self.totals.reboots += 1;
            self.machine.reboot(self.at);
        }
        let by = std::mem::take(&mut self.phase.step_while_off);
        if by != 0 {
            self.machine.step_wall(by);
            self.records_are_misdated();
        }
        self.clock_at_start(reboot);
        self.life += 1;
        // A stop and a later start lose it; so does a manager without a place for it.
        let handed_on = self.handed_on.take().filter(|_| self.rng.chance(0.7));
        self.invariants.life_ended(handed_on.as_ref());
        self.phase.started = self.at;
        let rot = if self.phase.calm { 0.0 } else { ROT };
        self.what_was_afloat(reboot);
        let (restored, rotten) = self.disk.load(&mut self.rng, rot);
        self.invariants.restored(&restored, &rotten);
        for key in &rotten {
            *self.totals.faults.entry("record damaged").or_default() += 1;
            if let RecordKey::Chain(key) = key {
                self.invariants.rotted(key, self.disk.chain(key));
            }
        }
        let entry = Entry::Started { reboot, records: restored.len(), rotten: rotten.len() };
        self.journal.note(self.at, entry);
        let seed = self.rng.next();
        let core = Core::new(self.machine.now(self.at), self.machine.boot_id(), seed, restored);
        let mut daemon = Daemon::new(core, self.world.file.clone());
        if let Some(held) = handed_on {
            daemon.core.handle(self.machine.now(self.at), Input::Restore(held));
        }
        self.daemon = Some(daemon);
        self.tell(Input::Configure(self.world.file.settings()));
    }

    /// The daemon is gone between one instruction and the next, and the machine reboots with this chance.
    pub(super) fn crash(&mut self, why: &'static str, reboot: f64) {
        if self.daemon.is_none() {
            return;
        }
        self.totals.crashes += 1;
        let reboot = match (self.plan.kept, self.plan.crash_after) {
            (Kept::One, Some((_, reboot))) => reboot,
            _ => self.rng.chance(reboot),
        };
        self.end_life(why, reboot);
        let down = match (self.plan.kept, self.rng.between(0, 99)) {
            (Kept::One, _) => 2 * SECOND,
            (_, 0..60) => self.rng.between(200, 5 * SECOND),
            (_, 60..90) => self.rng.between(5 * SECOND, 10 * MINUTE),
            _ => self.rng.between(10 * MINUTE, 6 * HOUR),
        };
        if !self.phase.reboot && !self.phase.calm && self.plan.kept == Kept::Many && self.rng.chance(POWER_CUT) {
            // While it is down.
            self.phase.reboot = true;
            self.clock_at_end(true);
        }
        self.start_after(down);
        if self.phase.calm {
            self.phase.was_healed = false;
            self.set_deadlines();
        }
    }

    fn start_after(&mut self, down: Time) {
        if self.phase.reboot && !self.phase.calm && self.rng.chance(0.3) {
            self.phase.step_while_off = self.some_step();
        }
        let booting = if self.phase.reboot { UPTIME_AT_START } else { 0 };
        self.after(down + booting, Event::Start);
    }

    pub(super) fn end_life(&mut self, why: &'static str, reboot: bool) {
        let effects = self.totals.effects;
        self.journal.note(self.at, Entry::Crashed { effects, why });
        self.records_may_have_followed();
        self.handed_on = self.daemon.take().map(|daemon| daemon.core.held(self.machine.boot(self.at)));
        self.phase.reboot |= reboot;
        self.clock_at_end(reboot);
        if self.machine.asleep(self.at).is_some() {
            self.resume();
        }
        for (key, record) in self.disk.crash(&mut self.rng, self.at, reboot) {
            if let (RecordKey::Chain(key), Record::Chain(record)) = (key, record) {
                self.invariants.is_on_disk(&key, &record);
            }
        }
        // Nobody knows of the others before the next start.
        let (afloat, certain): (Vec<_>, Vec<_>) =
            self.disk.chains().into_iter().partition(|key| self.disk.is_afloat(key));
        for key in certain {
            self.review(&key);
        }
        self.invariants.forget_what_was_owed(&afloat);
        let life = self.life;
        let (rng, invariants) = (&mut self.rng, &mut self.invariants);
        self.network.flights.retain(|id, flight| {
            if let Some(token) = flight.refresh_token().filter(|_| flight.handled.is_some()) {
                invariants.orphaned(token);
            }
            flight.orphan = true;
            // What had been handed to the kernel arrives, or not.
            id.0 == life && flight.handled.is_none() && rng.chance(0.5)
        });
    }

    /// Before the start: the power may have failed after the crash.
    fn what_was_afloat(&mut self, power_cut: bool) {
        let afloat = self.disk.settle(power_cut);
        if power_cut && !afloat.is_empty() {
            *self.totals.faults.entry("power cut before the fsync").or_default() += 1;
        }
        for key in afloat {
            if let RecordKey::Chain(key) = key {
                self.review(&key);
            }
        }
        self.invariants.forget_what_was_owed(&[]);
    }

    /// The service manager stops the daemon, and does so when no rotation is on the wire.
    pub(super) fn stop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            daemon.stopping = true;
            self.journal.note(self.at, Entry::Operator("stop".to_owned()));
            self.tell(Input::Shutdown);
        }
    }

    /// Whether a daemon that stops has come to its end.
    pub(super) fn stop_if_quiet(&mut self) {
        if self.daemon.as_ref().is_some_and(|daemon| daemon.stopping && daemon.core.is_quiet()) {
            self.totals.stops += 1;
            if let Some(key) = self.invariants.owes(Time::MAX) {
                let key = key.profile.clone();
                self.invariants.fail("pair-kept", format!("{key}: the daemon stopped in good order and lost a pair"));
            }
            self.end_life("stopped", false);
            let down = self.rng.between(100, 5 * SECOND);
            self.after(down, Event::Start);
        }
    }

    /// In calm weather: does the operator have to do something, and is everything well when it should be?
    pub(super) fn inspect(&mut self) {
        if !self.phase.calm {
            return;
        }
        self.after(INSPECTION, Event::Inspect);
        self.ask_for_status(0);
        let names = self.phase.kept();
        let now = self.machine.boot(self.at);
        for name in names {
            let Some(daemon) = &self.daemon else { break };
            let token = daemon.board.get(&name).map(|slot| slot.token.clone()).filter(|token| token.expires > now);
            let Some(token) = token else {
                if self.phase.is_healed(self.at) {
                    let since = moment(self.phase.healed_by);
                    self.invariants.fail(
                        "healed-in-calm",
                        format!("{name} has no good token in calm weather; it should, since {since}"),
                    );
                }
                continue;
            };
            if self.world.provider.accepts(self.at, token.access_token.expose()) {
                self.phase.dead.remove(&name);
                continue;
            }
            let entry = self.phase.dead.entry(name.clone()).or_insert((token.fingerprint, self.at));
            if entry.0 != token.fingerprint {
                *entry = (token.fingerprint, self.at);
            }
            if self.at >= self.phase.honest_by && self.at >= entry.1 + LONGEST_THROTTLE + INSPECTION {
                let since = moment(entry.1);
                self.invariants.fail(
                    "dead-token-replaced",
                    format!("{name}: its token is dead, and is rejected since {since}, and still there"),
                );
            }
            if self.phase.left_alone.as_ref().is_none_or(|(alone, until)| *alone != name || *until <= self.at) {
                self.reject(&name, token.fingerprint, 0);
            }
        }
        if self.phase.is_healed(self.at) {
            self.invariants.parents_were_renewed(self.machine.boot(self.at));
            if self.plan.kept == Kept::Many {
                self.demand();
            }
            if let Some(key) = self.invariants.owes(self.at - LONGEST_WRITE) {
                let key = key.profile.clone();
                self.invariants.fail("pair-kept", format!("{key}: a pair was received long ago and is not durable"));
            }
            if !std::mem::replace(&mut self.phase.was_healed, true) {
                self.totals.healed += 1;
            }
        }
    }

    fn plan_the_small_world(&mut self) {
        self.after(20 * MINUTE, Event::Small(0));
    }
}
