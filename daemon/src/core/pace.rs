//! Doing something only when there is a reason to, and not too often.

use std::time::Duration;

use super::time::Boot;

/// Between two times of doing it.
const INTERVAL: Duration = Duration::from_secs(1);

/// Whether something that is done after changes is due: at once after a rest, else a second after the last time. Without
/// a change it is never due, so that an idle daemon is not woken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    changed: bool,
    last: Option<Boot>,
}

impl Pace {
    /// There is a reason to do it.
    pub fn changed(&mut self) {
        self.changed = true;
    }

    /// When to do it; `None` while there is no reason to.
    #[must_use]
    pub fn due(&self) -> Option<Boot> {
        self.changed.then(|| self.last.map_or(Boot::default(), |last| last + INTERVAL))
    }

    /// Whether to do it now. If so, it counts as done.
    pub fn take(&mut self, now: Boot) -> bool {
        let due = self.due().is_some_and(|due| due <= now);
        if due {
            *self = Self { changed: false, last: Some(now) };
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
}
