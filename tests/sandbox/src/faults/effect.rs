//! What a fault makes of a request or of its answer.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{Ending, Endpoint, Now, Response};
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
            Self::Says(saying) => saying.name(),
            Self::Odd(odd) => odd.name(),
        }
    }

    /// The ending of a request that was not carried out.
    pub(crate) fn before(&self, now: Now, endpoint: Endpoint) -> Ending {
        match self {
            Self::Reset => Ending::ResetBeforeHandling,
            _ => Ending::Reply(self.substitute(now, endpoint).unwrap_or_default()),
        }
    }

    /// The ending of a request that was carried out.
    pub(crate) fn after(&self, now: Now, answer: Response, endpoint: Endpoint) -> Ending {
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
            Self::Odd(odd) => odd.spoil(answer),
            _ => Ending::Reply(self.substitute(now, endpoint).unwrap_or(answer)),
        }
    }

    /// The response that stands in for the provider's; none for a fault that changes it.
    fn substitute(&self, now: Now, endpoint: Endpoint) -> Option<Response> {
        Some(match self {
            Self::Status { status, retry_after } => {
                let response = match (status, endpoint.is_classic()) {
                    (500, true) => Response::json(500, &json!({ "message": "An unexpected error occurred" })),
                    _ => Response::new(*status, "text/html", format!("<html><h1>{status}</h1></html>")),
                };
                retry_after.iter().fold(response, |response, text| response.with("retry-after", text))
            }
            Self::TooMany(hint) => too_many(now, *hint),
            Self::Says(saying) => saying.said(endpoint),
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
            Self::Delay(_)
            | Self::Reset
            | Self::Truncated(_)
            | Self::ExpiresIn(_)
            | Self::AccessToken(_)
            | Self::Odd(_) => return None,
        })
    }
}

fn too_many(now: Now, hint: RetryHint) -> Response {
    let message = match hint {
        RetryHint::Message(seconds) => format!("Too many requests: try again after {seconds} seconds"),
        _ => "API rate limit exceeded".to_owned(),
    };
    let response = Response::json(429, &json!({ "message": message }));
    let then = |seconds: u64| i64::try_from(now / 1000).unwrap_or(i64::MAX).saturating_add_unsigned(seconds);
    match hint {
        RetryHint::RetryAfter(seconds) => response.with("retry-after", seconds),
        RetryHint::RetryAfterDate(seconds) => {
            response.with("date", http_date(then(0))).with("retry-after", http_date(then(seconds)))
        }
        RetryHint::RatelimitReset(seconds) => {
            response.with("ratelimit-limit", 1).with("ratelimit-remaining", 0).with("ratelimit-reset", seconds)
        }
        RetryHint::ResetDate(seconds) => {
            response.with("date", http_date(then(0))).with("x-ratelimit-reset", date(then(seconds), "%FT%TZ"))
        }
        RetryHint::ResetEpoch(seconds) => {
            response.with("date", http_date(then(0))).with("x-ratelimit-reset", then(seconds))
        }
        RetryHint::None | RetryHint::Message(_) => response,
    }
}

/// RFC 9110, section 5.6.7.
fn http_date(seconds: i64) -> String {
    date(seconds, "%a, %d %b %Y %T GMT")
}

/// The last day that a calendar has is late enough.
fn date(seconds: i64, format: &str) -> String {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).strftime(format).to_string()
}

/// Puts text where a member's value was, or takes the member away; an answer without it stays as it is.
pub(super) fn with_member(mut answer: Response, name: &str, text: Option<&str>) -> Response {
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
