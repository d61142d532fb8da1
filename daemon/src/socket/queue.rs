//! The queue to the core's thread: users take turns.
//!
//! A user who has thousands of questions in it holds nobody up, because the next message is one of the next user. It
//! has places that users share; what ends a question needs none, so that it always gets through: there is never more of
//! it than there were questions.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::errors::Refused;
use super::message::Message;
use crate::core::id::{Asker, WaiterId};
use crate::core::shares::Shares;

/// Of so many places one is kept for root and the daemon's own user.
const KEPT_IN: usize = 16;

/// The socket's end.
#[derive(Debug)]
pub struct ToCore(Arc<Queue>);

/// The core's end.
#[derive(Debug)]
pub struct Messages(Arc<Queue>);

/// A place that is taken.
#[must_use]
pub(super) struct Slot<'a> {
    queue: &'a Queue,
    uid: u32,
}

#[derive(Debug)]
struct Queue {
    lanes: Mutex<Lanes>,
    arrived: Notify,
}

#[derive(Debug)]
struct Lanes {
    /// One for each user that has something in it; none is empty.
    by_user: BTreeMap<u32, VecDeque<Message>>,
    /// These users, the next one first.
    turns: VecDeque<u32>,
    places: Shares,
    ended: bool,
}

/// A queue for so many questions.
#[must_use]
pub fn queue(places: usize) -> (ToCore, Messages) {
    let lanes = Lanes {
        by_user: BTreeMap::new(),
        turns: VecDeque::new(),
        places: Shares::new(places, places / KEPT_IN),
        ended: false,
    };
    let queue = Arc::new(Queue { lanes: Mutex::new(lanes), arrived: Notify::new() });
    (ToCore(Arc::clone(&queue)), Messages(queue))
}

impl ToCore {
    /// Takes a place for a question or a reload.
    pub(super) fn reserve(&self, asker: Asker) -> Result<Slot<'_>, Refused> {
        let mut lanes = self.0.lock();
        if lanes.ended {
            return Err(Refused::Ended);
        }
        lanes.places.take(asker).map_err(Refused::Full)?;
        Ok(Slot { queue: &self.0, uid: asker.uid })
    }

    /// These questions of a user need no answer any more.
    pub(super) fn leave(&self, uid: u32, waiters: Vec<WaiterId>) {
        self.0.push(uid, Message::Leave(waiters));
    }
}

impl Slot<'_> {
    pub(super) fn send(self, message: Message) {
        self.queue.push(self.uid, message);
    }
}

impl Messages {
    /// The next message; `None` once the socket's thread has ended and all is taken. May be given up and called again.
    pub async fn recv(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.try_recv() {
                return Some(message);
            }
            if self.0.lock().ended {
                return None;
            }
            self.0.arrived.notified().await;
        }
    }

    /// The next message, if there is one.
    pub fn try_recv(&mut self) -> Option<Message> {
        self.0.lock().pop()
    }

    /// Lets nothing more in.
    pub fn close(&mut self) {
        self.0.lock().ended = true;
    }
}

impl Queue {
    fn push(&self, uid: u32, message: Message) {
        let mut lanes = self.lock();
        if lanes.ended {
            return;
        }
        let Lanes { by_user, turns, .. } = &mut *lanes;
        match by_user.entry(uid) {
            Entry::Occupied(lane) => lane.into_mut().push_back(message),
            Entry::Vacant(lane) => {
                turns.push_back(uid);
                lane.insert(VecDeque::from([message]));
            }
        }
        drop(lanes);
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        // What it guards is whole after each step.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn pop(&mut self) -> Option<Message> {
        let uid = self.turns.pop_front()?;
        let lane = self.by_user.get_mut(&uid)?;
        let message = lane.pop_front();
        if lane.is_empty() {
            self.by_user.remove(&uid);
        } else {
            self.turns.push_back(uid);
        }
        if matches!(message, Some(Message::Ask { .. } | Message::Reload { .. })) {
            self.places.give_back(uid);
        }
        message
    }
}

impl Drop for ToCore {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.arrived.notify_one();
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        let mut lanes = self.0.lock();
        lanes.ended = true;
        lanes.turns.clear();
        // Whose peers hear that their questions were lost.
        let lost = std::mem::take(&mut lanes.by_user);
        drop(lanes);
        drop(lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::shares::NoPlace;

    const ROOT: Asker = Asker { uid: 0, superuser: true };

    fn user(uid: u32) -> Asker {
        Asker { uid, superuser: false }
    }

    /// Puts in one that is counted, and told apart by its number.
    fn put(to_core: &ToCore, asker: Asker, number: u64) -> Result<(), Refused> {
        let slot = to_core.reserve(asker)?;
        let (sender, _) = tokio::sync::mpsc::unbounded_channel();
        let waiter = WaiterId(number);
        let question = crate::core::input::Question::Resolve {
            profile: "msp".parse().expect("a profile"),
            workspace_name: "Tenant".into(),
        };
        slot.send(Message::Ask { waiter, asker, question, reply: super::super::ReplyTo::new(waiter, sender) });
        Ok(())
    }

    fn number(message: Option<Message>) -> u64 {
        match message {
            Some(Message::Ask { waiter, .. }) => waiter.0,
            Some(Message::Leave(waiters)) => waiters[0].0,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn users_take_turns_and_each_of_them_is_served_in_order() {
        let (to_core, mut messages) = queue(4_096);
        for at in 0..1_000 {
            put(&to_core, user(1), at).unwrap();
        }
        put(&to_core, user(2), 2_000).unwrap();
        put(&to_core, ROOT, 3_000).unwrap();
        to_core.leave(2, vec![WaiterId(2_000)]);
        let order: Vec<u64> = (0..6).map(|_| number(messages.try_recv())).collect();
        assert_eq!(order, [0, 2_000, 3_000, 1, 2_000, 2]);
    }

    #[test]
    fn a_user_leaves_room_for_others_and_all_of_them_for_root() {
        let (to_core, mut messages) = queue(160);
        for uid in 1..=500 {
            while put(&to_core, user(uid), 1).is_ok() {}
        }
        assert_eq!(put(&to_core, user(501), 1), Err(Refused::Full(NoPlace::Left)));
        for _ in 0..10 {
            put(&to_core, ROOT, 2).unwrap();
        }
        to_core.leave(1, vec![WaiterId(7)]);
        let taken = std::iter::from_fn(|| messages.try_recv()).count();
        assert_eq!(taken, 161, "what ends a question needs no place");
        assert!(put(&to_core, user(1), 1).is_ok(), "places are given back");
    }

    #[test]
    fn each_end_notices_that_the_other_one_is_gone() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (to_core, mut messages) = queue(16);
        put(&to_core, ROOT, 1).unwrap();
        drop(to_core);
        assert_eq!(number(runtime.block_on(messages.recv())), 1);
        assert!(runtime.block_on(messages.recv()).is_none());

        let (to_core, messages) = queue(16);
        drop(messages);
        assert_eq!(put(&to_core, ROOT, 1), Err(Refused::Ended));
    }
}
