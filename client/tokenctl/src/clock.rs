//! The only clock that tokenctl reads: CLOCK_BOOTTIME, by which tokens expire.

use nix::time::{ClockId, clock_gettime};

/// Milliseconds since boot, time in suspend included.
pub(crate) fn boot_ms() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has had CLOCK_BOOTTIME since 2.6.39");
    let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
    seconds * 1_000 + u64::try_from(now.tv_nsec()).unwrap_or(0) / 1_000_000
}
