//! Moments as plain values. Nothing here reads a clock.

use std::ops::{Add, Sub};
use std::time::Duration;

use tokend_proto::Stamp;

/// A moment of this boot: CLOCK_BOOTTIME in milliseconds. It goes on in suspend and never steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Boot(pub u64);

impl Boot {
    /// Time from `earlier` to `self`; zero if it is the other way round.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Boot {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }
}

impl Sub<Duration> for Boot {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }
}

/// A moment of the wall clock: milliseconds since 1970. It steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Wall(pub i64);

/// Which boot a [`Boot`] belongs to: `/proc/sys/kernel/random/boot_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BootId(pub [u8; 16]);

/// The present, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For every decision.
    pub boot: Boot,
    /// For people, and for records that outlive a boot.
    pub wall: Wall,
}

impl Now {
    /// A moment of this boot on both clocks, as the wall clock stands now.
    #[must_use]
    pub fn stamp(self, moment: Boot) -> Stamp {
        let ahead = i128::from(moment.0) - i128::from(self.boot.0);
        let unix_ms = i64::try_from(i128::from(self.wall.0) + ahead).unwrap_or(i64::MAX);
        Stamp { boot_ms: moment.0, unix_ms }
    }
}

impl Now {
    /// How far the wall clock is ahead of boot time, in milliseconds: changes when it is stepped.
    pub(super) fn wall_ahead(self) -> i128 {
        i128::from(self.wall.0) - i128::from(self.boot.0)
    }

    /// A moment that may lie before this boot.
    #[must_use]
    pub fn stamp_ago(self, age: Duration) -> Stamp {
        let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Stamp { boot_ms: (self.boot - age).0, unix_ms: self.wall.0.saturating_sub(age_ms) }
    }
}

/// A moment that is kept in a record: good across reboots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Good while the boot id is the same.
    pub boot: Boot,
    /// Good afterwards, as far as the wall clock is.
    pub wall: Wall,
    /// Which boot.
    pub boot_id: BootId,
}

impl Mark {
    /// How long ago this was. In the same boot only boot time counts; afterwards the wall clock does, and a
    /// negative age counts as zero.
    #[must_use]
    pub fn age(&self, now: Now, boot_id: BootId) -> Duration {
        if self.boot_id == boot_id {
            now.boot.since(self.boot)
        } else {
            Duration::from_millis(u64::try_from(now.wall.0.saturating_sub(self.wall.0)).unwrap_or(0))
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
