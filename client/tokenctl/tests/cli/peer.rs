//! A daemon that says what the test has it say.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use tokend_proto::{
    ErrorCode, ErrorReply, Fingerprint, Flags, Header, LENGTH_PREFIX, Millis, Reply, Request, Secret, Stamp, Token,
    codec, frame_length,
};

/// What the peer does about one request.
pub(crate) enum Answer {
    Reply(Flags, Reply),
    /// These bytes in place of a frame.
    Bytes(Vec<u8>),
    /// Nothing, and the connection is closed.
    Close,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Reply(Flags::NONE, reply)
    }
}

pub(crate) type Script = Arc<dyn Fn(Request<'_>) -> Answer + Send + Sync>;

/// Listens until it is dropped.
pub(crate) struct Peer {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    pub(crate) fn start(path: &Path, script: Script) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                serve(stream.unwrap(), &script);
            }
        });
        Self { path: path.to_owned(), stop, thread: Some(thread) }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the accept; fails only when the thread has ended by a panic, which the join then shows.
        let _ = UnixStream::connect(&self.path);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the peer's script has failed");
    }
}

fn serve(mut stream: UnixStream, script: &Script) {
    // Bounded, should a client hold on to its connection.
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut prefix = [0; LENGTH_PREFIX];
    while stream.read_exact(&mut prefix).is_ok() {
        let mut frame = vec![0; frame_length(prefix).unwrap()];
        stream.read_exact(&mut frame).unwrap();
        let (header, value) = Header::split(&frame).unwrap();
        let bytes = match script(codec::decode_request(value).unwrap()) {
            Answer::Reply(flags, reply) => codec::encode_reply(header.request_id, flags, &reply).unwrap(),
            Answer::Bytes(bytes) => bytes,
            Answer::Close => return,
        };
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

/// A token named after its text, with an hour and a half second to live: a test that is slower than that half
/// second is still shown 3600 or 3599.
pub(crate) fn token(text: &str) -> Reply {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).unwrap();
    let boot_ms = now.tv_sec() as u64 * 1_000 + now.tv_nsec() as u64 / 1_000_000 + 3_600_500;
    let access_token = Secret::from(text);
    Reply::Token(Token {
        fingerprint: Fingerprint::of(&access_token),
        access_token,
        token_type: "bearer".to_owned(),
        issued_at: Stamp::default(),
        expires_at: Stamp { boot_ms, unix_ms: 1_700_003_600_000 },
        refresh_at: Stamp { boot_ms: boot_ms - 1_000_000, unix_ms: 1_700_002_600_000 },
    })
}

pub(crate) fn error(code: ErrorCode, message: &str, retry_after: Option<u64>) -> Reply {
    Reply::Error(ErrorReply { code, message: message.to_owned(), retry_after: retry_after.map(Millis) })
}
