//! A program that runs for a secret: its session, its pipes and its end.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};
use tokend_proto::Secret;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::error::{MAX_SECRET, SecretError};
use super::said::{Said, Saying};
use super::session::{self, pidfd};
use super::text::secret_from;

/// What is taken at once of what a command says on its standard error.
const CHUNK: usize = 4096;

/// What of it is taken after the command has ended: as much as a pipe holds.
const MOST_AFTER_THE_END: usize = 64 * 1024;

/// A program to run.
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<String>,
    /// All of its environment.
    pub(super) variables: Vec<(&'static str, OsString)>,
}

impl Program {
    /// Starts it. This may hang.
    pub(super) fn start(self) -> Result<Child, SecretError> {
        let not_started = |error: io::Error| SecretError::NotStarted { why: error.kind().to_string() };
        self.touch();
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.variables)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A session of its own has no terminal: who asks there fails at once, instead of being stopped by it.
        let mut command = CommandWrap::from(command);
        let child = command.wrap(ProcessSession).spawn().map_err(not_started)?;
        Ok(Child::new(child.into_inner()))
    }

    /// What hangs shall do so here and not in the new process, which has our descriptors until the program is loaded,
    /// and with them the lock on the state folder. That it fails says nothing: a program need not be readable.
    fn touch(&self) {
        let _ = std::fs::File::open(&self.path).and_then(|mut file| file.read(&mut [0]));
    }
}

/// It runs. When this is dropped it is killed and reaped, and until it is reaped its number is nobody else's.
pub(super) struct Child {
    child: Box<dyn ChildWrapper>,
    leader: Arc<Leader>,
}

/// The number of the process, of its group and of its session, as long as it may be used.
struct Leader(Mutex<Option<Pid>>);

/// Ends the command when it is dropped.
pub(super) struct Ender {
    leader: Arc<Leader>,
    number: Pid,
}

impl Child {
    fn new(child: Box<dyn ChildWrapper>) -> Self {
        let number = i32::try_from(child.id()).expect("the kernel's numbers of processes are below 2^22");
        Self { child, leader: Arc::new(Leader(Mutex::new(Some(Pid::from_raw(number))))) }
    }

    fn number(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("as when it was started"))
    }

    pub(super) fn ender(&self) -> Ender {
        Ender { leader: Arc::clone(&self.leader), number: self.number() }
    }

    /// Takes what it prints until it ends. Nobody waits for other processes that still hold the pipes then.
    pub(super) fn attend(mut self, deadline: Instant, limit: Duration) -> Result<Secret, SecretError> {
        let failed = |error: io::Error| SecretError::Io { why: error.kind().to_string() };
        let ended = pidfd(self.number()).map_err(failed)?;
        let mut pipes = Pipes::of(&mut *self.child).map_err(failed)?;
        while !pipes.wait(&ended, deadline).map_err(failed)? {
            if deadline <= Instant::now() {
                session::kill(self.number());
                return Err(SecretError::TimedOut { limit, said: pipes.said() });
            }
            pipes.take().map_err(failed)?;
            if pipes.length > MAX_SECRET {
                return Err(SecretError::TooLong);
            }
        }
        self.leader.kill();
        pipes.take_rest().map_err(failed)?;
        let status = self.reap().map_err(failed)?;
        match status.success() {
            true => secret_from(pipes.printed()).map_err(|problem| match problem {
                SecretError::Empty => SecretError::NothingPrinted { said: pipes.said() },
                other => other,
            }),
            false => Err(SecretError::CommandFailed { how: status.to_string(), said: pipes.said() }),
        }
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        self.leader.end();
        self.child.wait()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Where it was reaped this gives its status again.
        let _ = self.reap();
    }
}

impl Leader {
    fn kill(&self) {
        if let Some(pid) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            // ESRCH means that nothing is left of the group.
            let _ = killpg(pid, Signal::SIGKILL);
        }
    }

    /// Kills it for the last time: it is going to be reaped.
    fn end(&self) {
        self.kill();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Ender {
    pub(super) fn number(&self) -> String {
        self.number.to_string()
    }
}

impl Drop for Ender {
    fn drop(&mut self) {
        self.leader.kill();
    }
}

/// What it prints and says.
struct Pipes {
    out: Option<ChildStdout>,
    err: Option<ChildStderr>,
    /// As long as what is accepted, and one byte more. It is not moved while it fills: no unwiped copy is left behind.
    bytes: Zeroizing<Vec<u8>>,
    length: usize,
    saying: Saying,
}

impl Pipes {
    fn of(child: &mut dyn ChildWrapper) -> io::Result<Self> {
        let (out, err) = (child.stdout().take(), child.stderr().take());
        for pipe in out.iter().map(AsFd::as_fd).chain(err.iter().map(AsFd::as_fd)) {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        let bytes = Zeroizing::new(vec![0; MAX_SECRET + 1]);
        Ok(Self { out, err, bytes, length: 0, saying: Saying::default() })
    }

    /// Until there is something to take, or the time is over, or the process has `ended`: then true.
    fn wait(&self, ended: &OwnedFd, deadline: Instant) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let pipes = self.out.iter().map(AsFd::as_fd).chain(self.err.iter().map(AsFd::as_fd));
        let mut all: Vec<_> =
            std::iter::once(ended.as_fd()).chain(pipes).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut all, left) {
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
            Ok(_) => Ok(all[0].any().unwrap_or(true)),
        }
    }

    /// Once of each, so that a command that says much does not keep us from looking at the time.
    fn take(&mut self) -> io::Result<()> {
        self.take_printed()?;
        self.take_said()?;
        Ok(())
    }

    /// All that is in them, up to a bound.
    fn take_rest(&mut self) -> io::Result<()> {
        while self.take_printed()? {}
        let mut taken = 0;
        while taken < MOST_AFTER_THE_END {
            match self.take_said()? {
                0 => break,
                more => taken += more,
            }
        }
        Ok(())
    }

    /// Whether there may be more to take.
    fn take_printed(&mut self) -> io::Result<bool> {
        let taken = read(&mut self.out, &mut self.bytes[self.length..])?;
        self.length += taken;
        Ok(taken > 0 && self.length <= MAX_SECRET)
    }

    fn take_said(&mut self) -> io::Result<usize> {
        let mut chunk = Zeroizing::new([0; CHUNK]);
        let taken = read(&mut self.err, &mut *chunk)?;
        self.saying.push(&chunk[..taken]);
        Ok(taken)
    }

    /// A copy that is no longer than it is.
    fn printed(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.bytes[..self.length].to_vec())
    }

    fn said(&self) -> Said {
        self.saying.last_line(&self.bytes[..self.length])
    }
}

/// Nothing where nothing is there now; at its end the pipe is closed.
fn read(pipe: &mut Option<impl Read>, buffer: &mut [u8]) -> io::Result<usize> {
    let Some(open) = pipe else { return Ok(0) };
    match open.read(buffer) {
        Ok(0) => {
            *pipe = None;
            Ok(0)
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
        result => result,
    }
}
