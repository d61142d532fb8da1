//! One peer's connection, down to the bytes.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use tokend_proto::{ErrorReply, HEADER_LEN, Header, LENGTH_PREFIX, Millis, Reply, Request, codec, frame_length};

/// How long a peer waits for the daemon before it calls that an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that reads one name's token, again and again.
#[derive(Debug)]
pub struct Line {
    stream: UnixStream,
    request: Vec<u8>,
    /// So many requests in one write.
    burst: Vec<u8>,
    reply: Vec<u8>,
    /// The reply as it was when it was last decoded: the same bytes need not be decoded again.
    known: Vec<u8>,
}

/// Why a peer did not get its token.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The connection failed.
    #[error("the connection")]
    Io(#[from] io::Error),
    /// The daemon answered with an error.
    #[error("the daemon's answer is {0:?}")]
    Refused(ErrorReply),
    /// The daemon answered with something that is no token.
    #[error("the daemon's answer is not what was asked for: {0}")]
    Odd(&'static str),
}

impl Line {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn open(socket: &Path, name: &str) -> Result<Self, LineError> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let request = request(1, name);
        Ok(Self { stream, request, burst: Vec::new(), reply: Vec::new(), known: Vec::new() })
    }

    /// Asks once and takes the answer.
    ///
    /// # Errors
    /// When that is not a token.
    pub fn ask(&mut self) -> Result<(), LineError> {
        self.stream.write_all(&self.request)?;
        self.take_reply()
    }

    /// Asks `number` times in one write and takes all answers.
    ///
    /// # Errors
    /// When one of them is not a token.
    pub fn ask_many(&mut self, number: usize) -> Result<(), LineError> {
        self.burst.resize(number * self.request.len(), 0);
        for place in self.burst.chunks_exact_mut(self.request.len()) {
            place.copy_from_slice(&self.request);
        }
        self.stream.write_all(&self.burst)?;
        for _ in 0..number {
            self.take_reply()?;
        }
        Ok(())
    }

    /// Reads one reply without having asked.
    ///
    /// # Errors
    /// When it is not a token.
    pub fn take_reply(&mut self) -> Result<(), LineError> {
        let mut prefix = [0; LENGTH_PREFIX];
        self.stream.read_exact(&mut prefix)?;
        let length = frame_length(prefix).map_err(|_| LineError::Odd("a frame of no possible length"))?;
        self.reply.resize(length, 0);
        self.stream.read_exact(&mut self.reply)?;
        if self.reply == self.known {
            return Ok(());
        }
        let (header, value) = Header::split(&self.reply).map_err(|_| LineError::Odd("a frame without a header"))?;
        match codec::decode_reply(value) {
            Ok(Reply::Token(token)) if header.request_id == 1 && !token.access_token.is_empty() => {
                self.known.clone_from(&self.reply);
                Ok(())
            }
            Ok(Reply::Error(error)) => Err(LineError::Refused(error)),
            Ok(_) => Err(LineError::Odd("another reply, or another request's")),
            Err(_) => Err(LineError::Odd("not a reply")),
        }
    }
}

/// A read of this name that waits as long as the command line would.
pub(super) fn request(id: u64, name: &str) -> Vec<u8> {
    let get = Request::Get { name, min_ttl: Millis(0), wait: Millis(10_000) };
    let frame = codec::encode_request(id, &get).expect("a name fits into a frame");
    debug_assert!(frame.len() > LENGTH_PREFIX + HEADER_LEN);
    frame
}
