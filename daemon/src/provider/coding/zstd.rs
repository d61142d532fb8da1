//! Zstandard (RFC 8878).

use std::io::Read;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use zeroize::Zeroizing;

use super::decoded::Decoded;
use crate::provider::body::{self, BodyFault};

pub(super) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What RFC 8878 section 3.1.1.1.2 recommends to support.
const LARGEST_WINDOW: u64 = 8 * 1024 * 1024;

/// A flag of the frame header's descriptor: a checksum follows the last block.
const CHECKSUM_FLAG: u8 = 0x04;

/// A last block without content.
const LAST_BLOCK: [u8; 3] = [1, 0, 0];

/// The first frame. `None`: it does not begin like one.
pub(super) fn decode(input: &[u8], limit: usize) -> Option<Decoded> {
    let (magic, rest) = input.split_first_chunk::<4>()?;
    let (descriptor, rest) = rest.split_first()?;
    if *magic != MAGIC {
        return None;
    }
    // Without the flag the decoder does not wait for a checksum that may be missing.
    let descriptor = [descriptor & !CHECKSUM_FLAG];
    let mut source = magic.chain(&descriptor[..]).chain(rest);
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(LARGEST_WINDOW);
    decoder.init(&mut source).ok()?;
    let mut bytes = Zeroizing::new(Vec::new());
    let end = loop {
        let decoded = decoder.decode_blocks(&mut source, BlockDecodingStrategy::UptoBlocks(1));
        let end = match decoded {
            Ok(finished) => finished.then_some(Ok(())),
            Err(_) => {
                // The decoder keeps back what later blocks may refer to. There are none.
                let _ = decoder.decode_blocks(&LAST_BLOCK[..], BlockDecodingStrategy::UptoBlocks(1));
                Some(Err(BodyFault::BrokenOff))
            }
        };
        // A block holds 128 KiB at most, so no more than a window and a block is ever kept.
        let part = Zeroizing::new(decoder.collect().unwrap_or_default());
        if bytes.len() + part.len() > limit {
            let room = limit - bytes.len();
            body::append(&mut bytes, &part[..room]);
            break Err(BodyFault::TooLong(limit / 1024));
        }
        body::append(&mut bytes, &part);
        if let Some(end) = end {
            break end;
        }
    };
    Some(Decoded { bytes, end })
}
