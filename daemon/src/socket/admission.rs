//! How many connections there may be, in all and of each user, and which ones there are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use slab::Slab;
use tokend_proto::ErrorReply;
use tokio::sync::Notify;

use super::{Limits, RESERVED_CONNECTIONS, Shared, refusal};

/// Requests for a whole list (`Status`, `Tenants`) that one user may have open: each makes the core list
/// everything, and its answer is held until it is cut into a page.
pub(super) const MAX_LISTS_PER_UID: usize = 8;

/// Watches that one user may have: an eighth of what the core has room for.
pub(super) const MAX_WATCHES_PER_UID: usize = 8_192;

/// Counts connections. Its lock is taken when one comes or goes, on one thread, so that it is never waited for.
pub(super) struct Admission {
    limits: Mutex<(usize, usize)>,
    roster: Mutex<Roster>,
    empty: Notify,
}

#[derive(Default)]
struct Roster {
    /// One for each connection, to wake them all when the daemon stops.
    wakers: Slab<Option<Waker>>,
    /// Users that have a connection, and those who had one when the last new user came: a program that connects again and
    /// again is not a new user each time.
    users: HashMap<u32, User>,
}

#[derive(Default)]
struct User {
    connections: usize,
    uses: Arc<Uses>,
}

/// What the connections of one user have taken.
#[derive(Debug, Default)]
struct Uses {
    lists: AtomicUsize,
    watches: AtomicUsize,
}

/// A connection's place; given back on drop.
pub(super) struct Place {
    shared: Arc<Shared>,
    number: usize,
    uid: u32,
    uses: Arc<Uses>,
}

/// One of a user's [`MAX_LISTS_PER_UID`] or [`MAX_WATCHES_PER_UID`]; given back on drop.
#[derive(Debug)]
pub(super) struct Permit {
    uses: Arc<Uses>,
    of: fn(&Uses) -> &AtomicUsize,
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limits: Mutex::new((limits.max_connections, limits.max_connections_per_uid)),
            roster: Mutex::default(),
            empty: Notify::new(),
        }
    }

    /// For connections that come from now on.
    pub(super) fn set_limits(&self, max_connections: usize, per_uid: usize) {
        *lock(&self.limits) = (max_connections, per_uid);
    }

    pub(super) fn count(&self) -> usize {
        lock(&self.roster).wakers.len()
    }

    /// Has every connection look at its state.
    pub(super) fn wake_all(&self) {
        let wakers: Vec<Waker> = lock(&self.roster).wakers.iter().filter_map(|(_, waker)| waker.clone()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until there is no connection.
    pub(super) async fn emptied(&self) {
        while self.count() > 0 {
            self.empty.notified().await;
        }
    }
}

impl Roster {
    /// What is known of a user. There are never more of them than connections, and one.
    fn user(&mut self, uid: u32) -> &mut User {
        if !self.users.contains_key(&uid) {
            self.users.retain(|_, user| user.connections > 0);
        }
        self.users.entry(uid).or_default()
    }
}

impl Place {
    /// Takes a place, if there is one for this user.
    pub(super) fn take(shared: &Arc<Shared>, uid: u32, superuser: bool) -> Result<Self, ErrorReply> {
        let (max, per_uid) = *lock(&shared.admission.limits);
        // A tiny limit is not eaten up by what is kept back.
        let open_to_all = max - RESERVED_CONNECTIONS.min(max / 2);
        let mut roster = lock(&shared.admission.roster);
        let limit = if superuser { max } else { open_to_all };
        if roster.wakers.len() >= limit {
            return Err(refusal::too_many_connections(limit));
        }
        let user = roster.user(uid);
        if user.connections >= per_uid {
            return Err(refusal::too_many_connections_of_uid(uid, per_uid));
        }
        user.connections += 1;
        let uses = Arc::clone(&user.uses);
        let number = roster.wakers.insert(None);
        Ok(Self { shared: Arc::clone(shared), number, uid, uses })
    }

    /// Says how this connection is woken.
    pub(super) fn set_waker(&self, waker: Waker) {
        if let Some(place) = lock(&self.shared.admission.roster).wakers.get_mut(self.number) {
            *place = Some(waker);
        }
    }

    /// `None` if the user has too many lists open.
    pub(super) fn list(&self) -> Option<Permit> {
        Permit::take(&self.uses, |uses| &uses.lists, MAX_LISTS_PER_UID)
    }

    /// `None` if the user has too many watches.
    pub(super) fn watch(&self) -> Option<Permit> {
        Permit::take(&self.uses, |uses| &uses.watches, MAX_WATCHES_PER_UID)
    }
}

impl Permit {
    fn take(uses: &Arc<Uses>, of: fn(&Uses) -> &AtomicUsize, max: usize) -> Option<Self> {
        let add = |open| (open < max).then_some(open + 1);
        of(uses).fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
        Some(Self { uses: Arc::clone(uses), of })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let admission = &self.shared.admission;
        let mut roster = lock(&admission.roster);
        roster.wakers.try_remove(self.number);
        if let Some(user) = roster.users.get_mut(&self.uid) {
            user.connections -= 1;
        }
        if roster.wakers.is_empty() {
            admission.empty.notify_one();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        (self.of)(&self.uses).fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is changed in single steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_known_for_as_long_as_they_have_connections_and_until_another_one_comes() {
        let mut roster = Roster::default();
        let uses = Arc::clone(&roster.user(1).uses);
        roster.user(1).connections = 1;
        for uid in 2..1_000 {
            roster.user(uid);
            assert_eq!(roster.users.len(), 2);
        }
        assert!(Arc::ptr_eq(&uses, &roster.user(1).uses));
        roster.user(1).connections = 0;
        assert!(Arc::ptr_eq(&uses, &roster.user(1).uses), "the same one comes again");
        roster.user(3_000);
        assert!(!roster.users.contains_key(&1));
    }
}
