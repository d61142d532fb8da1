//! A peer that writes whatever bytes it likes.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use harness::{PATIENCE, World};
use tokend_proto::{ErrorReply, HEADER_LEN, Header, LENGTH_PREFIX, Reply, Request, codec};

/// A connection without manners.
pub(crate) struct Raw(UnixStream);

/// What came back last before the daemon closed the connection.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    /// A reply under this id.
    Reply(u64, Reply),
    /// Nothing more.
    Closed,
}

impl Raw {
    pub(crate) fn connect(world: &World) -> Self {
        Self::over(UnixStream::connect(world.socket()).unwrap())
    }

    pub(crate) fn over(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Connects and writes these bytes.
    pub(crate) fn with(world: &World, bytes: &[u8]) -> Self {
        let mut raw = Self::connect(world);
        raw.write(bytes).unwrap();
        raw
    }

    /// Waits until the daemon closes it, however long that takes.
    pub(crate) fn wait_for_the_end(&mut self) {
        self.0.set_read_timeout(None).unwrap();
        // An error is an end, too.
        let _ = io::copy(&mut self.0, &mut io::sink());
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// The next frame, or the end.
    pub(crate) fn read(&mut self) -> Said {
        let mut prefix = [0; LENGTH_PREFIX];
        match self.0.read_exact(&mut prefix) {
            Ok(()) => {}
            // A close with unread bytes of ours is a reset.
            Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
                return Said::Closed;
            }
            Err(error) => panic!("the daemon neither answers nor closes: {error}"),
        }
        let mut frame = vec![0; u32::from_be_bytes(prefix) as usize];
        self.0.read_exact(&mut frame).unwrap();
        let (header, value) = Header::split(&frame).unwrap();
        Said::Reply(header.request_id, codec::decode_reply(value).unwrap())
    }

    /// The error under this id, after which the daemon has to close the connection.
    pub(crate) fn is_refused(&mut self, id: u64) -> ErrorReply {
        let Said::Reply(said, Reply::Error(error)) = self.read() else { panic!("an error is expected") };
        assert_eq!(said, id, "{error:?}");
        assert_eq!(self.read(), Said::Closed, "after {error:?}");
        error
    }

    /// The connection still works.
    pub(crate) fn goes_on(&mut self) {
        self.write(&codec::encode_request(77, &Request::Ping).unwrap()).unwrap();
        let said = self.read();
        assert!(matches!(said, Said::Reply(77, Reply::Pong { .. })), "{said:?}");
    }
}

/// A frame with a true length around this header and value.
pub(crate) fn frame(version: u8, id: u64, value: &[u8]) -> Vec<u8> {
    let header = Header { version, ..Header::new(id) };
    let length = u32::try_from(HEADER_LEN + value.len()).unwrap();
    [&length.to_be_bytes()[..], &header.to_bytes(), value].concat()
}
