//! gzip (RFC 1952), zlib (RFC 1950) and deflate (RFC 1951). Checksums are not looked at: TLS has seen to that, and a
//! trailer may be missing.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF as FLAGS;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use zeroize::Zeroizing;

use super::decoded::{Decoded, grown};
use crate::provider::body::BodyFault;

/// With the one method that there is.
pub(super) const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

const GZIP_TRAILER: usize = 8;

/// All members, one after the other. `None`: it does not begin like one.
pub(super) fn gzip(mut input: &[u8], limit: usize) -> Option<Decoded> {
    let mut output = Output::default();
    let mut end = Err(BodyFault::BrokenOff);
    while input.starts_with(&GZIP) {
        let Some(header) = header_length(input) else { break };
        let (consumed, ended) = output.inflate(&input[header..], limit);
        end = ended;
        if end.is_err() {
            break;
        }
        input = input.get(header + consumed + GZIP_TRAILER..).unwrap_or_default();
    }
    (!output.bytes.is_empty() || end.is_ok()).then(|| output.decoded(end))
}

/// With zlib's header if it looks like one, or else without.
pub(super) fn deflate(input: &[u8], limit: usize) -> Decoded {
    let bare = |input: &[u8]| {
        let mut output = Output::default();
        let (consumed, end) = output.inflate(input, limit);
        (input.len() - consumed, output.decoded(end))
    };
    if is_zlib(input) {
        let (_, decoded) = bare(&input[2..]);
        if decoded.end.is_ok() || !decoded.bytes.is_empty() {
            return decoded;
        }
    }
    let (left, mut decoded) = bare(input);
    if left > 0 {
        // Nothing says that it is deflate, and what has an end in its middle is likely something else.
        decoded.end = decoded.end.and(Err(BodyFault::BrokenOff));
    }
    decoded
}

/// RFC 1950 section 2.2.
fn is_zlib(input: &[u8]) -> bool {
    matches!(*input, [method, flags, ..] if method & 0x0f == 8 && u16::from_be_bytes([method, flags]) % 31 == 0)
}

/// RFC 1952 section 2.3. `None`: it ends before the header does.
fn header_length(input: &[u8]) -> Option<usize> {
    let flags = *input.get(3)?;
    let mut length = 10;
    if flags & 0x04 != 0 {
        let extra = input.get(length..length + 2)?;
        length += 2 + usize::from(u16::from_le_bytes([extra[0], extra[1]]));
    }
    // A name and a comment, each up to a zero byte.
    for present in [flags & 0x08 != 0, flags & 0x10 != 0] {
        if present {
            length += 1 + input.get(length..)?.iter().position(|byte| *byte == 0)?;
        }
    }
    if flags & 0x02 != 0 {
        length += 2;
    }
    (length <= input.len()).then_some(length)
}

/// Written to in place: the decoder has no copy of its own.
#[derive(Default)]
struct Output {
    /// Longer than what is written by room for more.
    bytes: Zeroizing<Vec<u8>>,
    written: usize,
}

impl Output {
    /// How many bytes of the input it took, and how it ended.
    fn inflate(&mut self, input: &[u8], limit: usize) -> (usize, Result<(), BodyFault>) {
        let mut decoder = Box::<DecompressorOxide>::default();
        // Distances may not reach into what an earlier member wrote.
        let begin = self.written;
        let mut consumed = 0;
        loop {
            let out = self.bytes.get_mut(begin..).unwrap_or_default();
            let (status, read, wrote) = decompress(&mut decoder, &input[consumed..], out, self.written - begin, FLAGS);
            consumed += read;
            self.written += wrote;
            match status {
                TINFLStatus::Done => return (consumed, Ok(())),
                TINFLStatus::HasMoreOutput if self.written >= limit => {
                    return (consumed, Err(BodyFault::TooLong(limit / 1024)));
                }
                TINFLStatus::HasMoreOutput => self.bytes = grown(&self.bytes, limit),
                _ => return (consumed, Err(BodyFault::BrokenOff)),
            }
        }
    }

    fn decoded(mut self, end: Result<(), BodyFault>) -> Decoded {
        self.bytes.truncate(self.written);
        Decoded { bytes: self.bytes, end }
    }
}
