//! Moments at which tasks of the socket's thread are woken.
//!
//! One timer for all of them, set to the first. tokio's own timers would have the thread read the clock twice, and the
//! kernel set a time-out, whenever it waits for its peers. This one is only touched when somebody has to be woken
//! before it goes off; one that goes off for nobody, because the task that set it has gone, is set to the next moment
//! then.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::Clock;
use crate::core::time::BootTime;
use crate::os::timer::BootTimer;

/// All moments, and the timer.
pub(super) struct Alarms {
    clock: Arc<dyn Clock>,
    timer: BootTimer,
    /// Its lock is taken on the socket's thread alone, so that it is never waited for.
    queue: Mutex<Queue>,
}

struct Queue {
    moments: BTreeMap<Key, Waker>,
    next: NonZeroU64,
    /// What the timer is set to, until it has gone off. Nobody is to be woken before.
    set: Option<BootTime>,
}

/// A moment, and a number that tells apart who has the same one.
type Key = (BootTime, NonZeroU64);

/// One task's alarm. Dropping it takes it back.
pub(super) struct Alarm {
    alarms: Arc<Alarms>,
    key: Option<Key>,
}

impl Alarms {
    /// Belongs to the runtime it is made in.
    pub(super) fn new(clock: Arc<dyn Clock>) -> io::Result<Self> {
        let queue = Queue { moments: BTreeMap::new(), next: NonZeroU64::MIN, set: None };
        Ok(Self { clock, timer: BootTimer::new()?, queue: Mutex::new(queue) })
    }

    /// Wakes the tasks that are due. Never ends; one task runs it.
    pub(super) async fn ring(&self) {
        // The runtime is going down when this fails, and nobody waits any more.
        while self.timer.expired().await.is_ok() {
            let now = self.clock.boot();
            let mut queue = self.lock();
            let later = queue.moments.split_off(&(now, NonZeroU64::MAX));
            let due = std::mem::replace(&mut queue.moments, later);
            queue.set = None;
            self.set_timer(&mut queue, now);
            drop(queue);
            due.into_values().for_each(Waker::wake);
        }
    }

    fn set_timer(&self, queue: &mut Queue, now: BootTime) {
        let Some(&(first, _)) = queue.moments.keys().next() else { return };
        if queue.set.is_some_and(|set| set <= first) {
            return;
        }
        match self.timer.set_in(first.since(now)) {
            Ok(()) => queue.set = Some(first),
            Err(error) => tracing::error!(%error, "the timer of the connections cannot be set"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // What it guards is changed in single steps.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alarm {
    pub(super) fn new(alarms: &Arc<Alarms>) -> Self {
        Self { alarms: Arc::clone(alarms), key: None }
    }

    /// Has the task woken at `moment` at the latest. An alarm that would go off before is left as it is: a deadline
    /// that moves on, as with every request, costs nothing until then.
    pub(super) fn set(&mut self, waker: &Waker, now: BootTime, moment: BootTime) {
        if self.key.is_some_and(|(set, _)| now < set && set <= moment) {
            return;
        }
        let mut queue = self.alarms.lock();
        if let Some(key) = self.key {
            queue.moments.remove(&key);
        }
        let key = (moment, queue.next);
        queue.next = queue.next.saturating_add(1);
        queue.moments.insert(key, waker.clone());
        self.alarms.set_timer(&mut queue, now);
        self.key = Some(key);
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.alarms.lock().moments.remove(&key);
        }
    }
}

/// Waits for so long.
pub(super) async fn sleep(alarms: &Arc<Alarms>, span: Duration) {
    let mut alarm = Alarm::new(alarms);
    let until = alarms.clock.boot() + span;
    poll_fn(|cx| {
        let now = alarms.clock.boot();
        if until <= now {
            return Poll::Ready(());
        }
        alarm.set(cx.waker(), now, until);
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
#[path = "tests/deadlines.rs"]
mod tests;
