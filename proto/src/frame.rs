//! The frame around a message: a length and a frozen header.
//!
//! ```text
//! length      u32, big-endian: of all that follows, at least 10, at most 64 KiB
//! version     u8
//! request id  u64, big-endian
//! flags       u8
//! value       bincode
//! ```

use std::fmt;

use crate::limits::MAX_FRAME;

/// The protocol version spoken here.
pub const VERSION: u8 = 1;

/// Bytes of the length prefix.
pub const LENGTH_PREFIX: usize = 4;

/// Bytes of the header after the length prefix.
pub const HEADER_LEN: usize = 10;

/// Bits of a frame's `flags`. All of them are about a token reply.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// Nothing to say.
    pub const NONE: Self = Self(0);
    /// The token has less life left than `min_ttl` asked for.
    pub const FALLS_SHORT: Self = Self(1);
    /// The token is being replaced and may stop working at any moment.
    pub const RENEWING: Self = Self(2);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({:#04x})", self.0)
    }
}

/// The header before every value. All versions have the same layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Protocol version of the value.
    pub version: u8,
    /// Chosen by the peer; a reply carries the id of its request.
    pub request_id: u64,
    /// See [`Flags`].
    pub flags: Flags,
}

impl Header {
    /// A header of this version.
    #[inline]
    #[must_use]
    pub fn new(request_id: u64) -> Self {
        Self { version: VERSION, request_id, flags: Flags::NONE }
    }

    /// The header's bytes.
    #[inline]
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = self.version;
        bytes[1..9].copy_from_slice(&self.request_id.to_be_bytes());
        bytes[9] = self.flags.0;
        bytes
    }

    /// Splits what follows the length prefix into its header and its value.
    ///
    /// # Errors
    /// [`FrameError::TooShort`] if it is shorter than a header.
    #[inline]
    pub fn split(frame: &[u8]) -> Result<(Self, &[u8]), FrameError> {
        let Some((header, value)) = frame.split_first_chunk::<HEADER_LEN>() else {
            return Err(FrameError::TooShort(frame.len()));
        };
        let [version, id @ .., flags] = *header;
        Ok((Self { version, request_id: u64::from_be_bytes(id), flags: Flags(flags) }, value))
    }
}

/// A length that no frame has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than the limit.
    #[error("a frame of {0} bytes is over the limit of {MAX_FRAME}")]
    TooLong(usize),
    /// Shorter than its header.
    #[error("a frame of {0} bytes is shorter than its header of {HEADER_LEN}")]
    TooShort(usize),
}

/// The length that a prefix announces.
///
/// # Errors
/// When it is over [`MAX_FRAME`] or under [`HEADER_LEN`]; nothing after such a prefix can be trusted.
#[inline]
pub fn frame_length(prefix: [u8; LENGTH_PREFIX]) -> Result<usize, FrameError> {
    let length = u32::from_be_bytes(prefix) as usize;
    if length > MAX_FRAME {
        Err(FrameError::TooLong(length))
    } else if length < HEADER_LEN {
        Err(FrameError::TooShort(length))
    } else {
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_wire() {
        let header = Header { version: 1, request_id: 0x0102_0304_0506_0708, flags: Flags::RENEWING };
        let bytes = header.to_bytes();
        assert_eq!(bytes, [1, 1, 2, 3, 4, 5, 6, 7, 8, 2]);
        assert_eq!(Header::split(&bytes), Ok((header, &[][..])));
        assert_eq!(Header::split(&bytes[..9]), Err(FrameError::TooShort(9)));
    }

    #[test]
    fn lengths_out_of_bounds_are_refused() {
        assert_eq!(frame_length([0, 0, 0, 9]), Err(FrameError::TooShort(9)));
        assert_eq!(frame_length([0, 0, 0, 10]), Ok(10));
        assert_eq!(frame_length([0, 1, 0, 0]), Ok(MAX_FRAME));
        assert_eq!(frame_length([0, 1, 0, 1]), Err(FrameError::TooLong(MAX_FRAME + 1)));
        assert_eq!(frame_length([0xff; 4]), Err(FrameError::TooLong(0xffff_ffff)));
    }
}
