//! Servers of our own to compare with: they answer each request of a fixed length with the same bytes.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::broadcast_servers;

/// The word on the command line that makes this program such a server.
pub const SERVE: &str = "serve";

/// How a server is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A thread for each connection, blocking: the least that a round trip takes.
    Blocking,
    /// A current-thread runtime and a task for each connection.
    Tokio,
    /// Blocking, and it reads until an empty line: enough of HTTP for one request.
    Http,
    /// [`super::broadcast_servers`] on a current-thread runtime.
    SpreadTokio,
    /// The same without one.
    SpreadBlocking,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Blocking, Self::Tokio, Self::Http, Self::SpreadTokio, Self::SpreadBlocking];

    /// As on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Blocking => "blocking",
            Self::Tokio => "tokio",
            Self::Http => "http",
            Self::SpreadTokio => "spread-tokio",
            Self::SpreadBlocking => "spread",
        }
    }
}

/// Serves until it is killed: `KIND SOCKET REQUEST_LENGTH REPLY_FILE`. `None` when the arguments are not for this. It
/// is looked at before anything else, so that such a server starts as fast as it can.
#[must_use]
pub fn run(arguments: &mut dyn Iterator<Item = OsString>) -> Option<ExitCode> {
    if arguments.next()? != SERVE {
        return None;
    }
    let served = (|| {
        let [kind, socket, length, reply] =
            [arguments.next()?, arguments.next()?, arguments.next()?, arguments.next()?];
        let kind = Kind::ALL.into_iter().find(|known| kind == known.word())?;
        Some(serve(kind, &PathBuf::from(socket), length.to_str()?.parse().ok()?, &PathBuf::from(reply)))
    })();
    match served {
        Some(Ok(())) => Some(ExitCode::SUCCESS),
        Some(Err(error)) => {
            eprintln!("{SERVE}: {error}");
            Some(ExitCode::FAILURE)
        }
        None => {
            eprintln!("{SERVE} KIND SOCKET REQUEST_LENGTH REPLY_FILE");
            Some(ExitCode::from(2))
        }
    }
}

fn serve(kind: Kind, socket: &Path, length: usize, reply: &Path) -> io::Result<()> {
    // The process that started it may be killed.
    set_pdeathsig(Signal::SIGKILL)?;
    let reply: Arc<[u8]> = std::fs::read(reply)?.into();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_io().build();
    match kind {
        Kind::Tokio => return runtime()?.block_on(on_tokio(socket, length, reply)),
        Kind::SpreadTokio => return runtime()?.block_on(broadcast_servers::on_tokio(socket, reply)),
        Kind::SpreadBlocking => return broadcast_servers::blocking(socket, &reply),
        Kind::Blocking | Kind::Http => {}
    }
    let listener = UnixListener::bind(socket)?;
    loop {
        let (stream, _) = listener.accept()?;
        let reply = Arc::clone(&reply);
        std::thread::spawn(move || {
            // It ends when its peer has gone.
            let _ = match kind {
                Kind::Http => http(stream, &reply),
                _ => blocking(stream, length, &reply),
            };
        });
    }
}

fn blocking(mut stream: UnixStream, length: usize, reply: &[u8]) -> io::Result<()> {
    let mut request = vec![0; length];
    loop {
        stream.read_exact(&mut request)?;
        stream.write_all(reply)?;
    }
}

fn http(mut stream: UnixStream, reply: &[u8]) -> io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            length => request.extend_from_slice(&piece[..length]),
        }
    }
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", reply.len())?;
    stream.write_all(reply)
}

async fn on_tokio(socket: &Path, length: usize, reply: Arc<[u8]>) -> io::Result<()> {
    let listener = tokio::net::UnixListener::bind(socket)?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        let reply = Arc::clone(&reply);
        tokio::spawn(async move {
            let mut request = vec![0; length];
            while stream.read_exact(&mut request).await.is_ok() && stream.write_all(&reply).await.is_ok() {}
        });
    }
}
