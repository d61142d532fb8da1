//! The machine that the daemon runs on: its clocks, its sleep, its boots.
//!
//! `Time` is the true time in milliseconds, which nobody in the simulation can read but the provider: the daemon
//! sees a boot clock that begins anew with each boot and a wall clock that is stepped.

use tokend::core::time::{Boot, BootId, Now, Wall};

/// True time in milliseconds.
pub(super) type Time = u64;

pub(super) const SECOND: Time = 1000;
pub(super) const MINUTE: Time = 60 * SECOND;
pub(super) const HOUR: Time = 60 * MINUTE;
pub(super) const DAY: Time = 24 * HOUR;

/// When every simulation begins: late in 2026, by the epoch.
pub(super) const BEGIN: Time = 1_790_000_000_000;

/// How long a boot takes until the daemon is started.
const UPTIME_AT_START: Time = 7 * SECOND;

pub(super) struct Machine {
    /// When the boot clock stood at zero.
    booted: Time,
    boots: u64,
    /// How far the wall clock is ahead of the truth.
    wall_offset: i64,
    /// It sleeps until then.
    asleep_until: Option<Time>,
    /// When the wall clock was last stepped, by whatever.
    stepped: Option<Time>,
}

impl Machine {
    pub(super) fn new(now: Time) -> Self {
        Self { booted: now - UPTIME_AT_START, boots: 1, wall_offset: 0, asleep_until: None, stepped: None }
    }

    pub(super) fn now(&self, at: Time) -> Now {
        let wall = i64::try_from(at).expect("before the year 292 million") + self.wall_offset;
        Now { boot: self.boot(at), wall: Wall(wall) }
    }

    pub(super) fn boot(&self, at: Time) -> Boot {
        Boot(at.saturating_sub(self.booted))
    }

    /// The true time of a moment of this boot.
    pub(super) fn time_of(&self, boot: Boot) -> Time {
        self.booted.saturating_add(boot.0)
    }

    pub(super) fn booted(&self) -> Time {
        self.booted
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

    pub(super) fn step_wall(&mut self, now: Time, by: i64) {
        self.wall_offset += by;
        self.stepped = Some(now);
    }

    /// When the wall clock was last stepped.
    pub(super) fn stepped(&self) -> Option<Time> {
        self.stepped
    }

    /// Whether the wall clock has been stepped since.
    pub(super) fn stepped_since(&self, at: Time) -> bool {
        self.stepped.is_some_and(|stepped| stepped >= at)
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
