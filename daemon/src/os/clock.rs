//! The one place where clocks are read. Everything else is given the time.

use std::fs;
use std::time::Duration;

use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};

use crate::core::time::{BootId, BootTime, Now, UnixTime};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const TIME_NAMESPACE: &str = "/proc/self/timens_offsets";

/// The clocks of this machine. Cheap to copy and to read: no system call is made (vdso(7)).
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    boot_id: BootId,
}

impl Clock {
    /// Reads once which boot this is.
    #[must_use]
    pub fn new() -> Self {
        let boot_id = fs::read_to_string(BOOT_ID).ok().and_then(|text| parse_boot_id(&text)).unwrap_or_else(unique);
        let offset = fs::read_to_string(TIME_NAMESPACE).map_or(0, |text| boottime_offset(&text));
        Self { boot_id: shifted(boot_id, offset) }
    }

    /// The present on both clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { boot: self.boot(), wall: UnixTime(milliseconds(ClockId::CLOCK_REALTIME)) }
    }

    /// Boot time alone, for the read path.
    #[must_use]
    pub fn boot(&self) -> BootTime {
        boot()
    }

    /// Which boot [`Clock::boot`] counts from.
    #[must_use]
    pub fn boot_id(&self) -> BootId {
        self.boot_id
    }
}

/// Boot time, for who does not have to know which boot it is.
#[must_use]
pub fn boot() -> BootTime {
    BootTime(u64::try_from(milliseconds(ClockId::CLOCK_BOOTTIME)).unwrap_or(0))
}

/// CLOCK_MONOTONIC, in which a service manager counts (sd_notify(3), MONOTONIC_USEC). Not for deadlines: it stands
/// still in suspend.
#[must_use]
pub fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("clock_getres(2): Linux has always had it");
    Duration::from_nanos(u64::try_from(now.num_nanoseconds()).unwrap_or(0))
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

fn milliseconds(clock: ClockId) -> i64 {
    clock_gettime(clock).expect("clock_getres(2): Linux has had both clocks since 2.6.39").num_milliseconds()
}

/// 32 hex digits with hyphens, random(4).
fn parse_boot_id(text: &str) -> Option<BootId> {
    let digits: String = text.trim().chars().filter(|&character| character != '-').collect();
    let valid = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let id = u128::from_str_radix(&digits, 16).ok().filter(|_| valid)?;
    Some(BootId(id.to_be_bytes()))
}

/// Where /proc does not say which boot it is: an id that no other process has, so that each restart counts as a
/// reboot. That costs a renewal, and trusts nothing.
fn unique() -> BootId {
    let mut id = [0; 16];
    if getrandom::fill(&mut id).is_err() {
        let started = u128::from(milliseconds(ClockId::CLOCK_REALTIME).unsigned_abs());
        id = (started << 32 | u128::from(std::process::id())).to_be_bytes();
    }
    BootId(id)
}

/// What this time namespace adds to CLOCK_BOOTTIME, in nanoseconds, time_namespaces(7): `boottime SECS NANOSECS`. Two
/// namespaces of one boot do not have the same boot time, so they must not seem to.
fn boottime_offset(text: &str) -> i128 {
    let offset = text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let clock = words.next()?;
        // 7 is CLOCK_BOOTTIME where the clock is not spelled out.
        let (seconds, nanoseconds): (i128, i128) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        matches!(clock, "boottime" | "7").then_some(seconds * 1_000_000_000 + nanoseconds)
    });
    offset.unwrap_or(0)
}

fn shifted(boot_id: BootId, offset: i128) -> BootId {
    BootId((u128::from_be_bytes(boot_id.0) ^ offset.cast_unsigned()).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_time_does_not_go_back_and_both_clocks_are_read() {
        let clock = Clock::new();
        let (before, now) = (clock.boot(), clock.now());
        assert!(BootTime(0) < before && before <= now.boot && now.boot <= clock.boot());
        // 2020; a machine without a battery-backed clock would be further off.
        assert!(now.wall > UnixTime(1_577_836_800_000), "{now:?}");
    }

    #[test]
    fn two_clocks_of_one_boot_have_the_same_id() {
        assert_eq!(Clock::new().boot_id(), Clock::new().boot_id());
        assert_ne!(Clock::new().boot_id(), BootId::default());
    }

    #[test]
    fn a_boot_id_is_a_uuid_or_nothing() {
        let id = parse_boot_id("0123abcd-0000-4000-8000-00000000ffff\n");
        assert_eq!(id, Some(BootId([1, 0x23, 0xab, 0xcd, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0xff, 0xff])));
        for wrong in ["", "0123", "0123abcd-0000-4000-8000-00000000fffg", "+0123abcd0000400080000000000ffff"] {
            assert_eq!(parse_boot_id(wrong), None, "{wrong}");
        }
        assert_ne!(unique(), unique());
    }

    #[test]
    fn another_time_namespace_is_another_boot() {
        assert_eq!(boottime_offset("monotonic           0         0\nboottime            0         0\n"), 0);
        assert_eq!(boottime_offset("monotonic 0 0\nboottime -5 250\n"), -4_999_999_750);
        let id = BootId([9; 16]);
        assert_eq!(shifted(id, 0), id);
        assert_ne!(shifted(id, -4_999_999_750), id);
    }
}
