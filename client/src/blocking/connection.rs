//! One connection, with one request at a time on it.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};
use tokend_proto::{LENGTH_PREFIX, frame_length};
use zeroize::Zeroizing;

use crate::ProtocolError;
use crate::wire::{Answer, Failure, IDLE_CLOSE, read_frame};

/// Room for a usual token; a longer answer takes a second read.
const INBOX: usize = 4 * 1024;

/// The system takes a time-out of zero as no time-out.
const SHORTEST: Duration = Duration::from_millis(1);

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    /// Whether an answer ever came.
    worked: bool,
    /// When the last answer came, if the connection can be used again.
    idle: Option<Instant>,
}

/// An answer, or `None` when the deadline passed.
type Outcome = Result<Option<Answer>, Failure>;

impl Connection {
    /// Connects. If the daemon's backlog is full, it waits up to `time`.
    pub(super) fn open(path: &Path, time: Duration) -> io::Result<Self> {
        let address = SockAddr::unix(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // Set before connecting: connecting blocks on a full backlog, and only this time-out ends that (unix(7),
        // socket(7)).
        socket.set_write_timeout(Some(time.max(SHORTEST)))?;
        while let Err(error) = socket.connect(&address) {
            if error.kind() != ErrorKind::Interrupted {
                return Err(error);
            }
        }
        Ok(Self { stream: OwnedFd::from(socket).into(), worked: false, idle: None })
    }

    /// Whether another request may use it: no answer is open, and the daemon does not close it as idle yet.
    pub(super) fn is_free(&self) -> bool {
        self.idle.is_some_and(|since| since.elapsed() < IDLE_CLOSE)
    }

    /// Whether an answer ever came.
    pub(super) fn has_worked(&self) -> bool {
        self.worked
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask(&mut self, id: u64, frame: &[u8], deadline: Instant) -> Outcome {
        self.idle = None;
        let written = self.stream.write_all(frame);
        // A daemon that reads nothing may have said why: read its answer first.
        match self.read_answer(id, deadline) {
            Err(Failure::Broken) if written.is_err() => Err(Failure::NotSent),
            outcome => outcome,
        }
    }

    fn read_answer(&mut self, id: u64, deadline: Instant) -> Outcome {
        let mut inbox = Zeroizing::new(vec![0; INBOX]);
        let mut filled = 0;
        loop {
            if let Some((&prefix, rest)) = inbox[..filled].split_first_chunk::<LENGTH_PREFIX>() {
                let length = frame_length(prefix).map_err(|error| Failure::Protocol(error.into()))?;
                if rest.len() >= length {
                    let (answers, result) = read_frame(&rest[..length])?;
                    if answers != id {
                        return Err(Failure::Protocol(ProtocolError::UnknownRequest(answers)));
                    }
                    self.worked = true;
                    // More than the one answer that was due: do not use this connection again.
                    self.idle = (rest.len() == length).then(now);
                    return result.map(Some);
                }
                if inbox.len() < LENGTH_PREFIX + length {
                    let mut larger = Zeroizing::new(vec![0; LENGTH_PREFIX + length]);
                    larger[..filled].copy_from_slice(&inbox[..filled]);
                    inbox = larger;
                }
            }
            match self.read(&mut inbox[filled..], deadline)? {
                Some(count) => filled += count,
                None => return Ok(None),
            }
        }
    }

    /// Reads some bytes. `None`: the deadline passed.
    fn read(&mut self, room: &mut [u8], deadline: Instant) -> Result<Option<usize>, Failure> {
        loop {
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left.max(SHORTEST))).map_err(|_| Failure::Broken)?;
            match self.stream.read(room) {
                Ok(0) => return Err(Failure::Broken),
                Ok(count) => return Ok(Some(count)),
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(_) => return Err(Failure::Broken),
            }
        }
    }
}

/// The only clock of the blocking client. It times the client's own time-outs, which need not count a suspend.
#[expect(clippy::disallowed_methods, reason = "a caller's patience is no deadline of a token's")]
pub(super) fn now() -> Instant {
    Instant::now()
}
