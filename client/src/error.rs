//! Why a call failed: what the daemon said, what the connection did, what the caller got wrong.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokend_proto::codec::{DecodeError, EncodeError};
use tokend_proto::{ErrorCode, ErrorReply, FrameError, NameError};

/// Why a call failed.
///
/// It has three words: a result is as large as its larger variant, and each read from the cache moves one. With the
/// details inline a read would take two thirds longer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody listens at the socket, or connecting failed.
    #[error(transparent)]
    Connect(Box<ConnectError>),
    /// The connection broke before the answer came. Whether the daemon has acted is not known.
    #[error("the connection to tokend broke before it answered")]
    Disconnected,
    /// The daemon refused the call.
    #[error(transparent)]
    Daemon(Box<DaemonError>),
    /// The daemon does not follow the protocol. If nothing more of the connection can be trusted, it was closed.
    #[error("tokend does not follow the protocol")]
    Protocol(#[source] Box<ProtocolError>),
    /// The daemon did not answer in time.
    #[error("tokend did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The daemon does not know this version of the protocol, or this request.
    #[error(transparent)]
    Unsupported(Box<UnsupportedError>),
    /// The name is not valid; nothing was sent.
    #[error(transparent)]
    InvalidName(Box<InvalidName>),
    /// This client watches as many names as it may; nothing was sent.
    #[error("this client watches {0} names already, expected fewer: make another client for more")]
    TooManyWatches(usize),
    /// The request is over the frame limit; nothing was sent.
    #[error("the request cannot be sent")]
    TooLong(#[source] EncodeError),
}

impl Error {
    /// The daemon's code, if it was the daemon that refused.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Daemon(error) => Some(error.code),
            _ => None,
        }
    }

    /// Whether the same call may well succeed later without any change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect(error) => is_passing(&error.source),
            Self::Disconnected | Self::Timeout(_) => true,
            Self::Daemon(error) => matches!(
                error.code,
                ErrorCode::Busy
                    | ErrorCode::TooManyRequests
                    | ErrorCode::TooManyConnections
                    | ErrorCode::Unavailable
                    | ErrorCode::Throttled
                    | ErrorCode::AwaitingLogin
            ),
            Self::Protocol(_)
            | Self::Unsupported(_)
            | Self::InvalidName(_)
            | Self::TooManyWatches(_)
            | Self::TooLong(_) => false,
        }
    }
}

/// Whether connecting may soon work: the daemon restarts, or its backlog is full (a Unix socket says EAGAIN then,
/// unix(7)).
pub(crate) fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted, NotFound, WouldBlock};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | Interrupted | NotFound | WouldBlock)
}

/// The socket, and why connecting to it failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot connect to tokend at {}", path.display())]
pub struct ConnectError {
    /// The socket.
    pub path: PathBuf,
    /// The error of the system.
    pub source: Arc<io::Error>,
}

/// The protocol versions that the daemon speaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tokend speaks protocol versions {versions:?}: {message}")]
pub struct UnsupportedError {
    /// The versions that it speaks.
    pub versions: Vec<u8>,
    /// What it did not understand.
    pub message: String,
}

/// The daemon's refusal, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DaemonError {
    /// Stable code.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// How long to wait before asking again, where waiting helps.
    pub retry_after: Option<Duration>,
}

impl From<ErrorReply> for DaemonError {
    fn from(reply: ErrorReply) -> Self {
        Self { code: reply.code, message: reply.message, retry_after: reply.retry_after.map(Duration::from) }
    }
}

/// A name that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a name")]
pub struct InvalidName {
    /// The name, as the caller gave it.
    pub name: String,
    /// What was expected.
    pub source: NameError,
}

/// How the other side of the socket broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame's length is out of bounds.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame does not hold a valid reply.
    #[error("a reply could not be read: {0}")]
    Reply(DecodeError),
    /// A reply to a request that was never made.
    #[error("a reply to request {0}, which was never made")]
    UnknownRequest(u64),
    /// A reply of a kind that does not answer the request.
    #[error("the reply is not one to {0}")]
    WrongReply(&'static str),
    /// An access token that cannot stand in a header (RFC 6750, section 2.1).
    #[error("the access token holds characters that a bearer token cannot have")]
    TokenCharacters,
    /// A list whose pages never end.
    #[error("the pages of the list never end")]
    EndlessPages,
}

macro_rules! boxed {
    ($($why:ident => $variant:ident),*) => {$(
        impl From<$why> for Error {
            fn from(why: $why) -> Self {
                Self::$variant(Box::new(why))
            }
        }
    )*};
}

boxed!(ConnectError => Connect, DaemonError => Daemon, ProtocolError => Protocol, UnsupportedError => Unsupported, InvalidName => InvalidName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_small() {
        assert!(size_of::<Error>() <= 3 * size_of::<usize>(), "{}", size_of::<Error>());
    }
}
