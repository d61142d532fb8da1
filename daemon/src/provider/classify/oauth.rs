//! What an error body says, as far as it is said in words that are known.

use reqwest::header::HeaderValue;
use tokend_proto::Secret;

use crate::provider::loose;

/// An error response (RFC 6749 section 5.2), or the gateway's `{"message"}`.
#[derive(Default)]
pub(super) struct ErrorBody {
    is_error: bool,
    code: Option<&'static str>,
    description: Option<Secret>,
    message: Option<Secret>,
}

impl ErrorBody {
    /// Reads any text: one that is not a JSON object says nothing.
    pub(super) fn from_text(text: &[u8]) -> Self {
        let Some(object) = loose::find(text).ok().filter(|found| found.alone).map(|found| found.object) else {
            return Self::default();
        };
        let code = object.text("error");
        let nothing = [b"null".as_slice(), b"false", b"0", b"{}", b"[]", b""];
        let is_error = match &code {
            Some(code) => !code.is_empty(),
            None => object.all("error").next().is_some_and(|value| !nothing.contains(&value)),
        };
        Self {
            is_error,
            code: code.and_then(|code| KNOWN_CODES.into_iter().find(|known| *known == code.expose())),
            description: object.text("error_description"),
            message: object.text("message"),
        }
    }

    /// Whether there is an error at all, in whatever words.
    pub(super) fn is_error(&self) -> bool {
        self.is_error
    }

    /// The error code, if it is one of those that are registered: whatever else stands there could be anything.
    pub(super) fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// Whether the description is these words.
    pub(super) fn describes(&self, words: &str) -> bool {
        self.description.as_ref().is_some_and(|it| it.expose().trim().trim_end_matches('.').eq_ignore_ascii_case(words))
    }

    /// The gateway's words, to look for the seconds in them; never to be shown.
    pub(super) fn message(&self) -> Option<&str> {
        self.message.as_ref().map(Secret::expose)
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
