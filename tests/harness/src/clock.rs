//! The clock that the daemon's machine-readable moments are on.

use nix::time::{ClockId, clock_gettime};

/// CLOCK_BOOTTIME in milliseconds, rounded down, as `Stamp::boot_ms` has it.
///
/// # Panics
/// Never on a Linux that the daemon runs on.
#[must_use]
pub fn boot_ms() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has had it since 2.6.39");
    let seconds = u64::try_from(now.tv_sec()).expect("the machine was not started before it was started");
    seconds * 1000 + u64::try_from(now.tv_nsec()).expect("not negative") / 1_000_000
}
