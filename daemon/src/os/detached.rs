//! Work that may hang: a file of a dead mount, a directory service that does not answer. It runs on a thread of its own
//! that nobody joins, so that the one who asked goes on when its patience is over. tokio's own pool is not used: it is
//! shared with other work, and a runtime may wait for it.
//!
//! Work is named by a key, such as a path. One thread works for a key at a time, and takes further work of that key
//! when it is done: a file that hangs costs one thread, however often it is asked for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// Work that waits for the thread of one key, or for any thread: more than there are profiles that name one file.
const MAX_QUEUED: usize = 1024;

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

/// What there is to do.
struct Queues {
    /// The keys that a thread works for, each with what comes next.
    keys: BTreeMap<String, VecDeque<Box<dyn Work>>>,
    /// Of other keys, for the next thread that has nothing more to do.
    waiting: VecDeque<(String, Box<dyn Work>)>,
}

/// Threads for one kind of work: what hangs of one kind takes none from another.
pub struct Threads {
    most: usize,
    queues: Mutex<Queues>,
}

/// For what has no threads of its own. A machine on which so much hangs is not helped by one more.
static OTHERS: Threads = Threads::new(64);

/// [`Threads::within`], for what has no threads of its own.
///
/// # Errors
/// As there.
pub async fn within<T: Send + 'static>(
    key: &str,
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Undone> {
    OTHERS.within(key, patience, work).await
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

impl Threads {
    /// At most this many at a time.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { most, queues: Mutex::new(Queues { keys: BTreeMap::new(), waiting: VecDeque::new() }) }
    }

    /// Does this on the thread of `key` and waits no longer than `patience`.
    ///
    /// # Errors
    /// When that is over, or there is no thread for it.
    pub async fn within<T: Send + 'static>(
        &'static self,
        key: &str,
        patience: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let result = self.begin(key, work)?;
        match tokio::time::timeout(patience, result).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(Undone::Failed),
            Err(_) => Err(Undone::Hangs(patience)),
        }
    }

    /// As [`Threads::within`], without an end to the patience.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub(crate) fn begin<T: Send + 'static>(
        &'static self,
        key: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, Undone> {
        let (done, result) = oneshot::channel();
        let work: Box<dyn Work> = Box::new(Task { done, work });
        let Queues { keys, waiting } = &mut *self.lock();
        if let Some(queue) = keys.get_mut(key) {
            queue.retain(|work| work.is_wanted());
            if queue.len() >= MAX_QUEUED {
                return Err(Undone::Crowded);
            }
            queue.push_back(work);
            return Ok(result);
        }
        if keys.len() >= self.most {
            waiting.retain(|(_, work)| work.is_wanted());
            if waiting.len() >= MAX_QUEUED {
                return Err(Undone::Crowded);
            }
            waiting.push_back((key.to_owned(), work));
            return Ok(result);
        }
        let owned = key.to_owned();
        let thread = std::thread::Builder::new().name("detached".into()).stack_size(STACK);
        thread.spawn(move || self.work_on(owned, work)).map_err(|_| Undone::Failed)?;
        keys.insert(key.to_owned(), VecDeque::new());
        Ok(result)
    }

    fn work_on(&self, mut key: String, mut work: Box<dyn Work>) {
        loop {
            if work.is_wanted() {
                work.work();
            }
            match self.lock().next(key) {
                Some(next) => (key, work) = next,
                None => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        // They are changed in single steps.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    /// What a thread that worked for `key` does next.
    fn next(&mut self, key: String) -> Option<(String, Box<dyn Work>)> {
        if let Some(work) = self.keys.get_mut(&key).and_then(VecDeque::pop_front) {
            return Some((key, work));
        }
        self.keys.remove(&key);
        while let Some((key, work)) = self.waiting.pop_front() {
            match self.keys.get_mut(&key) {
                Some(queue) => queue.push_back(work),
                None => {
                    self.keys.insert(key.clone(), VecDeque::new());
                    return Some((key, work));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn is_idle(key: &str) -> bool {
        !OTHERS.lock().keys.contains_key(key)
    }

    /// Work of this key that goes on until the sender is used, and has begun.
    fn hanging(key: &str) -> (mpsc::Sender<()>, oneshot::Receiver<()>) {
        let (begin, begun) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let result = OTHERS.begin(key, move || {
            begin.send(()).unwrap();
            released.recv().unwrap();
        });
        begun.recv_timeout(LONG).unwrap();
        (release, result.unwrap())
    }

    #[test]
    fn what_hangs_is_left_alone_and_costs_one_thread_however_often_it_is_asked_for() {
        let (release, _result) = hanging("hangs");
        let moment = Duration::from_millis(1);
        for _ in 0..2 * MAX_QUEUED {
            assert_eq!(wait_within("hangs", moment, || true), Err(Undone::Hangs(moment)));
        }
        assert_eq!(wait_within("another", LONG, || 7), Ok(7), "another key does not wait for it");
        release.send(()).unwrap();
        assert_eq!(wait_within("hangs", LONG, || 8), Ok(8), "what comes after it is done when it has ended");
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_not_begun() {
        let (release, _result) = hanging("given up");
        let (began, begun) = mpsc::channel::<()>();
        assert!(wait_within("given up", Duration::from_millis(1), move || began.send(()).is_ok()).is_err());
        release.send(()).unwrap();
        assert_eq!(wait_within("given up", LONG, || ()), Ok(()));
        assert!(begun.try_recv().is_err());
    }

    #[test]
    fn work_of_one_kind_is_bounded_and_takes_no_threads_from_another() {
        static FEW: Threads = Threads::new(2);
        let (release, released) = mpsc::channel::<()>();
        let (other, released_too) = mpsc::channel::<()>();
        let first = FEW.begin("first", move || released.recv().is_ok()).unwrap();
        let second = FEW.begin("second", move || released_too.recv().is_ok()).unwrap();
        let mut later = vec![FEW.begin("third", || 3).unwrap(), FEW.begin("fourth", || 4).unwrap()];
        later.extend((0..MAX_QUEUED - 2).map(|_| FEW.begin("third", || 3).unwrap()));
        assert_eq!(FEW.begin("third", || 3).unwrap_err(), Undone::Crowded);
        assert_eq!(wait_within("third", LONG, || 7), Ok(7));
        assert!(later.iter_mut().all(|result| result.try_recv().is_err()));
        release.send(()).unwrap();
        assert!(first.blocking_recv().unwrap());
        let sum: usize = later.into_iter().map(|result| result.blocking_recv().unwrap()).sum();
        assert_eq!(sum, 3 * MAX_QUEUED + 1, "by the thread that came back");
        other.send(()).unwrap();
        assert!(second.blocking_recv().unwrap());
    }

    #[test]
    fn work_for_one_key_is_bounded() {
        let (release, released) = mpsc::channel::<()>();
        let mut results = vec![OTHERS.begin("bounded", move || released.recv().is_ok()).unwrap()];
        results.extend((0..MAX_QUEUED).map(|_| OTHERS.begin("bounded", || true).unwrap()));
        assert_eq!(OTHERS.begin("bounded", || true).unwrap_err(), Undone::Crowded);
        release.send(()).unwrap();
        for result in results {
            assert!(result.blocking_recv().unwrap());
        }
        while !is_idle("bounded") {
            std::thread::yield_now();
        }
    }
}
