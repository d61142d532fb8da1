//! The other side of the socket, played by the test step by step.

use std::path::Path;
use std::time::Duration;

use tokend_client::{Client, Token};
use tokend_proto::{Flags, LENGTH_PREFIX, Reply, codec, frame_length};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

pub(crate) use crate::script::{Asked, pong, token};
use crate::script::{Listen, STEP};

/// A listening peer. The folder goes with it.
pub(crate) type Peer = crate::script::Peer<UnixListener>;

impl Listen for UnixListener {
    fn bind(path: &Path) -> Self {
        UnixListener::bind(path).unwrap()
    }
}

impl Peer {
    pub(crate) fn client(&self) -> Client {
        Client::builder().socket(self.path()).build()
    }

    pub(crate) async fn accept(&self) -> Connection {
        let accepted = tokio::time::timeout(STEP, self.listener().accept()).await;
        Connection(accepted.expect("the client connects").unwrap().0)
    }

    /// Whether a connection waits to be accepted.
    pub(crate) async fn is_called(&self) -> bool {
        tokio::time::timeout(Duration::from_millis(50), self.listener().accept()).await.is_ok()
    }
}

pub(crate) struct Connection(UnixStream);

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
        Asked::new(read.await.expect("the client asks"))
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
