//! Proof of life: the service manager restarts a daemon that it has not heard of for `WatchdogSec=`.
//!
//! Each of the two threads answers in its own loop, twice in that time, and whichever answers as the second one of a
//! round tells the manager. So the manager hears of it only while both are alive, and for each round each thread is
//! woken once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use std::{env, io};

use super::notify::{Message, Notifier};
use crate::os::timer::Interval;

/// A thread that has to be alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thread {
    /// Serves the socket.
    Socket,
    /// Decides, and does what was decided.
    Core,
}

impl Thread {
    const fn bit(self) -> u8 {
        match self {
            Self::Socket => 1,
            Self::Core => 2,
        }
    }
}

const BOTH: u8 = Thread::Socket.bit() | Thread::Core.bit();

/// Shared by both threads.
#[derive(Debug)]
pub struct Watchdog {
    interval: Duration,
    notifier: Notifier,
    /// Who has answered since the manager was last told.
    answered: AtomicU8,
}

impl Watchdog {
    /// If the manager wants to hear of this process: `WATCHDOG_USEC`, `WATCHDOG_PID`, sd_watchdog_enabled(3).
    #[must_use]
    pub fn from_environment(notifier: &Notifier) -> Option<Arc<Self>> {
        let variable = |name| env::var(name).ok();
        let limit =
            limit(variable("WATCHDOG_USEC")?.as_str(), variable("WATCHDOG_PID").as_deref(), std::process::id())?;
        notifier.is_there().then(|| Arc::new(Self::new(limit, notifier.clone())))
    }

    fn new(limit: Duration, notifier: Notifier) -> Self {
        Self { interval: limit / 2, notifier, answered: AtomicU8::new(0) }
    }

    /// What a thread wakes up by to answer. Belongs to the runtime it is made in.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn interval(&self) -> io::Result<Interval> {
        Interval::new(self.interval)
    }

    /// This thread is alive. Whether the manager was told.
    pub fn answer(&self, thread: Thread) -> bool {
        let answered = self.answered.fetch_or(thread.bit(), Ordering::AcqRel) | thread.bit();
        let round =
            answered == BOTH && self.answered.compare_exchange(BOTH, 0, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if round {
            self.notifier.send(Message::Watchdog);
        }
        round
    }

    /// Answers for a thread, for ever. To be spawned on the runtime that is to be watched.
    pub async fn answer_for(self: Arc<Self>, thread: Thread) {
        let mut interval = match self.interval() {
            Ok(interval) => interval,
            Err(error) => return tracing::error!("the watchdog cannot be answered: {error}"),
        };
        while interval.tick().await.is_ok() {
            self.answer(thread);
        }
    }
}

/// How long the manager waits, if it waits for this process.
fn limit(microseconds: &str, watched: Option<&str>, this: u32) -> Option<Duration> {
    let limit = microseconds.parse().ok().filter(|limit| *limit > 0).map(Duration::from_micros);
    limit.filter(|_| watched.is_none_or(|watched| watched.parse() == Ok(this)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn watched() -> (tempfile::TempDir, UnixDatagram, Arc<Watchdog>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let notifier = Notifier::to(path.as_os_str()).unwrap();
        (folder, manager, Arc::new(Watchdog::new(Duration::from_millis(20), notifier)))
    }

    fn pings(manager: &UnixDatagram) -> usize {
        let mut buffer = [0; 64];
        std::iter::from_fn(|| manager.recv(&mut buffer).ok()).count()
    }

    #[test]
    fn one_side_alone_is_no_sign_of_life() {
        for (alive, other) in [(Thread::Socket, Thread::Core), (Thread::Core, Thread::Socket)] {
            let (_folder, manager, watchdog) = watched();
            for _ in 0..5 {
                assert!(!watchdog.answer(alive));
            }
            assert_eq!(pings(&manager), 0, "{other:?} is stuck");
            assert!(watchdog.answer(other));
            assert_eq!(pings(&manager), 1);
            assert!(!watchdog.answer(alive), "both have to answer again");
            assert!(!watchdog.answer(alive));
            assert_eq!(pings(&manager), 0);
            assert!(watchdog.answer(other));
            assert_eq!(pings(&manager), 1);
        }
    }

    #[test]
    fn a_stuck_runtime_does_not_answer() {
        let (_folder, manager, watchdog) = watched();
        manager.set_nonblocking(false).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (stick, stuck) = std::sync::mpsc::channel::<()>();
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let of_socket = Arc::clone(&watchdog);
        let socket = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.spawn(of_socket.answer_for(Thread::Socket));
            runtime.block_on(async {
                loop {
                    if stuck.try_recv().is_ok() {
                        // Not awaited: nothing else runs on this thread now.
                        let _ = held.recv();
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        });
        let mut buffer = [0; 64];
        for _ in 0..3 {
            watchdog.answer(Thread::Core);
            manager.recv(&mut buffer).expect("the socket's thread answers by itself");
        }
        stick.send(()).unwrap();
        // It may be in the midst of answering once more.
        manager.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let rounds = (0..4).filter(|_| {
            watchdog.answer(Thread::Core);
            manager.recv(&mut buffer).is_ok()
        });
        assert!(rounds.count() <= 1, "nobody answers for a thread that is stuck");
        hold.send(()).unwrap();
        socket.join().unwrap();
    }

    #[test]
    fn only_the_process_that_is_meant_answers() {
        assert_eq!(limit("60000000", None, 7), Some(Duration::from_secs(60)));
        assert_eq!(limit("60000000", Some("7"), 7), Some(Duration::from_secs(60)));
        for (microseconds, pid) in [("60000000", Some("8")), ("60000000", Some("")), ("0", None), ("soon", None)] {
            assert_eq!(limit(microseconds, pid, 7), None, "{microseconds} {pid:?}");
        }
    }

    #[test]
    fn both_sides_are_woken_twice_in_the_time_that_the_manager_waits() {
        assert_eq!(watched().2.interval, Duration::from_millis(10));
    }
}
