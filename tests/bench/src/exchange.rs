//! One request and its reply, in the bytes of the server that is asked.
//!
//! The generator knows no protocol: a server's reply to the same request always has the same length, so that counting
//! bytes is enough. The first reply is taken apart, and later ones are compared with it now and then.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::BenchError;

/// How long a server may take for one reply before that is an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// More than any reply here is.
const LONGEST: usize = 64 * 1024;

/// What is sent and what comes back.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Who is asked, for messages.
    pub(super) peer: &'static str,
    /// What is sent.
    pub(super) request: Vec<u8>,
    /// What comes back, to the byte.
    pub(super) reply: Vec<u8>,
}

impl Exchange {
    /// Asks once. `whole` says whether the bytes so far are a whole reply; so does the end of the connection. The reply
    /// must hold `token`.
    pub(super) fn learn(
        peer: &'static str,
        socket: &Path,
        request: Vec<u8>,
        whole: impl Fn(&[u8]) -> bool,
        token: &[u8],
    ) -> Result<Self, BenchError> {
        let mut stream = connect(peer, socket)?;
        stream.write_all(&request).map_err(BenchError::connection(peer))?;
        let mut reply = Vec::new();
        let mut piece = [0; 4096];
        while !whole(&reply) {
            let length = stream.read(&mut piece).map_err(BenchError::connection(peer))?;
            reply.extend_from_slice(&piece[..length]);
            if length == 0 || reply.len() > LONGEST {
                break;
            }
        }
        if token.is_empty() || reply.windows(token.len()).any(|piece| piece == token) {
            Ok(Self { peer, request, reply })
        } else {
            Err(BenchError::Odd { peer })
        }
    }

    /// Asks once more and compares.
    pub(super) fn check(&self, stream: &mut UnixStream) -> Result<(), BenchError> {
        let mut reply = vec![0; self.reply.len()];
        stream.write_all(&self.request).map_err(BenchError::connection(self.peer))?;
        stream.read_exact(&mut reply).map_err(BenchError::connection(self.peer))?;
        if reply == self.reply { Ok(()) } else { Err(BenchError::Odd { peer: self.peer }) }
    }
}

/// A connection that does not wait for ever.
pub(super) fn connect(peer: &'static str, socket: &Path) -> Result<UnixStream, BenchError> {
    let stream = UnixStream::connect(socket).map_err(BenchError::connection(peer))?;
    let limited = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    limited.map_err(BenchError::connection(peer))?;
    Ok(stream)
}
