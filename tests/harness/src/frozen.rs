//! One thread of a process that stands still while the others go on, ptrace(2).

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Between two looks whether the thread has ended.
const LOOK: Duration = Duration::from_millis(5);

/// A thread that stands still until this is dropped or its process is killed.
#[derive(Debug)]
pub struct Frozen {
    /// Closed to let it go.
    thaw: Option<Sender<()>>,
    tracer: Option<JoinHandle<()>>,
}

impl Frozen {
    /// Stops a thread, by its id. `None` where this process may not trace that one.
    ///
    /// # Panics
    /// When there is no such thread.
    #[must_use]
    pub fn freeze(thread: Pid) -> Option<Self> {
        let (thaw, thawed) = channel();
        let (stopped, is_stopped) = channel();
        // The tracer is one thread, and has to wait for what it traces: else a process that was killed would never
        // be gone, and its manager would not hear of its end.
        let tracer = std::thread::spawn(move || trace(thread, &stopped, &thawed));
        let frozen = Self { thaw: Some(thaw), tracer: Some(tracer) };
        match is_stopped.recv().expect("the tracer says how it went") {
            Ok(()) => Some(frozen),
            Err(Errno::EPERM) => None,
            Err(errno) => panic!("thread {thread} cannot be stopped: {errno}"),
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.thaw.take());
        if let Some(tracer) = self.tracer.take() {
            // Its panic has been printed.
            let _ = tracer.join();
        }
    }
}

fn trace(thread: Pid, stopped: &Sender<Result<(), Errno>>, thawed: &Receiver<()>) {
    let stop = || {
        ptrace::seize(thread, ptrace::Options::empty())?;
        ptrace::interrupt(thread)?;
        waitpid(thread, Some(WaitPidFlag::__WALL)).map(drop)
    };
    let outcome = stop();
    // Nobody listens any more when a test has failed.
    let _ = stopped.send(outcome);
    if outcome.is_err() {
        return;
    }
    while thawed.recv_timeout(LOOK) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
        match waitpid(thread, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => {}
            // It was killed, or has gone with its process.
            _ => return,
        }
    }
    let _ = ptrace::detach(thread, None);
}
