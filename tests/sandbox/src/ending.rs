//! What the client sees of an answer in the end.

use super::Response;

/// What the client sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// A whole response.
    Reply(Response),
    /// The connection is reset, and nothing has happened.
    ResetBeforeHandling,
    /// The connection is reset, and the request has been carried out.
    ResetAfterHandling,
    /// The response announces its whole length; so many bytes of the body arrive, then the connection closes.
    Truncated(Response, usize),
    /// All bytes of the body arrive, and nothing says that they are all.
    Unended(Response, Unended),
    /// A whole response whose body is coded on the wire.
    Coded(Response, Coding),
    /// A whole response with more in its head.
    OddHead(Response, OddHead),
}

/// How a body that is whole does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unended {
    /// Chunked; the connection closes where the last chunk should be.
    NoLastChunk,
    /// A longer body was announced; the connection closes.
    LengthTooLong,
    /// A longer body was announced; the connection stays open, and nothing more comes.
    Silent,
}

/// RFC 9110, section 8.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// What the RFC means by `deflate`: zlib's format (RFC 1950).
    Deflate,
    /// What some servers mean by it: RFC 1951 alone.
    RawDeflate,
}

/// What is in a head, after the status line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddHead {
    /// `X-A : 1`.
    BlankBeforeColon,
    /// A header that goes on in the next line (RFC 9112, section 5.2).
    Folded,
    /// 120 headers.
    Many,
}

impl Ending {
    /// The response of which the client sees something, unless the connection was reset.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        match self {
            Self::Reply(response)
            | Self::Truncated(response, _)
            | Self::Unended(response, _)
            | Self::Coded(response, _)
            | Self::OddHead(response, _) => Some(response),
            Self::ResetBeforeHandling | Self::ResetAfterHandling => None,
        }
    }
}

impl OddHead {
    /// The lines, each with its end.
    #[must_use]
    pub fn lines(self) -> String {
        match self {
            Self::BlankBeforeColon => "X-A : 1\r\n".to_owned(),
            Self::Folded => "X-Cache: MISS from edge-07\r\n\tand from edge-08\r\n".to_owned(),
            Self::Many => (0..120).map(|n| format!("X-Edge-{n}: {n}\r\n")).collect(),
        }
    }
}
