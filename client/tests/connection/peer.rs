//! The other side of the socket, played by the test step by step.

use std::path::PathBuf;
use std::time::Duration;

use tokend_client::{Client, Token};
use tokend_proto::{Fingerprint, Flags, Header, LENGTH_PREFIX, Reply, Request, Secret, Stamp, codec, frame_length};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// A step that takes longer than this will not happen. Above every wait of the client's own.
const STEP: Duration = Duration::from_secs(60);

/// A listening peer. The folder goes with it.
pub(crate) struct Peer {
    dir: tempfile::TempDir,
    listener: Option<UnixListener>,
}

impl Peer {
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

    pub(crate) fn client(&self) -> Client {
        Client::builder().socket(self.path()).build()
    }

    pub(crate) fn listen(&mut self) {
        self.listener = Some(UnixListener::bind(self.path()).unwrap());
    }

    /// As a daemon that ends: nobody listens, and the socket is gone.
    pub(crate) fn stop(&mut self) {
        self.listener = None;
        std::fs::remove_file(self.path()).unwrap();
    }

    pub(crate) async fn accept(&self) -> Connection {
        let accepted = tokio::time::timeout(STEP, self.listener.as_ref().unwrap().accept()).await;
        Connection(accepted.expect("the client connects").unwrap().0)
    }

    /// Whether a connection waits to be accepted.
    pub(crate) async fn is_called(&self) -> bool {
        tokio::time::timeout(Duration::from_millis(50), self.listener.as_ref().unwrap().accept()).await.is_ok()
    }
}

pub(crate) struct Connection(UnixStream);

/// One frame of the client's.
pub(crate) struct Asked {
    pub(crate) id: u64,
    frame: Vec<u8>,
}

impl Asked {
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

impl Connection {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self(stream)
    }

    pub(crate) async fn next(&mut self) -> Asked {
        let read = tokio::time::timeout(STEP, async {
            let mut prefix = [0; LENGTH_PREFIX];
            self.0.read_exact(&mut prefix).await.unwrap();
            let mut frame = vec![0; frame_length(prefix).unwrap()];
            self.0.read_exact(&mut frame).await.unwrap();
            frame
        });
        let frame = read.await.expect("the client asks");
        Asked { id: Header::split(&frame).unwrap().0.request_id, frame }
    }

    pub(crate) async fn reply(&mut self, id: u64, reply: &Reply) {
        self.send(&codec::encode_reply(id, Flags::NONE, reply).unwrap()).await;
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Waits until the client has closed its side.
    pub(crate) async fn closed(mut self) {
        let rest = tokio::time::timeout(STEP * 20, self.0.read(&mut [0])).await.expect("the client hangs up");
        assert!(matches!(rest, Ok(0) | Err(_)), "{rest:?}");
    }
}

pub(crate) fn token(text: &str) -> Reply {
    let stamp = Stamp { boot_ms: 1_000, unix_ms: 1_000 };
    Reply::Token(tokend_proto::Token {
        access_token: Secret::from(text),
        token_type: "Bearer".into(),
        fingerprint: Fingerprint::of(&Secret::from(text)),
        issued_at: stamp,
        expires_at: stamp,
        refresh_at: stamp,
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

/// A connection over which a ping was answered.
pub(crate) async fn greeted(client: &Client, peer: &Peer) -> Connection {
    let script = async {
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        connection.reply(asked.id, &pong()).await;
        connection
    };
    let (version, connection) = tokio::join!(client.ping(), script);
    assert_eq!(version.unwrap(), "1.2.3");
    connection
}

/// A token as a client has it.
pub(crate) async fn fetched(client: &Client, connection: &mut Connection, text: &str) -> Token {
    let peer = async {
        let asked = connection.next().await;
        connection.reply(asked.id, &token(text)).await;
    };
    tokio::join!(client.token("campus"), peer).0.unwrap()
}
