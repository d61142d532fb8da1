//! Doing something only when there is a reason to, and not too often.

use std::time::Duration;

use crate::core::time::Boot;

/// Between two times of doing it, if it is as little work as usual.
const INTERVAL: Duration = Duration::from_secs(1);

/// Whether something that is done after changes is due: at once after a rest, else a second after the last time. Without
/// a change it is never due, so that an idle daemon is not woken for it. What is a lot of work waits longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    changed: bool,
    last: Option<Boot>,
    /// Beyond [`INTERVAL`].
    longer: Duration,
}

impl Pace {
    /// There is a reason to do it.
    pub fn changed(&mut self) {
        self.changed = true;
    }

    /// From now on this much later after the last time than a second.
    pub fn rest_longer(&mut self, by: Duration) {
        self.longer = by;
    }

    /// When to do it; `None` while there is no reason to.
    #[must_use]
    pub fn due(&self) -> Option<Boot> {
        self.changed.then(|| self.last.map_or(Boot::default(), |last| last + INTERVAL + self.longer))
    }

    /// Whether to do it now. If so, it counts as done.
    pub fn take(&mut self, now: Boot) -> bool {
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
        let mut pace = Pace::default();
        assert_eq!(pace.due(), None);
        assert!(!pace.take(Boot(5_000)), "nothing has changed");
        pace.changed();
        assert!(pace.take(Boot(5_000)));
        assert_eq!(pace.due(), None, "nothing has changed since");
        pace.changed();
        pace.changed();
        assert_eq!(pace.due(), Some(Boot(6_000)));
        assert!(!pace.take(Boot(5_999)));
        assert!(pace.take(Boot(6_000)));
        assert!(!pace.take(Boot(9_000)));
        pace.changed();
        assert!(pace.take(Boot(9_000)), "after a rest it is due at once");
    }

    #[test]
    fn what_is_a_lot_of_work_is_done_less_often() {
        let mut pace = Pace::default();
        pace.changed();
        assert!(pace.take(Boot(5_000)));
        pace.rest_longer(Duration::from_secs(15));
        pace.changed();
        assert_eq!(pace.due(), Some(Boot(21_000)));
        assert!(!pace.take(Boot(20_999)));
        assert!(pace.take(Boot(21_000)));
        pace.rest_longer(Duration::ZERO);
        pace.changed();
        assert_eq!(pace.due(), Some(Boot(22_000)));
    }
}
