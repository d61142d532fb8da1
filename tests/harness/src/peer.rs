//! A peer that speaks frames on a blocking socket, without the client crate.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use tokend_proto::{Flags, Header, LENGTH_PREFIX, Millis, Reply, Request, VERSION, codec, frame_length};

use super::PATIENCE;

/// One connection.
#[derive(Debug)]
pub struct Peer {
    stream: UnixStream,
    frame: Vec<u8>,
    last_id: u64,
}

impl Peer {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    #[must_use]
    pub fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("the daemon listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        Self { stream, frame: Vec::new(), last_id: 0 }
    }

    /// Asks and waits for the answer; nothing else may be on the way.
    ///
    /// # Panics
    /// When no answer comes, or one to something else.
    pub fn ask(&mut self, request: &Request<'_>) -> (Flags, Reply) {
        let id = self.send(request);
        let (header, reply) = self.receive();
        assert_eq!((header.version, header.request_id), (VERSION, id));
        (header.flags, reply)
    }

    /// The newest token of a name.
    ///
    /// # Panics
    /// As [`Peer::ask`].
    pub fn get(&mut self, name: &str, wait: Duration) -> (Flags, Reply) {
        self.ask(&Request::Get { name, min_ttl: Millis(0), wait: wait.into() })
    }

    /// Sends a request: its id.
    ///
    /// # Panics
    /// When the daemon has closed the connection.
    pub fn send(&mut self, request: &Request<'_>) -> u64 {
        self.last_id += 1;
        let frame = codec::encode_request(self.last_id, request).expect("not over the limit");
        self.stream.write_all(&frame).expect("the daemon reads");
        self.last_id
    }

    /// The next reply.
    ///
    /// # Panics
    /// When none comes, or something that is none.
    pub fn receive(&mut self) -> (Header, Reply) {
        let mut prefix = [0; LENGTH_PREFIX];
        self.stream.read_exact(&mut prefix).expect("the daemon answers");
        self.frame.resize(frame_length(prefix).expect("a frame"), 0);
        self.stream.read_exact(&mut self.frame).expect("the daemon answers");
        let (header, value) = Header::split(&self.frame).expect("long enough");
        (header, codec::decode_reply(value).expect("a reply"))
    }
}
