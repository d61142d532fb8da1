//! What an error body says, as far as it is said in words that are known.

use reqwest::header::HeaderValue;
use serde_json::Value;

/// An error response (RFC 6749 section 5.2), or the gateway's `{"message"}`.
pub(super) struct Told {
    code: Option<&'static str>,
    description: Option<String>,
    message: Option<String>,
}

impl Told {
    /// Of whatever body: one that is not JSON says nothing.
    pub(super) fn from_body(body: &[u8]) -> Self {
        let mut json: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut text = |key| match json.get_mut(key).map(Value::take) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let code = text("error").and_then(|code| KNOWN_CODES.into_iter().find(|known| *known == code));
        Self { code, description: text("error_description"), message: text("message") }
    }

    /// The error code, if it is one of those that are registered: whatever else stands there could be anything.
    pub(super) fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// Whether the description is these words.
    pub(super) fn describes(&self, words: &str) -> bool {
        self.description.as_deref().is_some_and(|it| it.trim().trim_end_matches('.').eq_ignore_ascii_case(words))
    }

    /// The gateway's words, to look for the seconds in them; never to be shown.
    pub(super) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

/// The OAuth Extensions Error registry, as far as token endpoints and protected resources use it (RFC 6749
/// section 5.2, RFC 6750 section 3.1, RFC 8693 section 2.2.2, RFC 8707 section 2).
const KNOWN_CODES: [&str; 13] = [
    "access_denied",
    "insufficient_scope",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "invalid_token",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_token_type",
];

/// Of a `Content-Type`.
pub(super) fn is_html_type(value: &HeaderValue) -> bool {
    value.as_bytes().get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"text/html"))
}
