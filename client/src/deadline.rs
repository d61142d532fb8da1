//! The deadline of a cached token: a check takes some nanoseconds and no system call, and is never late.
//!
//! Tokens expire by CLOCK_BOOTTIME, which has no coarse variant. CLOCK_MONOTONIC_COARSE is the same clock but stops in
//! suspend (clock_getres(2)). CLOCK_REALTIME_COARSE runs in suspend but may be stepped. The difference between these
//! two changes only with a suspend or a step: when it has changed, the check reads CLOCK_BOOTTIME itself.

use rustix::time::{ClockId, clock_gettime};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// How much the difference between the two clocks may vary without a suspend or a step: each is as old as its last
/// tick, at most 10 ms.
const TICK: i64 = 25 * NANOS_PER_MILLI;

/// A moment until which something may be used. All fields are in nanoseconds, so that a check needs no division.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline {
    /// On CLOCK_BOOTTIME.
    boot: i64,
    /// The same moment on CLOCK_MONOTONIC, if there is no suspend before it.
    monotonic: i64,
    /// How far CLOCK_REALTIME was ahead of CLOCK_MONOTONIC.
    ahead: i64,
}

impl Deadline {
    /// This moment of CLOCK_BOOTTIME.
    pub(crate) fn at(boot_ms: u64) -> Self {
        let (monotonic, real) = (read(ClockId::MonotonicCoarse), read(ClockId::RealtimeCoarse));
        let boot = i64::try_from(boot_ms).unwrap_or(i64::MAX).saturating_mul(NANOS_PER_MILLI);
        let left = boot.saturating_sub(read(ClockId::Boottime)).max(0);
        // A coarse clock may be one tick late: subtracting a tick keeps the deadline from passing too late.
        Self { boot, monotonic: monotonic.saturating_add(left).saturating_sub(TICK), ahead: real - monotonic }
    }

    /// Whether it has passed.
    #[inline]
    pub(crate) fn has_passed(&self) -> bool {
        let monotonic = read(ClockId::MonotonicCoarse);
        let ahead = read(ClockId::RealtimeCoarse) - monotonic;
        monotonic >= self.monotonic || ((ahead - self.ahead).abs() > TICK && self.has_passed_by_boot_time())
    }

    /// Decides after a suspend or a step of the wall clock.
    #[cold]
    fn has_passed_by_boot_time(&self) -> bool {
        read(ClockId::Boottime) >= self.boot
    }
}

/// The nanoseconds fit until the year 2262.
#[inline]
fn read(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * NANOS_PER_SECOND + time.tv_nsec
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> u64 {
        (read(ClockId::Boottime) / NANOS_PER_MILLI) as u64
    }

    #[test]
    fn a_deadline_passes_in_time_and_never_later() {
        assert!(Deadline::at(0).has_passed());
        assert!(Deadline::at(now()).has_passed());
        assert!(!Deadline::at(now() + 3_600_000).has_passed());
        let soon = Deadline::at(now() + 60);
        loop {
            let before = read(ClockId::Boottime);
            if soon.has_passed() {
                break;
            }
            assert!(before < soon.boot, "it is behind");
        }
    }

    #[test]
    fn a_suspend_or_a_step_of_the_wall_clock_has_the_boot_time_decide() {
        let later = Deadline::at(now() + 3_600_000);
        // As after a suspend of a minute: the wall clock is further ahead than it was.
        let (minute, now) = (60 * NANOS_PER_SECOND, read(ClockId::Boottime));
        assert!(!Deadline { ahead: later.ahead - minute, ..later }.has_passed());
        assert!(Deadline { ahead: later.ahead - minute, boot: now, ..later }.has_passed());
        assert!(Deadline { ahead: later.ahead + minute, boot: now, ..later }.has_passed());
        // Whatever it is to be: the end of time is not passed.
        assert!(!Deadline::at(u64::MAX).has_passed());
    }
}
