//! How many refused and failed requests of one user are recorded one by one. The others of that minute are counted.

use std::collections::HashMap;
use std::time::Duration;

use crate::core::time::BootTime;

/// Requests of one user that are recorded one by one in each [`WINDOW`]: a program that was given the wrong name, or a
/// person who tries things, is seen in full; a loop is not.
const BURST: u32 = 20;

/// After it the count of the others is recorded, and counting starts again.
const WINDOW: Duration = Duration::from_secs(60);

/// Users that are counted apart at a time. A user with a range of subordinate ids (subuid(5)) has 65,536; beyond this
/// many they share a window.
const MAX_USERS: usize = 256;

/// Requests that were not recorded one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Whose; `None` for those beyond [`MAX_USERS`].
    pub(super) uid: Option<u32>,
    pub(super) count: u64,
}

/// The windows that are open.
#[derive(Debug, Default)]
pub(super) struct Floods {
    windows: HashMap<Option<u32>, Window>,
    /// Of windows that were over before anybody looked.
    ended: Vec<LeftOut>,
}

#[derive(Debug)]
struct Window {
    end: BootTime,
    recorded: u32,
    left_out: u64,
}

impl Floods {
    /// Whether one more request of this user is recorded; if not, it is counted.
    pub(super) fn admits(&mut self, uid: u32, now: BootTime) -> bool {
        let is_full = self.windows.len() >= MAX_USERS && !self.windows.contains_key(&Some(uid));
        if is_full {
            let mut ended = self.take_ended(Some(now));
            self.ended.append(&mut ended);
        }
        let whose = Some(uid).filter(|uid| self.windows.len() < MAX_USERS || self.windows.contains_key(&Some(*uid)));
        let fresh = Window { end: now + WINDOW, recorded: 0, left_out: 0 };
        let window = self.windows.entry(whose).or_insert_with(|| Window { ..fresh });
        if window.end <= now {
            let over = std::mem::replace(window, fresh);
            self.ended.extend(over.left_out_of(whose));
        }
        let admitted = window.recorded < BURST;
        if admitted {
            window.recorded += 1;
        } else {
            window.left_out += 1;
        }
        admitted
    }

    /// When [`Floods::take_ended`] has something to do.
    pub(super) fn next_end(&self) -> Option<BootTime> {
        self.windows.values().map(|window| window.end).min()
    }

    /// Closes the windows that are over, or without a time all of them, and takes what was left out in them.
    pub(super) fn take_ended(&mut self, now: Option<BootTime>) -> Vec<LeftOut> {
        let mut taken = std::mem::take(&mut self.ended);
        self.windows.retain(|whose, window| {
            let is_open = now.is_some_and(|now| now < window.end);
            if !is_open {
                taken.extend(window.left_out_of(*whose));
            }
            is_open
        });
        taken
    }
}

impl Window {
    fn left_out_of(&self, uid: Option<u32>) -> Option<LeftOut> {
        (self.left_out > 0).then_some(LeftOut { uid, count: self.left_out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: BootTime = BootTime(1_000_000);

    fn admitted(floods: &mut Floods, uid: u32, now: BootTime, count: u32) -> usize {
        (0..count).filter(|_| floods.admits(uid, now)).count()
    }

    #[test]
    fn of_each_user_a_burst_is_recorded_and_the_rest_counted() {
        let mut floods = Floods::default();
        assert_eq!(floods.next_end(), None);
        assert_eq!(admitted(&mut floods, 1, START, 1_000), 20);
        assert_eq!(admitted(&mut floods, 2, START, 5), 5, "another user's burst is its own");
        let end = floods.next_end().unwrap();
        assert_eq!(end.since(START), WINDOW);
        assert_eq!(floods.take_ended(Some(BootTime(end.0 - 1))), []);
        assert_eq!(floods.take_ended(Some(end)), [LeftOut { uid: Some(1), count: 980 }]);
        assert_eq!(floods.next_end(), None, "nothing is kept of users that are quiet");
        assert_eq!(admitted(&mut floods, 1, end, 30), 20);
        assert_eq!(floods.take_ended(None), [LeftOut { uid: Some(1), count: 10 }], "at the end everything is reported");
    }

    #[test]
    fn a_window_that_nobody_closed_in_time_keeps_its_count() {
        let mut floods = Floods::default();
        admitted(&mut floods, 1, START, 25);
        let later = START + WINDOW * 3;
        assert_eq!(admitted(&mut floods, 1, later, 21), 20);
        assert_eq!(floods.take_ended(Some(later)), [LeftOut { uid: Some(1), count: 5 }]);
        assert_eq!(floods.take_ended(None), [LeftOut { uid: Some(1), count: 1 }]);
    }

    #[test]
    fn users_beyond_the_limit_share_a_window_until_there_is_room() {
        let mut floods = Floods::default();
        let users = u32::try_from(MAX_USERS).unwrap();
        for uid in 0..users {
            assert!(floods.admits(uid, START));
        }
        let strangers = (users..users + 1_000).filter(|uid| floods.admits(*uid, START)).count();
        assert_eq!(strangers, 20);
        assert!(floods.admits(7, START), "who has a window keeps it");
        assert!(floods.windows.len() <= MAX_USERS + 1);
        let later = START + WINDOW;
        assert!(floods.admits(users, later), "the others' windows are over");
        assert_eq!(floods.take_ended(Some(later)), [LeftOut { uid: None, count: 980 }]);
    }
}
