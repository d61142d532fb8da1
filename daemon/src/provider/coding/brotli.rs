//! Brotli (RFC 7932).

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use zeroize::Zeroizing;

use super::decoded::{Decoded, grown};
use crate::provider::body::BodyFault;

pub(super) fn decode(input: &[u8], limit: usize) -> Decoded {
    // Strict: windows of 16 MiB at most, and the buffer for one is no larger than what it has to hold.
    let mut state =
        BrotliState::new_strict(StandardAlloc::default(), StandardAlloc::default(), StandardAlloc::default());
    let mut bytes: Zeroizing<Vec<u8>> = grown(&[], limit);
    let (mut left, mut read, mut written, mut total) = (input.len(), 0, 0, 0);
    let end = loop {
        let mut room = bytes.len() - written;
        match BrotliDecompressStream(
            &mut left,
            &mut read,
            input,
            &mut room,
            &mut written,
            &mut bytes,
            &mut total,
            &mut state,
        ) {
            BrotliResult::ResultSuccess if left == 0 => break Ok(()),
            BrotliResult::NeedsMoreOutput if written >= limit => break Err(BodyFault::TooLong(limit / 1024)),
            BrotliResult::NeedsMoreOutput => bytes = grown(&bytes, limit),
            // There is no magic: what has an end in its middle is likely something else.
            BrotliResult::ResultSuccess | BrotliResult::NeedsMoreInput | BrotliResult::ResultFailure => {
                break Err(BodyFault::BrokenOff);
            }
        }
    };
    bytes.truncate(written);
    Decoded { bytes, end }
}
