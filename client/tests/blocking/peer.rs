//! The other side of the socket, played by a thread of the test step by step.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::time::{TimeVal, TimeValLike as _};
use tokend_client::blocking::Client;
use tokend_proto::{Flags, LENGTH_PREFIX, Reply, codec, frame_length};

pub(crate) use crate::script::{Asked, lives_for, pong, token};
use crate::script::{Listen, STEP};

/// A listening peer. The folder goes with it.
pub(crate) type Peer = crate::script::Peer<UnixListener>;

impl Listen for UnixListener {
    fn bind(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        // socket(7): accepting too comes to an end, if the client has given up.
        setsockopt(&listener, ReceiveTimeout, &TimeVal::seconds(STEP.as_secs() as i64)).unwrap();
        listener
    }
}

impl Peer {
    pub(crate) fn client(&self) -> Client {
        Client::builder().socket(self.path()).build_blocking()
    }

    pub(crate) fn accept(&self) -> Connection {
        let (stream, _) = self.listener().accept().unwrap();
        Connection::new(stream)
    }

    /// Whether a connection waits to be accepted.
    pub(crate) fn is_called(&self) -> bool {
        let listener = self.listener();
        listener.set_nonblocking(true).unwrap();
        let called = listener.accept().is_ok();
        listener.set_nonblocking(false).unwrap();
        called
    }

    /// Plays the script beside the calls, and has the results of both.
    pub(crate) fn play<S: Send, C>(
        &mut self,
        script: impl FnOnce(&mut Self) -> S + Send,
        calls: impl FnOnce() -> C,
    ) -> (C, S) {
        thread::scope(|scope| {
            let script = scope.spawn(|| script(self));
            (calls(), script.join().unwrap())
        })
    }
}

pub(crate) struct Connection(UnixStream);

impl Connection {
    fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(STEP)).unwrap();
        Self(stream)
    }

    pub(crate) fn next(&mut self) -> Asked {
        let mut prefix = [0; LENGTH_PREFIX];
        self.0.read_exact(&mut prefix).unwrap();
        let mut frame = vec![0; frame_length(prefix).unwrap()];
        self.0.read_exact(&mut frame).unwrap();
        Asked::new(frame)
    }

    pub(crate) fn reply(&mut self, id: u64, reply: &Reply) {
        self.send(&codec::encode_reply(id, Flags::NONE, reply).unwrap());
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Answers the next request, whatever it is.
    pub(crate) fn answer(&mut self, reply: &Reply) {
        let asked = self.next();
        self.reply(asked.id, reply);
    }

    /// Waits until the client has closed its side.
    pub(crate) fn closed(mut self) {
        let rest = self.0.read(&mut [0]);
        assert!(matches!(rest, Ok(0)), "{rest:?}");
    }
}

impl Drop for Connection {
    /// Where another test starts a process just now, that one has a copy of the descriptor for a moment: closing alone
    /// would not end the connection before the next line of the test.
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// A connection over which a ping was answered.
pub(crate) fn greeted(client: &Client, peer: &mut Peer) -> Connection {
    let script = |peer: &mut Peer| {
        let mut connection = peer.accept();
        connection.answer(&pong());
        connection
    };
    let (version, connection) = peer.play(script, || client.ping());
    assert_eq!(version.unwrap(), "1.2.3");
    connection
}
