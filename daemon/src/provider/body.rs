//! Reading a provider's body, within limits, and saying what is wrong with it without quoting it.

use reqwest::Response;
use serde::de::DeserializeOwned;
use thiserror::Error;
use zeroize::Zeroizing;

use super::charset;

/// Why a body is of no use. The texts are ours: serde's name the values that they stumble over, and those
/// may be secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum BodyFault {
    #[error("did not end in time")]
    TimedOut,
    #[error("broke off before its end")]
    BrokenOff,
    #[error("is longer than {0} KiB")]
    TooLong(usize),
    #[error("has no body")]
    Empty,
    #[error("is HTML, not JSON")]
    Html,
    #[error("ends in the middle of its JSON")]
    HalfJson,
    #[error("is not JSON")]
    NotJson,
    #[error("is not what was expected: {0}")]
    OtherShape(&'static str),
}

/// A body as far as it came.
pub(super) struct Body {
    /// No more than the limit.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Why there is no more, or not yet.
    pub(super) end: Result<(), BodyFault>,
}

impl Body {
    /// All of it, or why that is not here.
    pub(super) fn whole(&self) -> Result<&[u8], BodyFault> {
        self.end.map(|()| self.bytes.as_slice())
    }
}

/// Reads into a buffer that is wiped, `limit` bytes at most. What has come stays there, however it ends: also if this
/// future is dropped.
pub(super) async fn read(mut response: Response, limit: usize, body: &mut Zeroizing<Vec<u8>>) -> Result<(), BodyFault> {
    *body = Zeroizing::new(Vec::with_capacity(FIRST_BUFFER.min(limit)));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                let room = limit - body.len();
                append(body, &chunk[..room]);
                return Err(BodyFault::TooLong(limit / 1024));
            }
            Ok(Some(chunk)) => append(body, &chunk),
            Ok(None) => return Ok(()),
            Err(_) => return Err(BodyFault::BrokenOff),
        }
    }
}

/// Holds a token response in one piece, as a rule. A shorter one would leave more behind: the allocator gives this one
/// the place that the HTTP library has read the last answers into and freed unwiped, and here it is wiped.
const FIRST_BUFFER: usize = 16 * 1024;

/// Like `extend_from_slice`, but a buffer that was outgrown is wiped too.
pub(super) fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let needed = body.len() + chunk.len();
    if needed > body.capacity() {
        let mut bigger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
        bigger.extend_from_slice(body);
        *body = bigger;
    }
    body.extend_from_slice(chunk);
}

/// The body as a JSON object of a given shape; `shape` says which, should it have another one.
pub(super) fn json<T: DeserializeOwned>(body: &[u8], shape: &'static str) -> Result<T, BodyFault> {
    let text = charset::utf8(body);
    if let Some(fault) = no_json(&text) {
        return Err(fault);
    }
    let value = serde_json::from_slice(&text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => BodyFault::OtherShape(shape),
        serde_json::error::Category::Eof => BodyFault::HalfJson,
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => BodyFault::NotJson,
    })?;
    // serde takes an array for a struct, its elements for the fields in their order.
    if text.trim_ascii_start().starts_with(b"{") { Ok(value) } else { Err(BodyFault::OtherShape(shape)) }
}

/// What is plainly something else.
pub(super) fn no_json(text: &[u8]) -> Option<BodyFault> {
    if text.trim_ascii().is_empty() {
        return Some(BodyFault::Empty);
    }
    is_html(text).then_some(BodyFault::Html)
}

/// Whether it looks like a page for people: no JSON begins with `<`.
pub(super) fn is_html(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Shape {
        a: u8,
    }

    #[test]
    fn each_fault_of_a_body_has_its_name() {
        let cases: [(&[u8], BodyFault); 11] = [
            (b"", BodyFault::Empty),
            (b" \r\n", BodyFault::Empty),
            (b"\n<!DOCTYPE html><html>", BodyFault::Html),
            (b"{\"a\":", BodyFault::HalfJson),
            (b"{\"a\":1", BodyFault::HalfJson),
            (b"upstream gone", BodyFault::NotJson),
            (b"{\"a\":1} trailing", BodyFault::NotJson),
            (b"[]", BodyFault::OtherShape("x")),
            (b" [1]", BodyFault::OtherShape("x")),
            (b"{\"a\":\"one\"}", BodyFault::OtherShape("x")),
            (b"{\"a\":1,\"a\":2}", BodyFault::OtherShape("x")),
        ];
        for (body, fault) in cases {
            assert_eq!(json::<Shape>(body, "x"), Err(fault), "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(json(b" {\"a\":1,\"b\":[]}\n", "x"), Ok(Shape { a: 1 }));
        assert_eq!(json(b"\xef\xbb\xbf{\"a\":1,\"b\":\"M\xfcnchen\"}", "x"), Ok(Shape { a: 1 }));
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        let deep = "[".repeat(100_000);
        let body = format!("{{\"a\":{deep}");
        assert!(json::<serde_json::Value>(body.as_bytes(), "x").is_err());
    }

    #[test]
    fn a_buffer_that_grows_keeps_what_it_has() {
        let mut body = Zeroizing::new(Vec::with_capacity(4));
        for _ in 0..100 {
            append(&mut body, b"0123456789");
        }
        assert_eq!(body.as_slice(), b"0123456789".repeat(100));
    }
}
