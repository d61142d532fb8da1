//! What a frame from the daemon says, for both clients.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokend_proto::limits::IDLE_TIME;
use tokend_proto::{ErrorReply, Flags, Header, Reply, Unsupported, VERSION, codec};

use crate::{ConnectError, DaemonError, Error, ProtocolError, UnsupportedError};

/// The id of errors about the whole connection. No request has it.
const CONNECTION_ID: u64 = 0;

/// The client closes an idle connection before the daemon does, so that no request meets the daemon's close.
pub(crate) const IDLE_CLOSE: Duration = Duration::from_secs(IDLE_TIME.as_secs() * 4 / 5);

/// An answer from the daemon.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) version: u8,
    pub(crate) flags: Flags,
    pub(crate) reply: Reply,
}

impl Answer {
    /// The reply that belongs to the request, or the daemon's refusal.
    pub(crate) fn expect<T>(self, request: &'static str, pick: impl FnOnce(Reply) -> Option<T>) -> Result<T, Error> {
        match self.reply {
            Reply::Error(error) => Err(DaemonError::from(error).into()),
            Reply::Unsupported(it) => Err(UnsupportedError { versions: it.versions, message: it.message }.into()),
            reply if self.version == VERSION => pick(reply).ok_or(ProtocolError::WrongReply(request).into()),
            _ => Err(other_version(self.version)),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// There is no connection.
    Connect(Arc<io::Error>),
    /// The connection broke before the daemon had the whole request.
    NotSent,
    /// The connection broke after the request went out.
    Broken,
    /// The daemon refused the connection as a whole.
    Refused(ErrorReply),
    /// The daemon does not follow the protocol.
    Protocol(ProtocolError),
    /// The daemon speaks only another version.
    Version(u8),
}

impl Failure {
    /// The error that the caller gets.
    pub(crate) fn describe(self, socket: &Path) -> Error {
        match self {
            Self::Connect(source) => ConnectError { path: socket.to_owned(), source }.into(),
            Self::NotSent | Self::Broken => Error::Disconnected,
            Self::Refused(reply) => DaemonError::from(reply).into(),
            Self::Protocol(error) => error.into(),
            Self::Version(version) => other_version(version),
        }
    }
}

fn other_version(version: u8) -> Error {
    UnsupportedError { versions: vec![version], message: "its answer has another version".to_owned() }.into()
}

/// Reads what follows a length prefix: the id of a request and the answer to it. An error ends the connection.
pub(crate) fn read_frame(frame: &[u8]) -> Result<(u64, Result<Answer, Failure>), Failure> {
    let (header, value) = Header::split(frame).map_err(|error| Failure::Protocol(error.into()))?;
    let Header { version, request_id, flags } = header;
    let reply = match codec::decode_reply(value) {
        // The header is frozen, so the request is known; the value of another version cannot be read.
        Err(_) if version != VERSION => return Ok((request_id, Err(Failure::Version(version)))),
        Err(error) => return Err(Failure::Protocol(ProtocolError::Reply(error))),
        Ok(reply) => reply,
    };
    match (request_id, reply) {
        (CONNECTION_ID, Reply::Error(error)) => Err(Failure::Refused(error)),
        (CONNECTION_ID, Reply::Unsupported(Unsupported { .. })) => Err(Failure::Version(version)),
        (id, reply) => Ok((id, Ok(Answer { version, flags, reply }))),
    }
}
