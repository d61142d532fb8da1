//! What a daemon played by a test is asked, and what it says: the same for both clients.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokend_proto::{Fingerprint, Header, Reply, Request, Secret, Stamp, Token, codec};

/// A step that takes longer than this will not happen. Above every wait of the client's own.
pub(crate) const STEP: Duration = Duration::from_secs(60);

/// What listens at a socket: tokio's listener or the standard library's.
pub(crate) trait Listen {
    fn bind(path: &Path) -> Self;
}

/// A peer that listens at a socket, or does not yet. The folder goes with it.
pub(crate) struct Peer<L> {
    dir: tempfile::TempDir,
    listener: Option<L>,
}

impl<L: Listen> Peer<L> {
    pub(crate) fn new() -> Self {
        let mut peer = Self::absent();
        peer.listen();
        peer
    }

    /// Does not listen yet.
    pub(crate) fn absent() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), listener: None }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("tokend.sock")
    }

    pub(crate) fn listen(&mut self) {
        self.listener = Some(L::bind(&self.path()));
    }

    pub(crate) fn listener(&self) -> &L {
        self.listener.as_ref().unwrap()
    }

    /// As a daemon that ends: nobody listens, and the socket is gone.
    pub(crate) fn stop(&mut self) {
        self.listener = None;
        std::fs::remove_file(self.path()).unwrap();
    }
}

/// One frame of the client's.
pub(crate) struct Asked {
    pub(crate) id: u64,
    frame: Vec<u8>,
}

impl Asked {
    /// Without its length.
    pub(crate) fn new(frame: Vec<u8>) -> Self {
        Self { id: Header::split(&frame).unwrap().0.request_id, frame }
    }

    pub(crate) fn request(&self) -> Request<'_> {
        codec::decode_request(Header::split(&self.frame).unwrap().1).unwrap()
    }

    /// The name of a `Get`.
    pub(crate) fn name(&self) -> &str {
        match self.request() {
            Request::Get { name, .. } => name,
            other => panic!("{other:?}"),
        }
    }
}

/// A token that expired long ago: nobody keeps it.
pub(crate) fn token(text: &str) -> Reply {
    until(text, 1_000, 1_000)
}

/// A token to be renewed after so long, and good for an hour more.
pub(crate) fn lives_for(text: &str, life: Duration) -> Reply {
    let end = boot_ms() + life.as_millis() as u64;
    until(text, end, end + 3_600_000)
}

fn until(text: &str, refresh: u64, expiry: u64) -> Reply {
    let access_token = Secret::from(text);
    let at = |boot_ms| Stamp { boot_ms, unix_ms: 1_000 };
    Reply::Token(Token {
        fingerprint: Fingerprint::of(&access_token),
        access_token,
        token_type: "Bearer".into(),
        issued_at: at(1_000),
        expires_at: at(expiry),
        refresh_at: at(refresh),
    })
}

pub(crate) fn pong() -> Reply {
    Reply::Pong { version: "1.2.3".into() }
}

/// A frame with this header and these bytes as its value.
pub(crate) fn frame(header: Header, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(header.to_bytes().len() + value.len()).unwrap();
    [&length.to_be_bytes()[..], &header.to_bytes(), value].concat()
}

/// By the clock of a token's machine-readable moments.
pub(crate) fn boot_ms() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).unwrap();
    now.tv_sec() as u64 * 1_000 + now.tv_nsec() as u64 / 1_000_000
}
