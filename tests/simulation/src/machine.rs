//! The machine that the daemon runs on: its clocks, its sleep, its boots.
//!
//! `Time` is the true time in milliseconds, which nobody in the simulation can read but the provider: the daemon
//! sees a boot clock that begins at 0 with each boot and a wall clock that is stepped.

use tokend::core::time::{BootId, BootTime, Now, UnixTime};

/// True time in milliseconds.
pub(super) type Time = u64;

pub(super) const SECOND: Time = 1000;
pub(super) const MINUTE: Time = 60 * SECOND;
pub(super) const HOUR: Time = 60 * MINUTE;
pub(super) const DAY: Time = 24 * HOUR;

/// When every simulation begins: late in 2026, by the epoch.
pub(super) const BEGIN: Time = 1_790_000_000_000;

/// How long a boot takes until the daemon is started.
pub(super) const UPTIME_AT_START: Time = 7 * SECOND;

pub(super) struct Machine {
    /// When the boot clock stood at zero.
    booted: Time,
    boots: u64,
    /// How far the wall clock is ahead of the truth.
    wall_offset: i64,
    /// It sleeps until then.
    asleep_until: Option<Time>,
    /// When what is recorded last lost the wall clock: it was stepped, and nobody could write that down.
    misdated: Option<Time>,
}

impl Machine {
    pub(super) fn new(now: Time) -> Self {
        Self { booted: now - UPTIME_AT_START, boots: 1, wall_offset: 0, asleep_until: None, misdated: None }
    }

    pub(super) fn now(&self, at: Time) -> Now {
        let wall = i64::try_from(at).expect("before the year 292 million") + self.wall_offset;
        Now { boot: self.boot(at), wall: UnixTime(wall) }
    }

    pub(super) fn boot(&self, at: Time) -> BootTime {
        BootTime(at.saturating_sub(self.booted))
    }

    /// The true time of a moment of this boot.
    pub(super) fn time_of(&self, boot: BootTime) -> Time {
        self.booted.saturating_add(boot.0)
    }

    pub(super) fn boot_id(&self) -> BootId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.boots.to_le_bytes());
        BootId(id)
    }

    pub(super) fn reboot(&mut self, now: Time) {
        self.booted = now - UPTIME_AT_START;
        self.boots += 1;
        self.asleep_until = None;
    }

    pub(super) fn step_wall(&mut self, by: i64) {
        self.wall_offset += by;
    }

    /// What was recorded before does not tell any more, after a reboot, how long ago it was.
    pub(super) fn misdate(&mut self, now: Time) {
        self.misdated = Some(now);
    }

    /// When that was last so.
    pub(super) fn misdated(&self) -> Option<Time> {
        self.misdated
    }

    /// Whether how long ago that was can be told only by a wall clock that was stepped while nobody saw it.
    pub(super) fn has_misdated(&self, at: Time) -> bool {
        at < self.booted && self.misdated.is_some_and(|misdated| misdated >= at)
    }

    pub(super) fn sleep(&mut self, until: Time) {
        self.asleep_until = Some(until);
    }

    pub(super) fn wake_up(&mut self) {
        self.asleep_until = None;
    }

    /// When it wakes, if it sleeps.
    pub(super) fn asleep(&self, now: Time) -> Option<Time> {
        self.asleep_until.filter(|until| *until > now)
    }
}
