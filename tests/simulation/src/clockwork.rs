//! Steps of the wall clock, and which of them tokend can have followed.
//!
//! What is recorded holds after a reboot if it followed every step before. It cannot where the clock was stepped while
//! the machine was off. Nor can it at once: records are written within [`LONGEST_RESTAMP`] in which a daemon runs and
//! the disk is good, and what happens before is as though the machine had been off. Nothing else is excused.

use tokend::core::input::Input;

use super::disk::DiskFault;
use super::engine::Simulation;
use super::journal::Entry;
use super::machine::{MINUTE, Time};

/// So long a record may wait to be written: for a login under way, for a minute after a failure, for a slow disk.
const LONGEST_RESTAMP: Time = 4 * MINUTE;

#[derive(Default)]
pub(super) struct Clockwork {
    /// There was a step that the records have perhaps not followed so far.
    pending: bool,
    /// The records have surely been written in this boot: in the same one they need no wall clock.
    rebased: bool,
    /// Since then nothing has kept them from it.
    able_since: Time,
}

impl Simulation {
    pub(super) fn step_clock(&mut self, by: i64) {
        self.totals.steps += 1;
        self.journal.note(self.at, Entry::Machine(format!("steps its wall clock by {by} ms")));
        self.records_may_have_followed();
        self.machine.step_wall(by);
        if self.daemon.is_none() && (self.phase.is_off() || !self.clockwork.rebased) {
            self.records_are_misdated();
        } else {
            self.clockwork.pending = true;
        }
        self.tell(Input::Tick); // the driver hears of it
    }

    /// The machine was off when its wall clock was stepped, or might as well have been.
    pub(super) fn records_are_misdated(&mut self) {
        self.clockwork.pending = false;
        self.machine.misdate(self.at);
        self.invariants.forgive_logins();
    }

    /// Something begins or ends that keeps records from being written; told before.
    pub(super) fn records_may_have_followed(&mut self) {
        let disk_is_bad = matches!(self.disk.fault, Some(DiskFault::Full | DiskFault::ReadOnly));
        let able = self.daemon.is_some() && !disk_is_bad && self.machine.asleep(self.at).is_none();
        if able && self.at - self.clockwork.able_since >= LONGEST_RESTAMP {
            self.clockwork.pending = false;
            self.clockwork.rebased = true;
        }
        self.clockwork.able_since = self.at;
    }

    pub(super) fn clock_at_start(&mut self, reboot: bool) {
        self.clockwork.rebased &= !reboot;
        self.clockwork.able_since = self.at;
    }

    /// The daemon is gone, and so is the machine if it reboots.
    pub(super) fn clock_at_end(&mut self, reboot: bool) {
        if reboot && self.clockwork.pending {
            self.records_are_misdated();
        }
    }

    /// A step of the wall clock, up to a day either way.
    pub(super) fn some_step(&mut self) -> i64 {
        use super::machine::{DAY, HOUR, SECOND};
        let most = *self.rng.pick(&[SECOND, MINUTE, HOUR, DAY]).expect("some");
        let by = i64::try_from(self.rng.between(1, most)).expect("a day");
        if self.rng.chance(0.5) { by } else { -by }
    }
}
