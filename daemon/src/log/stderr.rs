//! Standard error, for code that may not hang: a pipe may be full while nobody reads it, ^S may hold a terminal.
//!
//! Not `std::io::stderr()`, whose lock one thread that hangs in a write keeps from all others.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long words to the operator may take in all, [`say`].
const PATIENCE: Duration = Duration::from_secs(1);

/// Somebody's patience is over: nobody else waits.
static STUCK: AtomicBool = AtomicBool::new(false);

/// Tells the operator a line, and gives up after a second: it is nothing that an end or a start waits for.
pub fn say(line: &str) {
    if !STUCK.load(Ordering::Relaxed) && !say_to(io::stderr(), line, PATIENCE) {
        STUCK.store(true, Ordering::Relaxed);
    }
}

/// As [`say`]; whether it was done in time.
fn say_to(stream: impl AsFd + Send + 'static, line: &str, patience: Duration) -> bool {
    let line = format!("{line}\n");
    let (done, is_done) = mpsc::channel();
    // A write to a terminal may hang though poll(2) promised room: only a thread that nobody joins can be left behind.
    let writer = thread::Builder::new().name("stderr".into()).spawn(move || {
        let _ = Unlocked(stream).write_all(line.as_bytes());
        let _ = done.send(());
    });
    // Without a thread nothing is said: the system has no room for one, and a write might never return.
    writer.is_ok() && is_done.recv_timeout(patience).is_ok()
}

/// Writes to a descriptor without a lock and without a buffer, and waits where it is full, even if who gave it to us
/// made it non-blocking.
#[derive(Debug, Clone)]
pub struct Unlocked<F>(pub F);

impl<F: AsFd> Write for Unlocked<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match nix::unistd::write(&self.0, bytes) {
                Err(Errno::EAGAIN) => {
                    let mut full = [PollFd::new(self.0.as_fd(), PollFlags::POLLOUT)];
                    poll(&mut full, PollTimeout::NONE)?;
                }
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_holds_nobody_up() {
        let (reader, writer) = io::pipe().unwrap();
        let line = "x".repeat(100_000);
        assert!(!say_to(writer, &line, Duration::from_millis(50)));
        drop(reader);
    }

    #[test]
    fn a_line_arrives_whole_even_where_the_pipe_is_non_blocking() {
        let (mut reader, writer) = io::pipe().unwrap();
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let read = thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        let line = "x".repeat(1_000_000);
        assert!(say_to(writer, &line, Duration::from_secs(60)));
        assert_eq!(read.join().unwrap().unwrap(), line + "\n");
    }
}
