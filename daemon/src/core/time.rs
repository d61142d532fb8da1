//! Moments as plain values. Nothing here reads a clock.

use std::ops::{Add, Sub};
use std::time::Duration;

use tokend_proto::Stamp;

/// A moment of this boot: CLOCK_BOOTTIME in milliseconds. It goes on in suspend and never steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct BootTime(pub u64);

impl BootTime {
    /// Time from `earlier` to `self`; zero if it is the other way round.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for BootTime {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }
}

impl Sub<Duration> for BootTime {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }
}

/// A moment of the wall clock: milliseconds since 1970. It steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct UnixTime(pub i64);

/// Which boot a [`BootTime`] belongs to: `/proc/sys/kernel/random/boot_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BootId(pub [u8; 16]);

/// The present, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For every decision.
    pub boot: BootTime,
    /// For people, and for records that outlive a boot.
    pub wall: UnixTime,
}

impl Now {
    /// A moment of this boot on both clocks, as the wall clock stands now.
    #[must_use]
    pub fn stamp(self, moment: BootTime) -> Stamp {
        let ahead = i128::from(moment.0) - i128::from(self.boot.0);
        let unix_ms = i64::try_from(i128::from(self.wall.0) + ahead).unwrap_or(i64::MAX);
        Stamp { boot_ms: moment.0, unix_ms }
    }
}

impl Now {
    /// Milliseconds of boot time.
    fn uptime(self) -> i64 {
        i64::try_from(self.boot.0).unwrap_or(i64::MAX)
    }

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
pub struct DurableTime {
    /// Milliseconds of boot time, good while the boot id is the same. Negative: before that boot.
    pub boot: i64,
    /// Good afterwards, as far as the wall clock is.
    pub wall: UnixTime,
    /// Which boot.
    pub boot_id: BootId,
}

impl DurableTime {
    /// How long ago this was. In the same boot only boot time counts; afterwards the wall clock does, and a
    /// negative age counts as zero.
    #[must_use]
    pub fn age(&self, now: Now, boot_id: BootId) -> Duration {
        let age = if self.boot_id == boot_id {
            now.uptime().saturating_sub(self.boot)
        } else {
            now.wall.0.saturating_sub(self.wall.0)
        };
        Duration::from_millis(u64::try_from(age).unwrap_or(0))
    }

    /// How far the wall clock was ahead of boot time, in milliseconds, when it was recorded.
    pub(super) fn wall_ahead(self) -> i128 {
        i128::from(self.wall.0) - i128::from(self.boot)
    }

    /// Whether it lies before this boot: how long ago it was, only the wall clock can have told.
    #[must_use]
    pub fn is_of_earlier_boot(&self, boot_id: BootId) -> bool {
        self.boot_id != boot_id || self.boot < 0
    }

    /// The same moment as a mark of this boot, by the wall clock as it stands now. One of another boot was before this
    /// one, whatever the wall clock says, and is taken for so much older (in milliseconds) than that says.
    pub(super) fn rebased(self, now: Now, boot_id: BootId, older: i64) -> Self {
        let age = if self.boot_id == boot_id {
            now.uptime().saturating_sub(self.boot)
        } else {
            let by_wall = now.wall.0.saturating_sub(self.wall.0).saturating_add(older);
            by_wall.max(now.uptime().saturating_add(1))
        };
        Self { boot: now.uptime().saturating_sub(age), wall: UnixTime(now.wall.0.saturating_sub(age)), boot_id }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
