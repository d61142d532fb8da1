//! Undoing compression. Nobody asked for it, but proxies and content networks compress all the same.
//!
//! What is decoded stays within a limit, and a compressed text that breaks off yields what it holds up to there. What
//! cannot be decoded at all is left as it came: a proxy may have decoded it and kept the header.

mod brotli;
mod decoded;
mod inflate;
mod zstd;

use reqwest::header::{CONTENT_ENCODING, HeaderMap};

use super::body::{Body, BodyFault};
use decoded::Decoded;

/// Codings that are undone, one after the other. More than two were never seen.
const MOST: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    /// With zlib's header or without it: both are in use under this name.
    Deflate,
    Brotli,
    Zstd,
}

/// The body without its codings: those that the header names, and those that can be known by their first bytes.
pub(super) fn decode(headers: &HeaderMap, mut body: Body, limit: usize) -> Body {
    let mut named = named(headers);
    for _ in 0..MOST {
        let Some(coding) = named.pop().or_else(|| recognised(&body.bytes)) else { break };
        let Some(decoded) = undo(coding, &body.bytes, limit) else { continue };
        // A break on the way stays one, even if the compressed text had come to its end before.
        let end = body.end.and(decoded.end);
        body = Body { bytes: decoded.bytes, end };
    }
    body
}

/// In the order in which they were applied (RFC 9110 section 8.4), up to one that is not known here.
fn named(headers: &HeaderMap) -> Vec<Coding> {
    let mut all = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        for word in value.as_bytes().split(|byte| *byte == b',') {
            match word.trim_ascii().to_ascii_lowercase().as_slice() {
                b"gzip" | b"x-gzip" => all.push(Coding::Gzip),
                b"deflate" | b"x-deflate" | b"zlib" => all.push(Coding::Deflate),
                b"br" | b"brotli" => all.push(Coding::Brotli),
                b"zstd" => all.push(Coding::Zstd),
                b"" | b"identity" | b"none" => {}
                _ => all.clear(),
            }
        }
    }
    all
}

/// Neither begins a text.
fn recognised(bytes: &[u8]) -> Option<Coding> {
    if bytes.starts_with(&inflate::GZIP) {
        Some(Coding::Gzip)
    } else if bytes.starts_with(&zstd::MAGIC) {
        Some(Coding::Zstd)
    } else {
        None
    }
}

/// `None`: this is not of that coding.
fn undo(coding: Coding, bytes: &[u8], limit: usize) -> Option<Decoded> {
    let decoded = match coding {
        Coding::Gzip => inflate::gzip(bytes, limit)?,
        Coding::Deflate => inflate::deflate(bytes, limit),
        Coding::Brotli => brotli::decode(bytes, limit),
        Coding::Zstd => zstd::decode(bytes, limit)?,
    };
    let is_other = decoded.end == Err(BodyFault::BrokenOff) && (decoded.bytes.is_empty() || is_text(bytes));
    (!is_other).then_some(decoded)
}

/// What is compressed has control characters in it, as a rule.
fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte >= b' ' || byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests;
