//! A peer of another user that takes all the connections it can get: `greedy SOCKET UID TRIES`, for root only.
//!
//! It tries so many times and prints three numbers: granted, refused by the limit of a user, refused by the limit of
//! all. Who was refused goes on trying, with one connection at a time, until a line comes in, and prints them again, of
//! these attempts; one that was granted is given back. What it got at first it keeps until its standard input ends.

use std::error::Error;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use tokend_proto::{ErrorCode, Header, LENGTH_PREFIX, Reply, Request, codec, frame_length};

/// How long the daemon may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two attempts of those that go on.
const PAUSE: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Counts {
    granted: usize,
    of_user: usize,
    of_all: usize,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("greedy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, uid, tries] = arguments.as_slice() else { return Err("usage: greedy SOCKET UID TRIES".into()) };
    let (uid, tries): (u32, usize) = (uid.parse()?, tries.parse()?);
    setgroups(&[])?;
    setgid(Gid::from_raw(uid))?;
    setuid(Uid::from_raw(uid))?;

    let socket = Path::new(socket);
    let mut counts = Counts::default();
    let mut held = Vec::new();
    for _ in 0..tries {
        held.extend(attempt(socket, &mut counts)?);
    }
    counts.print()?;

    let enough = AtomicBool::new(false);
    let mut more = Counts::default();
    std::thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        scope.spawn(|| {
            let _ = io::stdin().read_line(&mut String::new());
            enough.store(true, Ordering::Relaxed);
        });
        // Who has all that it wanted takes no place that another one is about to get.
        let content = counts.of_user + counts.of_all == 0;
        while !content && !enough.load(Ordering::Relaxed) {
            drop(attempt(socket, &mut more)?);
            std::thread::sleep(PAUSE);
        }
        Ok(())
    })?;
    more.print()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A connection, if it was granted.
fn attempt(socket: &Path, counts: &mut Counts) -> Result<Option<UnixStream>, Box<dyn Error>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // A connection that was refused is closed by now, and what was said about it still to be read.
    let _ = stream.write_all(&codec::encode_request(1, &Request::Ping)?);
    let mut prefix = [0; LENGTH_PREFIX];
    stream.read_exact(&mut prefix)?;
    let mut frame = vec![0; frame_length(prefix)?];
    stream.read_exact(&mut frame)?;
    let (_, value) = Header::split(&frame)?;
    match codec::decode_reply(value)? {
        Reply::Pong { .. } => {
            counts.granted += 1;
            Ok(Some(stream))
        }
        Reply::Error(error) if error.code == ErrorCode::TooManyConnections => {
            if error.message.contains("user") || error.message.contains("uid") {
                counts.of_user += 1;
            } else {
                counts.of_all += 1;
            }
            Ok(None)
        }
        other => Err(format!("neither a pong nor a refusal: {other:?}").into()),
    }
}

impl Counts {
    fn print(&self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{} {} {}", self.granted, self.of_user, self.of_all)?;
        stdout.flush()
    }
}
