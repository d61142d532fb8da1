//! The time for a cache: read without a system call in some nanoseconds, and never behind.
//!
//! CLOCK_BOOTTIME, by which tokens expire, has no coarse twin. CLOCK_MONOTONIC_COARSE has what it lacks only in suspend
//! (clock_getres(2)), and CLOCK_REALTIME_COARSE goes on in suspend but may be stepped. How far the one is ahead of the
//! other changes only with a suspend or a step, so that whoever finds it changed looks at CLOCK_BOOTTIME itself.

use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};

/// How much the two clocks may seem to part without having done so: each is as old as its last tick, 10 ms at most.
const TICK_MS: i64 = 25;

/// A moment until which something may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline {
    /// CLOCK_BOOTTIME, in milliseconds.
    boot_ms: u64,
    /// The same on CLOCK_MONOTONIC, as long as there is no suspend.
    monotonic_ms: i64,
    /// How far CLOCK_REALTIME was ahead of CLOCK_MONOTONIC.
    ahead_ms: i64,
}

impl Deadline {
    /// This moment of CLOCK_BOOTTIME.
    pub(crate) fn at(boot_ms: u64) -> Self {
        let (monotonic, real) = (coarse(ClockId::CLOCK_MONOTONIC_COARSE), coarse(ClockId::CLOCK_REALTIME_COARSE));
        let left = i64::try_from(boot_ms.saturating_sub(now())).unwrap_or(i64::MAX);
        // A coarse clock is behind by up to a tick: nothing may be used longer because of that.
        let monotonic_ms = monotonic.saturating_add(left).saturating_sub(TICK_MS);
        Self { boot_ms, monotonic_ms, ahead_ms: real - monotonic }
    }

    /// Whether it has passed.
    pub(crate) fn has_passed(&self) -> bool {
        let monotonic = coarse(ClockId::CLOCK_MONOTONIC_COARSE);
        if monotonic >= self.monotonic_ms {
            return true;
        }
        let ahead = coarse(ClockId::CLOCK_REALTIME_COARSE) - monotonic;
        (ahead - self.ahead_ms).abs() > TICK_MS && now() >= self.boot_ms
    }
}

/// CLOCK_BOOTTIME in milliseconds.
fn now() -> u64 {
    u64::try_from(coarse(ClockId::CLOCK_BOOTTIME)).unwrap_or(0)
}

fn coarse(clock: ClockId) -> i64 {
    clock_gettime(clock).expect("clock_getres(2): Linux has had them since 2.6.39").num_milliseconds()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes_in_time_and_never_later() {
        assert!(Deadline::at(0).has_passed());
        assert!(Deadline::at(now()).has_passed());
        assert!(!Deadline::at(now() + 3_600_000).has_passed());
        let soon = Deadline::at(now() + 60);
        loop {
            let before = now();
            if soon.has_passed() {
                break;
            }
            assert!(before < soon.boot_ms, "it is behind");
        }
    }

    #[test]
    fn a_suspend_or_a_step_of_the_wall_clock_has_the_boot_time_decide() {
        let later = Deadline::at(now() + 3_600_000);
        // As after a suspend of a minute: the wall clock is further ahead than it was.
        assert!(!Deadline { ahead_ms: later.ahead_ms - 60_000, ..later }.has_passed());
        assert!(Deadline { ahead_ms: later.ahead_ms - 60_000, boot_ms: now(), ..later }.has_passed());
        assert!(Deadline { ahead_ms: later.ahead_ms + 60_000, boot_ms: now(), ..later }.has_passed());
    }
}
