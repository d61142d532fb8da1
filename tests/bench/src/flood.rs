//! One user who asks as much as the daemon takes: a process of another user, which only root can start.
//!
//! It is this very program with another word on its command line. It takes one order a line on its standard input, a
//! kind of request and for how long, and says how many were answered.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Pid, Uid, setgid, setgroups, setuid};
use tokend_proto::{LENGTH_PREFIX, Millis, Request, codec, frame_length};

use super::BenchError;
use harness::Stopwatch;

/// The word on the command line that makes this program such a user.
pub const FLOOD: &str = "flood";

/// A user that owns nothing.
const UID: u32 = 65_534;

/// Connections, each with a thread of its own.
const CONNECTIONS: usize = 64;

/// Requests on each of them that are not answered yet.
const DEPTH: usize = 64;

/// How long the daemon may take for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a request of [`Kind::Wait`] waits for a token that does not come.
const WAIT: Millis = Millis(100);

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first page of all names.
    Status,
    /// Why a name is as it is.
    Explain,
    /// A token that there is not.
    Wait,
    /// Nothing, so many times a second.
    Ping(u64),
}

impl Kind {
    fn of(words: &[&str]) -> Option<Self> {
        match words {
            ["status"] => Some(Self::Status),
            ["explain"] => Some(Self::Explain),
            ["wait"] => Some(Self::Wait),
            ["ping", rate] => Some(Self::Ping(rate.parse().ok()?)),
            _ => None,
        }
    }

    fn order(self) -> String {
        match self {
            Self::Status => "status".to_owned(),
            Self::Explain => "explain".to_owned(),
            Self::Wait => "wait".to_owned(),
            Self::Ping(rate) => format!("ping {rate}"),
        }
    }

    fn frame(self, name: &str) -> Vec<u8> {
        let request = match self {
            Self::Status => Request::Status { name: None, after: None },
            Self::Explain => Request::Explain { name },
            Self::Wait => Request::Get { name, min_ttl: Millis(0), wait: WAIT },
            Self::Ping(_) => Request::Ping,
        };
        codec::encode_request(1, &request).expect("a name fits into a frame")
    }
}

/// Such a process. It ends when this is dropped.
pub(super) struct Flooder {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Flooder {
    /// Starts it: it asks at `socket`, and of `name` where a request has one.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn start(program: &Path, socket: &Path, name: &str) -> Result<Self, BenchError> {
        let failed = |error| BenchError::program(FLOOD, error);
        let mut command = Command::new(program);
        command.arg(FLOOD).arg(socket).arg(name).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let says = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut flooder = Self { child, says };
        flooder.number()?;
        Ok(flooder)
    }

    /// Has it ask for so long, while `meanwhile` happens; says how many of its requests were answered.
    ///
    /// # Errors
    /// When it ends, or `meanwhile` fails.
    pub(super) fn flood<T>(
        &mut self,
        kind: Kind,
        span: Duration,
        meanwhile: impl FnOnce() -> Result<T, BenchError>,
    ) -> Result<(u64, T), BenchError> {
        let order = format!("{} {}\n", span.as_millis(), kind.order());
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        stdin.write_all(order.as_bytes()).map_err(|error| BenchError::program(FLOOD, error))?;
        let result = meanwhile();
        Ok((self.number()?, result?))
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"))
    }

    fn number(&mut self) -> Result<u64, BenchError> {
        let mut line = String::new();
        self.says.read_line(&mut line).map_err(|error| BenchError::program(FLOOD, error))?;
        line.trim().parse().map_err(|_| BenchError::program(FLOOD, "it has ended"))
    }
}

impl Drop for Flooder {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Floods as its orders say until its standard input ends: `SOCKET NAME`. `None` when the arguments are not for this.
#[must_use]
pub fn run(arguments: &mut dyn Iterator<Item = OsString>) -> Option<ExitCode> {
    if arguments.next()? != FLOOD {
        return None;
    }
    let ended = match (arguments.next(), arguments.next().and_then(|name| name.into_string().ok())) {
        (Some(socket), Some(name)) => serve(&PathBuf::from(socket), &name),
        _ => Err(io::Error::other("SOCKET NAME")),
    };
    Some(ended.map_or_else(
        |error| {
            eprintln!("{FLOOD}: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    ))
}

fn serve(socket: &Path, name: &str) -> io::Result<()> {
    setgroups(&[])?;
    setgid(Gid::from_raw(UID))?;
    setuid(Uid::from_raw(UID))?;
    // setuid(2) clears it, so it comes after that. The benchmark that started this may be killed.
    set_pdeathsig(Signal::SIGKILL)?;
    let open = || {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok::<_, io::Error>(stream)
    };
    let mut streams = (0..CONNECTIONS).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
    println!("0");
    for order in io::stdin().lines() {
        let order = order?;
        let words: Vec<&str> = order.split_whitespace().collect();
        let parsed = words.split_first().and_then(|(span, kind)| Some((span.parse().ok()?, Kind::of(kind)?)));
        let Some((span, kind)) = parsed else { return Err(io::Error::other(format!("no order: {order}"))) };
        println!("{}", flood(&mut streams, kind, name, Duration::from_millis(span))?);
    }
    Ok(())
}

fn flood(streams: &mut [UnixStream], kind: Kind, name: &str, span: Duration) -> io::Result<u64> {
    let frame = kind.frame(name);
    let watch = Stopwatch::start();
    std::thread::scope(|scope| {
        let ask = |stream| {
            let (frame, watch) = (&frame, &watch);
            scope.spawn(move || match kind {
                Kind::Ping(rate) => paced(stream, frame, watch, span, rate as f64 / CONNECTIONS as f64),
                _ => unbridled(stream, frame, watch, span),
            })
        };
        let threads: Vec<_> = streams.iter_mut().map(ask).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| io::Error::other("a thread panicked"))?).sum()
    })
}

/// A burst, its answers, and the next one.
fn unbridled(stream: &mut UnixStream, frame: &[u8], watch: &Stopwatch, span: Duration) -> io::Result<u64> {
    let burst = frame.repeat(DEPTH);
    let mut answered = 0;
    while watch.elapsed() < span {
        stream.write_all(&burst)?;
        for _ in 0..DEPTH {
            skip_reply(stream)?;
            answered += 1;
        }
    }
    Ok(answered)
}

/// Bursts of the same size, so many requests a second in all.
fn paced(stream: &mut UnixStream, frame: &[u8], watch: &Stopwatch, span: Duration, rate: f64) -> io::Result<u64> {
    let mut answered = 0;
    while watch.elapsed() < span {
        let due = (watch.elapsed().as_secs_f64() * rate) as u64;
        let now = due.saturating_sub(answered).min(DEPTH as u64);
        if now == 0 {
            std::thread::sleep(Duration::from_micros(500));
            continue;
        }
        stream.write_all(&frame.repeat(now as usize))?;
        for _ in 0..now {
            skip_reply(stream)?;
            answered += 1;
        }
    }
    Ok(answered)
}

fn skip_reply(stream: &mut UnixStream) -> io::Result<()> {
    let mut prefix = [0; LENGTH_PREFIX];
    stream.read_exact(&mut prefix)?;
    let length = frame_length(prefix).map_err(io::Error::other)?;
    let taken = io::copy(&mut stream.take(length as u64), &mut io::sink())?;
    if taken == length as u64 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
