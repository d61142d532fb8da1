//! Work that may hang: a file of a dead mount, a directory service that does not answer. It runs on a thread of its own
//! that nobody joins, so that whoever asked goes on when its patience is over. tokio's own pool is not used: it is
//! shared with other work, and a runtime may wait for it.
//!
//! Work is named by a key, such as a path. One thread works for a key at a time, and takes further work of that key when
//! it is done: a file that hangs costs one thread, however often it is asked for.

use std::collections::{HashMap, VecDeque};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// Threads at a time, each with a descriptor or two. A machine on which so many paths hang is not helped by one more.
pub(super) const MAX_THREADS: usize = 32;

/// Work that waits for the thread of one key.
const MAX_QUEUED: usize = 256;

/// Hardly anything is kept on such a thread's stack; a look-up of users loads libraries and calls into them.
const STACK: usize = 512 * 1024;

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undone {
    /// It may still come to an end; nobody waits for that.
    #[error("there was no answer within {} s", .0.as_secs())]
    Hangs(Duration),
    /// It has not begun.
    #[error("too much else hangs already")]
    Crowded,
    /// The system gives no thread.
    #[error("it could not be done")]
    Failed,
}

/// A piece of work, and who waits for it.
trait Work: Send {
    fn is_wanted(&self) -> bool;
    fn work(self: Box<Self>);
}

struct Task<T, F> {
    done: oneshot::Sender<T>,
    work: F,
}

impl<T: Send, F: FnOnce() -> T + Send> Work for Task<T, F> {
    fn is_wanted(&self) -> bool {
        !self.done.is_closed()
    }

    fn work(self: Box<Self>) {
        let _ = self.done.send((self.work)());
    }
}

/// The keys that a thread works for, each with what comes next.
type Keys = HashMap<String, VecDeque<Box<dyn Work>>>;

static KEYS: LazyLock<Mutex<Keys>> = LazyLock::new(Mutex::default);

/// Does this on the thread of `key` and waits no longer than `patience`.
///
/// # Errors
/// When that is over, or there is no thread for it.
pub async fn within<T: Send + 'static>(
    key: &str,
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Undone> {
    let result = begin(key, work)?;
    match tokio::time::timeout(patience, result).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(Undone::Failed),
        Err(_) => Err(Undone::Hangs(patience)),
    }
}

/// As [`within`], for a thread that may wait and has no runtime.
///
/// # Errors
/// As [`within`].
pub fn wait_within<T: Send + 'static>(
    key: &str,
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Undone> {
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|_| Undone::Failed)?;
    clock.block_on(within(key, patience, work))
}

fn begin<T: Send + 'static>(
    key: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, Undone> {
    let (done, result) = oneshot::channel();
    let work: Box<dyn Work> = Box::new(Task { done, work });
    let mut keys = keys();
    if let Some(queue) = keys.get_mut(key) {
        queue.retain(|work| work.is_wanted());
        if queue.len() >= MAX_QUEUED {
            return Err(Undone::Crowded);
        }
        queue.push_back(work);
        return Ok(result);
    }
    if keys.len() >= MAX_THREADS {
        return Err(Undone::Crowded);
    }
    let owned = key.to_owned();
    let thread = std::thread::Builder::new().name("detached".into()).stack_size(STACK);
    thread.spawn(move || work_for(&owned, work)).map_err(|_| Undone::Failed)?;
    keys.insert(key.to_owned(), VecDeque::new());
    Ok(result)
}

fn work_for(key: &str, first: Box<dyn Work>) {
    let mut next = Some(first);
    while let Some(work) = next {
        if work.is_wanted() {
            work.work();
        }
        let mut keys = keys();
        next = keys.get_mut(key).and_then(VecDeque::pop_front);
        if next.is_none() {
            keys.remove(key);
        }
    }
}

fn keys() -> MutexGuard<'static, Keys> {
    // It is changed in single steps.
    KEYS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn is_idle(key: &str) -> bool {
        !keys().contains_key(key)
    }

    #[test]
    fn what_hangs_is_left_alone_and_costs_one_thread_however_often_it_is_asked_for() {
        let (release, released) = mpsc::channel::<()>();
        let moment = Duration::from_millis(1);
        let hangs = wait_within("hangs", moment, move || released.recv().is_ok());
        assert_eq!(hangs, Err(Undone::Hangs(moment)));
        for _ in 0..2 * MAX_QUEUED {
            assert_eq!(wait_within("hangs", moment, || true), Err(Undone::Hangs(moment)));
        }
        assert_eq!(wait_within("another", LONG, || 7), Ok(7), "another key does not wait for it");
        release.send(()).unwrap();
        assert_eq!(wait_within("hangs", LONG, || 8), Ok(8), "what comes after it is done when it has ended");
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_not_begun() {
        let (release, released) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel::<()>();
        let moment = Duration::from_millis(1);
        assert!(wait_within("given up", moment, move || released.recv().is_ok()).is_err());
        assert!(wait_within("given up", moment, move || began.send(()).is_ok()).is_err());
        release.send(()).unwrap();
        assert_eq!(wait_within("given up", LONG, || ()), Ok(()));
        assert!(begun.try_recv().is_err());
    }

    #[test]
    fn work_for_one_key_is_bounded() {
        let (release, released) = mpsc::channel::<()>();
        let mut results = vec![begin("bounded", move || released.recv().is_ok()).unwrap()];
        results.extend((0..MAX_QUEUED).map(|_| begin("bounded", || true).unwrap()));
        assert_eq!(begin("bounded", || true).unwrap_err(), Undone::Crowded);
        release.send(()).unwrap();
        for result in results {
            assert!(result.blocking_recv().unwrap());
        }
        while !is_idle("bounded") {
            std::thread::yield_now();
        }
    }
}
