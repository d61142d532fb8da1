//! How many connections there may be, in all and of each user, and which ones there are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use slab::Slab;
use tokend_proto::ErrorReply;
use tokio::sync::Notify;

use super::{Limits, RESERVED_CONNECTIONS, errors};
use crate::core::id::Asker;
use crate::core::shares::{NoPlace, Shares};

/// Questions that the core may have not answered yet. Of these a user alone gets half, which is 126 connections full of
/// them.
const MAX_QUESTIONS: usize = 65_536;
const KEPT_QUESTIONS: usize = 1_024;

/// Requests for a list (`Status`, `Tenants`, `Rights`) that may be open: the answer to each is held until it is sent.
const MAX_LISTS: usize = 1_024;
const KEPT_LISTS: usize = 64;
pub(super) const MAX_LISTS_PER_UID: usize = 8;

/// Watches that there may be.
const MAX_WATCHES: usize = 65_536;
const KEPT_WATCHES: usize = 1_024;
const MAX_WATCHES_PER_UID: usize = 8_192;

/// Counts connections. Its lock is taken when one comes or goes, on one thread, so that it is never waited for.
pub(super) struct Admission {
    limits: Mutex<(usize, usize)>,
    roster: Mutex<Roster>,
    empty: Notify,
    questions: Arc<Mutex<Shares>>,
    lists: Arc<Mutex<Shares>>,
    watches: Arc<Mutex<Shares>>,
}

#[derive(Default)]
struct Roster {
    /// One for each connection, to wake them all when the daemon stops.
    wakers: Slab<Option<Waker>>,
    /// How many connections each user has that has any.
    users: HashMap<u32, Arc<AtomicUsize>>,
}

/// A connection's place; given back on drop.
pub(super) struct Place {
    admission: Arc<Admission>,
    number: usize,
    asker: Asker,
    /// How many connections this user has.
    connections: Arc<AtomicUsize>,
}

/// A place among the open questions, lists or watches; given back on drop.
#[derive(Debug)]
pub(super) struct Permit {
    shares: Arc<Mutex<Shares>>,
    uid: u32,
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limits: Mutex::new((limits.max_connections, limits.max_connections_per_uid)),
            roster: Mutex::default(),
            empty: Notify::new(),
            questions: Arc::new(Mutex::new(Shares::new(MAX_QUESTIONS, KEPT_QUESTIONS))),
            lists: Arc::new(Mutex::new(Shares::new(MAX_LISTS, KEPT_LISTS).at_most(MAX_LISTS_PER_UID))),
            watches: Arc::new(Mutex::new(Shares::new(MAX_WATCHES, KEPT_WATCHES).at_most(MAX_WATCHES_PER_UID))),
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

impl Place {
    /// Takes a place, if there is one for this user.
    pub(super) fn take(admission: &Arc<Admission>, uid: u32, superuser: bool) -> Result<Self, ErrorReply> {
        let (max, per_uid) = *lock(&admission.limits);
        // A tiny limit is not eaten up by what is kept back.
        let open_to_all = max - RESERVED_CONNECTIONS.min(max / 2);
        let mut roster = lock(&admission.roster);
        let limit = if superuser { max } else { open_to_all };
        if roster.wakers.len() >= limit {
            return Err(errors::too_many_connections(limit));
        }
        let connections = roster.users.get(&uid).map(Arc::clone).unwrap_or_default();
        if connections.load(Ordering::Relaxed) >= per_uid {
            return Err(errors::too_many_connections_of_uid(uid, per_uid));
        }
        connections.fetch_add(1, Ordering::Relaxed);
        roster.users.insert(uid, Arc::clone(&connections));
        let number = roster.wakers.insert(None);
        Ok(Self { admission: Arc::clone(admission), number, asker: Asker { uid, superuser }, connections })
    }

    /// Says how this connection is woken.
    pub(super) fn set_waker(&self, waker: Waker) {
        if let Some(place) = lock(&self.admission.roster).wakers.get_mut(self.number) {
            *place = Some(waker);
        }
    }

    /// The user at the other end.
    pub(super) fn asker(&self) -> Asker {
        self.asker
    }

    /// How many connections the user at the other end has, this one included.
    pub(super) fn connections_of_user(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(super) fn question(&self) -> Result<Permit, NoPlace> {
        Permit::take(&self.admission.questions, self.asker)
    }

    pub(super) fn list(&self) -> Result<Permit, NoPlace> {
        Permit::take(&self.admission.lists, self.asker)
    }

    pub(super) fn watch(&self) -> Result<Permit, NoPlace> {
        Permit::take(&self.admission.watches, self.asker)
    }
}

impl Permit {
    fn take(shares: &Arc<Mutex<Shares>>, asker: Asker) -> Result<Self, NoPlace> {
        lock(shares).take(asker)?;
        Ok(Self { shares: Arc::clone(shares), uid: asker.uid })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let admission = &self.admission;
        let mut roster = lock(&admission.roster);
        roster.wakers.try_remove(self.number);
        if self.connections.fetch_sub(1, Ordering::Relaxed) == 1 {
            roster.users.remove(&self.asker.uid);
        }
        if roster.wakers.is_empty() {
            admission.empty.notify_one();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        lock(&self.shares).give_back(self.uid);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is changed in single steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
