//! Encodes and decodes values: the only module that names bincode.
//!
//! `bincode` is pinned to 2.0.1, the last real release: the format is finished, and nobody maintains the crate.
//! `tests/wincode.rs` decodes the same vectors with another implementation, so that this crate can be replaced without
//! changing a byte. Decoding always has a limit: without one, ten bytes that claim a long string make bincode reserve
//! that much and abort the process.

mod plain;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::enc::write::{SizeWriter, Writer};
use serde::Serialize;

use crate::limits::MAX_FRAME;
use crate::{Flags, HEADER_LEN, Header, LENGTH_PREFIX, Reply, Request};

const CONFIG: Configuration<LittleEndian, Varint, Limit<MAX_FRAME>> =
    bincode::config::standard().with_limit::<MAX_FRAME>();

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The number of the request is unknown to this version.
    #[error("unknown request number {0}")]
    UnknownRequest(u32),
    /// Not in the format, or of another type.
    #[error("not a valid message")]
    Malformed,
    /// A whole message, and bytes after it.
    #[error("{0} bytes left over after the message")]
    TrailingBytes(usize),
}

/// Why a message cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The frame would be over the limit.
    #[error("the message is over the frame limit of {MAX_FRAME} bytes")]
    TooLong,
}

/// A request as a whole frame, length prefix included.
///
/// # Errors
/// When it is over the frame limit.
pub fn encode_request(request_id: u64, request: &Request<'_>) -> Result<Vec<u8>, EncodeError> {
    let secret = match request {
        Request::Import { refresh_token, .. } => refresh_token.len(),
        _ => 0,
    };
    encode_frame(Header::new(request_id), request, secret)
}

/// A reply as a whole frame, length prefix included.
///
/// # Errors
/// When it is over the frame limit.
pub fn encode_reply(request_id: u64, flags: Flags, reply: &Reply) -> Result<Vec<u8>, EncodeError> {
    let secret = match reply {
        Reply::Token(token) => token.access_token.expose().len() + token.token_type.len(),
        _ => 0,
    };
    encode_frame(Header { flags, ..Header::new(request_id) }, reply, secret)
}

/// Puts another id and other flags into an encoded reply, so that one encoding serves many peers.
///
/// # Panics
/// If `frame` is not a whole frame.
#[inline]
pub fn patch_reply(frame: &mut [u8], request_id: u64, flags: Flags) {
    let header = Header { flags, ..Header::new(request_id) }.to_bytes();
    frame[LENGTH_PREFIX..LENGTH_PREFIX + HEADER_LEN].copy_from_slice(&header);
}

/// The request in a frame's value; it borrows from the bytes.
///
/// # Errors
/// When the bytes are not exactly one request of this version.
#[inline]
pub fn decode_request(value: &[u8]) -> Result<Request<'_>, DecodeError> {
    plain::get(value).map_or_else(|| decode_any_request(value), Ok)
}

fn decode_any_request(value: &[u8]) -> Result<Request<'_>, DecodeError> {
    match decode(value) {
        Err(DecodeError::Malformed) => match bincode::serde::borrow_decode_from_slice::<u32, _>(value, CONFIG) {
            Ok((number, _)) if number >= Request::COUNT => Err(DecodeError::UnknownRequest(number)),
            _ => Err(DecodeError::Malformed),
        },
        other => other,
    }
}

/// The reply in a frame's value.
///
/// # Errors
/// When the bytes are not exactly one reply of this version.
pub fn decode_reply(value: &[u8]) -> Result<Reply, DecodeError> {
    decode(value)
}

fn decode<'a, T: serde::Deserialize<'a>>(value: &'a [u8]) -> Result<T, DecodeError> {
    let (message, used) =
        bincode::serde::borrow_decode_from_slice(value, CONFIG).map_err(|_| DecodeError::Malformed)?;
    match value.len() - used {
        0 => Ok(message),
        more => Err(DecodeError::TrailingBytes(more)),
    }
}

/// The destination of a message. bincode writes mostly single bytes.
struct Frame<'a>(&'a mut Vec<u8>);

impl Writer for Frame<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        match bytes {
            [byte] => self.0.push(*byte),
            _ => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }
}

/// `secret` is the length of the secret text in the message. If there is any, the buffer has the length of the frame
/// from the start: it never grows, so no part of the secret stays behind in freed memory, and it wastes no room.
fn encode_frame(header: Header, message: &impl Serialize, secret: usize) -> Result<Vec<u8>, EncodeError> {
    let room = match secret {
        0 => 512,
        _ => {
            let mut counted = SizeWriter::default();
            bincode::serde::encode_into_writer(message, &mut counted, CONFIG).map_err(|_| EncodeError::TooLong)?;
            LENGTH_PREFIX + HEADER_LEN + counted.bytes_written
        }
    };
    let mut frame = Vec::with_capacity(room);
    frame.extend_from_slice(&[0; LENGTH_PREFIX]);
    frame.extend_from_slice(&header.to_bytes());
    bincode::serde::encode_into_writer(message, Frame(&mut frame), CONFIG).map_err(|_| EncodeError::TooLong)?;
    let length = frame.len() - LENGTH_PREFIX;
    if length > MAX_FRAME {
        return Err(EncodeError::TooLong);
    }
    let prefix = u32::try_from(length).map_err(|_| EncodeError::TooLong)?.to_be_bytes();
    frame[..LENGTH_PREFIX].copy_from_slice(&prefix);
    Ok(frame)
}
