//! What a fault makes of a request or of its answer.

use serde_json::{Value, json};

use super::super::{Ending, Endpoint, Response};
use super::{Fault, RetryHint};

/// The largest body that [`Fault::Huge`] makes: it is made in memory.
const HUGEST: usize = 256 * 1024 * 1024;

impl Fault {
    /// How the log calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::TooMany(_) => "too-many",
            Self::Delay(_) => "delay",
            Self::Reset => "reset",
            Self::Truncated(_) => "truncated",
            Self::Html => "html",
            Self::Empty => "empty",
            Self::Huge(_) => "huge",
            Self::NotUtf8 => "not-utf8",
            Self::OtherShape(_) => "other-shape",
            Self::ExpiresIn(_) => "expires-in",
            Self::AccessToken(_) => "access-token",
            Self::Redirect(_) => "redirect",
        }
    }

    /// The ending of a request that was not carried out.
    pub(in crate::sandbox) fn before(&self, endpoint: Endpoint) -> Ending {
        match self {
            Self::Reset => Ending::ResetBeforeHandling,
            _ => Ending::Reply(self.substitute(endpoint).unwrap_or_default()),
        }
    }

    /// The ending of a request that was carried out.
    pub(in crate::sandbox) fn after(&self, answer: Response, endpoint: Endpoint) -> Ending {
        match self {
            Self::Reset => Ending::ResetAfterHandling,
            Self::Truncated(keep) => {
                let keep = (*keep).min(answer.body.len().saturating_sub(1));
                Ending::Truncated(answer, keep)
            }
            Self::ExpiresIn(text) => Ending::Reply(with_member(answer, "expires_in", text.as_deref())),
            Self::AccessToken(token) => {
                Ending::Reply(with_member(answer, "access_token", Some(&json!(token).to_string())))
            }
            _ => Ending::Reply(self.substitute(endpoint).unwrap_or(answer)),
        }
    }

    /// The response that stands in for the provider's; none for a fault that changes it.
    fn substitute(&self, endpoint: Endpoint) -> Option<Response> {
        Some(match self {
            Self::Status { status, retry_after } => {
                let response = match (status, endpoint.is_classic()) {
                    (500, true) => Response::json(500, &json!({ "message": "An unexpected error occurred" })),
                    _ => Response::new(*status, "text/html", format!("<html><h1>{status}</h1></html>")),
                };
                retry_after.iter().fold(response, |response, text| response.with("retry-after", text))
            }
            Self::TooMany(hint) => too_many(*hint),
            Self::Html => {
                Response::new(200, "text/html", "<!doctype html><title>Sign in</title><p>Welcome to the WiFi")
            }
            Self::Empty => Response { status: 200, ..Response::default() },
            Self::Huge(bytes) => {
                let mut body = br#"{"access_token":""#.to_vec();
                body.resize((*bytes).clamp(body.len(), HUGEST), b'A');
                Response::new(200, "application/json", body)
            }
            Self::NotUtf8 => Response::new(200, "application/json", b"{\"access_token\":\"\xff\xfe\xc0\"}".as_slice()),
            Self::OtherShape(value) => Response::json(200, value),
            Self::Redirect(location) => Response { status: 302, ..Response::default() }.with("location", location),
            Self::Delay(_) | Self::Reset | Self::Truncated(_) | Self::ExpiresIn(_) | Self::AccessToken(_) => {
                return None;
            }
        })
    }
}

fn too_many(hint: RetryHint) -> Response {
    let message = match hint {
        RetryHint::Message(seconds) => format!("Too many requests: try again after {seconds} seconds"),
        _ => "API rate limit exceeded".to_owned(),
    };
    let response = Response::json(429, &json!({ "message": message }));
    match hint {
        RetryHint::RetryAfter(seconds) => response.with("retry-after", seconds),
        RetryHint::RatelimitReset(seconds) => {
            response.with("ratelimit-limit", 1).with("ratelimit-remaining", 0).with("ratelimit-reset", seconds)
        }
        RetryHint::None | RetryHint::Message(_) => response,
    }
}

/// Puts text where a member's value was, or takes the member away; an answer without it stays as it is.
fn with_member(mut answer: Response, name: &str, text: Option<&str>) -> Response {
    let Value::Object(mut object) = answer.value() else { return answer };
    if object.remove(name).is_none() {
        return answer;
    }
    let mut body = Value::Object(object).to_string();
    if let Some(text) = text {
        body.insert_str(1, &format!("\"{name}\":{text}{}", if body == "{}" { "" } else { "," }));
    }
    answer.body = body.into_bytes();
    answer
}
