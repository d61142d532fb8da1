//! What the core says is carried out, effect by effect, with a crash after any of them.

use std::sync::Arc;
use std::time::Duration;

use tokend::core::effect::{Effect, Outcome};
use tokend::core::id::{WaiterId, WriteId};
use tokend::core::input::Input;
use tokend::core::issued::{AccessToken, ReadMode};
use tokend::core::provider::RequestId;
use tokend::core::record::{ChainKey, ChainState, LoginOutcome, Record, RecordKey};
use tokend::core::settings::{Kind, Profile};
use tokend::core::time::BootTime;
use tokend_proto::{ErrorCode, Flags, TokenName};

use super::Kept;
use super::access::Act;
use super::daemon::{Open, OpenKind, Slot};
use super::disk::{DiskFault, Ended, Pending};
use super::engine::{Event, Simulation};
use super::journal::Entry;
use super::lifecycle::REBOOT;
use super::machine::SECOND;

/// Effects of one input. The most are the answers to a crowd.
const MOST_EFFECTS: u64 = 5000;

/// Inputs after which it is counted what the core holds: what grows without bound is found by then, too.
const SIZES_EVERY: u64 = 16;

impl Simulation {
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
                return self.crash("after an effect", REBOOT);
            }
        }
        if let Some(daemon) = &mut self.daemon {
            daemon.wake = daemon.core.poll_timeout();
        }
        if count > MOST_EFFECTS {
            self.invariants.fail("effects-of-an-input", format!("{count} effects of one input"));
        }
        if self.totals.inputs.is_multiple_of(SIZES_EVERY) {
            self.sizes_are_bounded();
        }
        self.stop_if_quiet();
    }

    fn carry_out(&mut self, effect: Effect) {
        let life = self.life;
        match effect {
            Effect::Send(request) => self.send(request),
            Effect::ReadSecrets(profile) => {
                self.invariants.reads_secrets(&profile, self.machine.boot(self.at));
                let delay = self.rng.between(1, 300);
                self.after(delay, Event::Secrets(life, profile));
            }
            Effect::Write { write, key, replaces, record } => {
                self.begin_write(write, Pending { key, replaces, record: record.map(|record| *record), synced: 0 });
            }
            Effect::Publish { name, token, mode } => self.publish(name, token, mode),
            Effect::Withdraw(name) => {
                if let Some(daemon) = &mut self.daemon {
                    daemon.board.remove(&name);
                }
                self.invariants.withdrawn(&name);
                self.journal.note(self.at, Entry::Withdrawn(name));
            }
            Effect::Directory { .. } | Effect::Invalidate(_) | Effect::Health { .. } => {}
            Effect::AskLastRead(name) => self.after(1, Event::LastRead(life, name)),
            Effect::Answer { waiter, outcome } => self.answered(waiter, outcome),
            Effect::Notice(notice) => {
                let (subject, message) = (notice.subject, notice.message);
                self.invariants.notice(&subject, self.machine.boot(self.at));
                if message.contains("dies in") {
                    self.invariants.warned(&subject, self.machine.misdated(), self.at);
                }
                self.journal.note(self.at, Entry::Notice { subject, message });
            }
        }
    }

    fn publish(&mut self, name: TokenName, token: Arc<AccessToken>, mode: ReadMode) {
        let Some(daemon) = &mut self.daemon else { return };
        let before = daemon.board.remove(&name);
        match daemon.applied.profiles.get(&name.profile) {
            None => self.invariants.fail("published-if-configured", format!("{name} is published and not configured")),
            Some(profile) if before.as_ref().is_none_or(|slot| slot.token.fingerprint != token.fingerprint) => {
                self.totals.renewals += 1;
                self.invariants.published(profile, &name, &token, &self.disk);
                self.invariants.scheduled(profile, &token);
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
            return self
                .invariants
                .fail("answered-once", format!("{waiter:?} got an answer, and had one, or had left, or never asked"));
        };
        let short = !matches!(&outcome, Outcome::Token { flags, .. } if !flags.contains(Flags::FALLS_SHORT));
        if short && open.kind == OpenKind::MuchLife && self.phase.is_healed(self.at) {
            self.invariants
                .fail("min-ttl", format!("{:?}: three quarters of its life cannot be had in calm weather", open.name));
        }
        let what = match &outcome {
            Outcome::Token { token, flags } => {
                // The rules may have changed meanwhile.
                if let Some(name) = open.name.clone().filter(|name| self.lets(open.uid, name, Act::Read)) {
                    if open.kind == OpenKind::Reject(token.fingerprint) {
                        self.invariants.fail(
                            "rejected-token",
                            format!("{name}: a peer rejected {} and got it again", token.fingerprint),
                        );
                    }
                    if flags.contains(Flags::FALLS_SHORT) {
                        self.invariants.wants_more(&name, token.fingerprint); // it asked before there was this one
                    }
                    self.give(open.uid, &name, token, *flags, open.min_ttl);
                }
                format!("token {}", token.fingerprint)
            }
            Outcome::Error(error) => {
                self.totals.refused += 1;
                if error.code == ErrorCode::Throttled
                    && let (Some(name), Some(token)) = (&open.name, open.unwanted)
                {
                    self.invariants.turned_down(name, token);
                }
                format!("{:?}: {}", error.code, error.message)
            }
            Outcome::Imported(imported) => imported.message.clone(),
            Outcome::Renewed(_) => "renewed".to_owned(),
            Outcome::Resolved(name) => name.to_string(),
            Outcome::Tenants(tenants) => format!("{} tenants", tenants.entries.len()),
        };
        self.journal.note(self.at, Entry::Told { waiter: waiter.0, what });
    }

    /// A peer gets a token, from the board or from the core.
    pub(super) fn give(&mut self, uid: u32, name: &TokenName, token: &AccessToken, flags: Flags, min_ttl: Duration) {
        self.is_given(uid, name);
        if !flags.contains(Flags::RENEWING) && self.is_being_spent(name) {
            self.invariants.fail(
                "renewing-flag",
                format!("{name}: a peer got a token that a refresh on the wire kills, without a word"),
            );
        }
        let profile = self.daemon.as_ref().and_then(|daemon| daemon.applied.profiles.get(&name.profile)).cloned();
        let (provider, machine) = (&self.world.provider, &self.machine);
        self.invariants.served(profile.as_deref(), name, token, flags, min_ttl, provider, machine, self.at);
        self.totals.served += 1;
        let left = token.left(self.machine.boot(self.at));
        let least = |least: &mut Option<Duration>| *least = Some(least.map_or(left, |before| before.min(left)));
        least(&mut self.totals.least_life);
        if self.phase.is_healed(self.at) && self.phase.keeps(name) {
            least(&mut self.totals.least_life_in_calm);
        }
        self.peers.got(name, token);
    }

    /// Whether a refresh of this Classic chain is on the wire.
    fn is_being_spent(&self, name: &TokenName) -> bool {
        let of_life = self.network.flights.range((self.life, RequestId(0))..);
        let mut spent = of_life.filter_map(|(_, flight)| Some((&flight.request.profile, flight.refresh_token()?)));
        spent.any(|(profile, token)| profile.name == name.profile && self.disk.is_current(profile, token))
    }

    fn begin_write(&mut self, write: WriteId, mut pending: Pending) {
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
            self.invariants
                .fail("one-write-at-a-time", format!("{:?}: written while it is being written", pending.key));
        }
        let longest = if self.disk.fault == Some(DiskFault::Slow) { 20 * SECOND } else { 30 };
        let delay = self.rng.between(1, longest);
        pending.synced = self.at + self.rng.between(1, delay);
        self.disk.pending.insert(write, pending);
        self.after(delay, Event::Written(self.life, write));
    }

    pub(super) fn written(&mut self, write: WriteId) {
        let Some(pending) = self.disk.pending.remove(&write) else { return };
        let ended = self.disk.finish(&pending, &mut self.rng);
        let (result, error) = match ended {
            Ended::Durable => (Ok(()), None),
            Ended::Failed(why) => (Err(why.to_owned()), Some(why)),
            Ended::Conflict(found) => {
                let (key, replaces) = (&pending.key, pending.replaces);
                self.invariants.fail(
                    "revision-of-a-record",
                    format!("{key:?}: {replaces:?} was to be replaced and {found:?} is there"),
                );
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

    pub(super) fn review(&mut self, key: &ChainKey) {
        let Some(record) = self.disk.chain(key) else { return };
        let death = self.invariants.review(key, record, &self.world.provider, &self.machine, self.at);
        if let Some(death) = death {
            *self.totals.lost.entry(death).or_default() += 1;
        }
    }

    pub(super) fn every_waiter_is_answered_in_time(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        let now: BootTime = self.machine.boot(self.at);
        let is_due = daemon.wake.is_some_and(|at| at <= now);
        if is_due || self.machine.asleep(self.at).is_some() {
            return; // it has not been woken yet, or cannot be
        }
        if let Some((deadline, waiter)) = daemon.deadlines.first()
            && *deadline < now
        {
            let open = &daemon.open[waiter];
            self.invariants
                .fail("answered-in-time", format!("{waiter:?} should have had its answer by {deadline:?}: {open:?}"));
        }
    }

    /// The configuration has changed.
    pub(super) fn nobody_waits_for_what_is_gone(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        let profiles = &daemon.applied.profiles;
        let has_tenants = |profile: &Arc<Profile>| matches!(profile.kind, Kind::Glp { tenants: Some(_), .. });
        let gone = |open: &Open| {
            let name = open.name.as_ref().is_some_and(|name| !profiles.contains_key(&name.profile));
            name || open.tenants_of.as_ref().is_some_and(|of| !profiles.get(of).is_some_and(has_tenants))
        };
        if let Some((waiter, open)) = daemon.open.iter().find(|(_, open)| gone(open)) {
            self.invariants.fail("answered-at-once", format!("{waiter:?} waits for what is gone: {open:?}"));
        }
    }

    /// Everything the core holds is there for something that is there.
    fn sizes_are_bounded(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        let sizes = daemon.core.sizes();
        let profiles = daemon.applied.profiles.len();
        let tenants: usize = self.world.tenants.values().map(Vec::len).sum();
        let life = self.life;
        let flights = self.network.flights.range((life, RequestId(0))..).count();
        let bounds = [
            ("waiters", sizes.waiters, daemon.open.len()),
            ("waiting", sizes.waiting, 2 * daemon.open.len()),
            ("requests", sizes.requests, flights),
            ("writes", sizes.writes, self.disk.pending.len()),
            ("names", sizes.names, profiles + tenants + self.peers.strangers()),
            ("chains", sizes.chains, self.disk.records() + profiles + 1),
            ("queued", sizes.queued, sizes.names + profiles + sizes.chains),
            ("alarms", sizes.alarms, sizes.names + profiles + sizes.chains + sizes.waiters + 1),
        ];
        for (what, held, most) in bounds {
            if held > most {
                self.invariants.fail(
                    "size-of-the-core",
                    format!("the core holds {held} {what}, where there can be {most} ({sizes:?})"),
                );
            }
        }
    }

    fn crash_is_due(&mut self) -> bool {
        match (self.plan.kept, self.plan.crash_after) {
            (Kept::One, Some((effects, _))) => self.totals.effects == effects,
            (Kept::One, None) => false,
            (Kept::Many, _) => self.phase.crash_chance > 0.0 && self.rng.chance(self.phase.crash_chance),
        }
    }
}
