//! Doing something only when there is a reason to, and not too often.

use std::time::Duration;

use crate::core::time::BootTime;

/// Between two times of doing it, if it is as little work as usual.
const INTERVAL: Duration = Duration::from_secs(1);

/// Whether something that is done after changes is due: at once after a rest, else a second after the last time.
/// Without a change it is never due, so that an idle daemon is not woken for it. What is a lot of work waits longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Debounce {
    changed: bool,
    last: Option<BootTime>,
    /// Beyond [`INTERVAL`].
    longer: Duration,
}

impl Debounce {
    /// There is a reason to do it.
    pub fn changed(&mut self) {
        self.changed = true;
    }

    /// From now on this much later after the last time than a second.
    pub fn extend(&mut self, by: Duration) {
        self.longer = by;
    }

    /// When to do it; `None` while there is no reason to.
    #[must_use]
    pub fn due(&self) -> Option<BootTime> {
        self.changed.then(|| self.last.map_or(BootTime::default(), |last| last + INTERVAL + self.longer))
    }

    /// Whether to do it now. If so, it counts as done.
    pub fn take(&mut self, now: BootTime) -> bool {
        let due = self.due().is_some_and(|due| due <= now);
        if due {
            *self = Self { changed: false, last: Some(now), ..*self };
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_change_is_due_at_once_and_the_next_a_second_later() {
        let mut debounce = Debounce::default();
        assert_eq!(debounce.due(), None);
        assert!(!debounce.take(BootTime(5_000)), "nothing has changed");
        debounce.changed();
        assert!(debounce.take(BootTime(5_000)));
        assert_eq!(debounce.due(), None, "nothing has changed since");
        debounce.changed();
        debounce.changed();
        assert_eq!(debounce.due(), Some(BootTime(6_000)));
        assert!(!debounce.take(BootTime(5_999)));
        assert!(debounce.take(BootTime(6_000)));
        assert!(!debounce.take(BootTime(9_000)));
        debounce.changed();
        assert!(debounce.take(BootTime(9_000)), "after a rest it is due at once");
    }

    #[test]
    fn what_is_a_lot_of_work_is_done_less_often() {
        let mut debounce = Debounce::default();
        debounce.changed();
        assert!(debounce.take(BootTime(5_000)));
        debounce.extend(Duration::from_secs(15));
        debounce.changed();
        assert_eq!(debounce.due(), Some(BootTime(21_000)));
        assert!(!debounce.take(BootTime(20_999)));
        assert!(debounce.take(BootTime(21_000)));
        debounce.extend(Duration::ZERO);
        debounce.changed();
        assert_eq!(debounce.due(), Some(BootTime(22_000)));
    }
}
