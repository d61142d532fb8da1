//! How many requests a provider's host gets in a second, and whose turn it is.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use crate::core::time::BootTime;

/// The rate is counted in any window of this length.
const WINDOW: Duration = Duration::from_secs(1);

/// Every so many slots, background renewals come first.
const BACKGROUND_EVERY: u64 = 3;

/// Very many requests are those that take longer than so many seconds.
const MANY_SECONDS: usize = 10;

/// How much of what would be sent evenly is sent at once. One request at a time would cost a wake-up each.
const BATCH: Duration = Duration::from_millis(100);

/// Users whose last turn is remembered. Beyond it the oldest is forgotten, which costs only fairness.
const MAX_USERS: usize = 256;

/// One host's budget.
#[derive(Debug)]
pub(in crate::core) struct Limiter {
    rate: usize,
    /// The last sends, oldest first; at most `rate` of them.
    sent: VecDeque<BootTime>,
    slots: u64,
    /// Very many requests wait.
    behind: bool,
    /// When the next one is due if they are sent evenly.
    even: BootTime,
    /// Logins on the wire. Their steps are a second apart or more, so each takes one send of every window.
    logins: usize,
    turns: BTreeMap<u32, u64>,
}

/// Something that waits for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core) struct Claim {
    /// The user with the best claim among the peers that wait for it; `None` if it is background work.
    pub(in crate::core) needed_by: Option<u32>,
    /// When its token expires; background work goes by this.
    pub(in crate::core) expires: BootTime,
    /// In the order of arrival.
    pub(in crate::core) arrival: u64,
}

impl Limiter {
    pub(in crate::core) fn new(rate: NonZeroU32) -> Self {
        let mut limiter = Self {
            rate: 0,
            sent: VecDeque::new(),
            slots: 0,
            behind: false,
            even: BootTime::default(),
            logins: 0,
            turns: BTreeMap::new(),
        };
        limiter.set_rate(rate);
        limiter
    }

    pub(in crate::core) fn set_rate(&mut self, rate: NonZeroU32) {
        self.rate = usize::try_from(rate.get()).unwrap_or(usize::MAX);
    }

    /// When the next request may be sent; `None`: not before a login has ended.
    pub(in crate::core) fn ready_at(&self) -> Option<BootTime> {
        let capacity = self.rate.saturating_sub(self.logins);
        if capacity == 0 {
            return None;
        }
        match self.sent.len().checked_sub(capacity) {
            None => Some(BootTime::default()),
            Some(index) => Some(self.sent[index] + WINDOW),
        }
    }

    /// When work that nobody waits for may be sent: in small batches while there is very much of it. Else there would
    /// be a burst in each second, on connections of its own, with all of its answers in memory at once, and a peer that
    /// needs something would find the whole next second taken.
    pub(in crate::core) fn background_at(&self, now: BootTime) -> Option<BootTime> {
        let ready = self.ready_at()?;
        let waits = self.behind && now < self.even;
        Some(if waits { ready.max(self.even + BATCH) } else { ready })
    }

    /// So many requests wait. Once there are very many, they count as that until the last of them was sent.
    pub(in crate::core) fn wait(&mut self, now: BootTime, requests: usize) {
        let many = requests > self.rate.saturating_mul(MANY_SECONDS);
        if many && !self.behind {
            self.even = now;
        }
        self.behind = many || (self.behind && requests > 0);
    }

    /// A request is being sent.
    pub(in crate::core) fn take(&mut self, now: BootTime, needed_by: Option<u32>) {
        self.slots += 1;
        self.count(now);
        // By what was due and not by what was done, so that a thread that is woken late sends no less.
        let each = WINDOW / u32::try_from(self.rate).unwrap_or(u32::MAX).max(1);
        self.even = (self.even + each).max(now - WINDOW);
        if let Some(uid) = needed_by {
            self.turns.insert(uid, self.slots);
            if self.turns.len() > MAX_USERS {
                let oldest = self.turns.iter().min_by_key(|(_, turn)| **turn).map(|(uid, _)| *uid);
                self.turns.retain(|uid, _| Some(*uid) != oldest);
            }
        }
    }

    fn count(&mut self, now: BootTime) {
        self.sent.push_back(now);
        while self.sent.len() > self.rate {
            self.sent.pop_front();
        }
    }

    pub(in crate::core) fn login_began(&mut self) {
        self.logins += 1;
    }

    /// Its last step may have been sent a moment ago: it goes on counting for a second.
    pub(in crate::core) fn login_ended(&mut self, now: BootTime) {
        self.logins = self.logins.saturating_sub(1);
        self.count(now);
    }

    /// When this user had its last turn: the lower, the better its claim.
    pub(in crate::core) fn last_turn(&self, uid: u32) -> u64 {
        self.turns.get(&uid).copied().unwrap_or(0)
    }

    /// Which claim gets the next slot.
    pub(in crate::core) fn choose(&self, claims: &[Claim]) -> Option<usize> {
        let background = || best(claims, |c| c.needed_by.is_none().then_some((c.expires.0, c.arrival)));
        let needed = || best(claims, |c| c.needed_by.map(|uid| (self.last_turn(uid), c.arrival)));
        if self.slots % BACKGROUND_EVERY == BACKGROUND_EVERY - 1 {
            background().or_else(needed)
        } else {
            needed().or_else(background)
        }
    }
}

fn best(claims: &[Claim], rank: impl Fn(&Claim) -> Option<(u64, u64)>) -> Option<usize> {
    let ranked = claims.iter().enumerate().filter_map(|(index, claim)| Some((rank(claim)?, index)));
    ranked.min().map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(rate: u32) -> Limiter {
        Limiter::new(NonZeroU32::new(rate).expect("not zero"))
    }

    fn needed(uid: u32, arrival: u64) -> Claim {
        Claim { needed_by: Some(uid), expires: BootTime(u64::MAX), arrival }
    }

    fn background(expires: u64) -> Claim {
        Claim { needed_by: None, expires: BootTime(expires), arrival: 0 }
    }

    #[test]
    fn no_window_of_a_second_holds_more_than_the_rate() {
        let mut limiter = limiter(5);
        let mut now = BootTime(0);
        let mut sent = Vec::new();
        while sent.len() < 50 {
            if limiter.ready_at().is_some_and(|at| at <= now) {
                limiter.take(now, None);
                sent.push(now.0);
            } else {
                now.0 += 7;
            }
        }
        for window in sent.windows(6) {
            assert!(window[5] - window[0] >= 1000, "{window:?}");
        }
        assert!(sent[49] <= 9_100, "and the rate is used: {}", sent[49]);
    }

    #[test]
    fn very_much_background_work_goes_in_small_batches_and_no_slower() {
        let mut limiter = limiter(50);
        let mut sent = Vec::new();
        let (start, mut now) = (10_000, BootTime(10_000));
        limiter.wait(now, 501);
        while sent.len() < 500 {
            if limiter.background_at(now).is_some_and(|at| at <= now) {
                limiter.take(now, None);
                sent.push(now.0);
            } else {
                now.0 += 7; // it is woken late
            }
        }
        assert!(sent.windows(51).all(|window| window[50] - window[0] >= 1_000), "{sent:?}");
        assert!(sent.windows(8).all(|window| window[7] > window[0]), "at most seven at once: {sent:?}");
        assert!(sent[499] - start <= 10_100, "no slower than the rate: {sent:?}");
        assert!(
            limiter.ready_at() <= Some(now + Duration::from_millis(150)),
            "a peer waits for one batch and not for all"
        );

        let later = now + Duration::from_secs(10);
        limiter.wait(later, 0);
        limiter.wait(later, 500);
        for _ in 0..50 {
            assert!(limiter.background_at(later) <= Some(later), "a burst of what is not very much");
            limiter.take(later, None);
        }
    }

    #[test]
    fn a_login_on_the_wire_takes_one_of_each_second() {
        let mut limiter = limiter(1);
        limiter.login_began();
        assert_eq!(limiter.ready_at(), None);
        limiter.login_ended(BootTime(5_000));
        assert_eq!(limiter.ready_at(), Some(BootTime(6_000)), "its last step may have been sent just now");
    }

    #[test]
    fn every_third_slot_goes_to_the_background_renewal_that_expires_first() {
        let mut limiter = limiter(100);
        let claims = [needed(1, 1), needed(1, 2), background(900), background(300)];
        let mut order = Vec::new();
        for _ in 0..6 {
            order.push(limiter.choose(&claims).expect("one"));
            limiter.take(BootTime(0), Some(1));
        }
        assert_eq!(order, [0, 0, 3, 0, 0, 3]);
        assert_eq!(limiter.choose(&claims[2..]), Some(1), "nobody waits: background work takes any slot");
        assert_eq!(limiter.choose(&[]), None);
    }

    #[test]
    fn a_user_who_asks_much_does_not_hold_up_one_who_asks_little() {
        let mut limiter = limiter(100);
        limiter.take(BootTime(0), Some(1));
        let claims = [needed(1, 1), needed(1, 2), needed(2, 3)];
        assert_eq!(limiter.choose(&claims), Some(2));
    }
}
