//! The one place that turns what came back into a [`Failure`]. Pure: status, headers and body in, meaning out.
//!
//! Messages are our own words. Of the provider's only the status and a registered error code are passed on.

mod oauth;
mod transport;
mod wait;

use std::fmt;

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;

use self::oauth::ErrorBody;
pub(super) use self::transport::{TransportError, is_of_unknown_authority, no_answer, out_of_time, transport};
use super::body::{self, BodyFault};
use super::charset;
use super::reply::Reply;
use crate::core::provider::{Failure, FailureKind};
use crate::core::settings::ParamStyle;

/// What was asked: the same answer means different things to different questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// A token for client credentials.
    ClientCredentials,
    /// A tenant's token for the workspace's.
    Exchange,
    /// A page of tenants.
    ListTenants,
    /// A pair for a refresh token.
    Refresh,
    /// Step 1 of a login: user name and password.
    LoginUser,
    /// Step 2 of a login: the customer id, for a code.
    LoginCustomer,
    /// Step 3 of a login: the code, for tokens.
    LoginCode,
}

impl RequestKind {
    /// Whether something is used up by being acted on: a refresh token, or a code and with it a login of the quota.
    fn spends(self) -> bool {
        matches!(self, Self::Refresh | Self::LoginCode)
    }

    /// Of an answer that leaves it open whether the request was acted on. The first two steps of a login mint
    /// nothing, so there it does not matter.
    fn unknown(self) -> FailureKind {
        match self {
            Self::LoginUser | Self::LoginCustomer => FailureKind::Transient,
            _ => FailureKind::Unknown,
        }
    }

    /// The most that is read of an answer, and the most that it may be without its compression.
    pub(super) fn limit(self) -> usize {
        match self {
            // A page of 300 tenants: 8 KiB for each and as much for the whole again.
            Self::ListTenants => 4 * 1024 * 1024,
            // What was spent for it is gone, however much stands around the tokens.
            Self::Refresh | Self::LoginCode => 4 * 1024 * 1024,
            _ => 256 * 1024,
        }
    }
}

impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientCredentials => "the token request",
            Self::Exchange => "the exchange for a tenant's token",
            Self::ListTenants => "the listing of tenants",
            Self::Refresh => "the refresh",
            Self::LoginUser => "step 1 of the login (user name and password)",
            Self::LoginCustomer => "step 2 of the login (customer id)",
            Self::LoginCode => "step 3 of the login (code for tokens)",
        })
    }
}

/// The body of a success, or what the answer means if it is none. Where the request has spent something, a body that
/// broke off is given too (see [`Reply`]): it may hold all that matters.
pub(super) fn success(asked: RequestKind, reply: &Reply) -> Result<&[u8], Failure> {
    match reply.body.end {
        _ if !reply.status.is_success() => Err(refusal(asked, reply)),
        Err(fault) if !asked.spends() || reply.status != StatusCode::OK => Err(unreadable(asked, reply, fault)),
        _ => Ok(&reply.body.bytes),
    }
}

/// A success that is of no use.
pub(super) fn unreadable(asked: RequestKind, reply: &Reply, fault: BodyFault) -> Failure {
    let message = format!("{asked}: the answer (HTTP {}) {fault}", reply.status.as_u16());
    Failure { kind: asked.unknown(), retry_after: wait::retry_after(&reply.headers), message }
}

/// A success whose JSON says that it is none: what it would mean with a 400. `None`: it says no such thing.
pub(super) fn error_in_success(asked: RequestKind, reply: &Reply, text: &[u8]) -> Option<Failure> {
    let told = ErrorBody::from_text(text);
    let is_error = reply.body.end.is_ok() && told.is_error();
    is_error.then(|| failure(asked, reply, StatusCode::BAD_REQUEST, &told, false))
}

/// Nothing was sent, for a reason that lies here.
pub(super) fn not_sent(asked: RequestKind, kind: FailureKind, why: &str) -> Failure {
    Failure { kind, retry_after: None, message: format!("{asked} was not sent: {why}") }
}

/// Any other answer than a success.
pub(super) fn refusal(asked: RequestKind, reply: &Reply) -> Failure {
    // What broke off could have gone on in other words.
    let text = charset::utf8(reply.body.whole().unwrap_or_default());
    let told = ErrorBody::from_text(&text);
    let is_html = body::is_html(&text) || reply.headers.get(CONTENT_TYPE).is_some_and(oauth::is_html_type);
    failure(asked, reply, reply.status, &told, is_html)
}

/// `status` is what the answer counts as.
fn failure(asked: RequestKind, reply: &Reply, status: StatusCode, told: &ErrorBody, is_html: bool) -> Failure {
    let (kind, meaning) = match reply.body.end {
        Err(_) if is_refusal(status) => (FailureKind::Transient, "refused, and the reason broke off"),
        _ => meaning(asked, status, told, is_html, reply.style),
    };
    let retry_after = match kind {
        FailureKind::RateLimited => wait::when_rate_limited(&reply.headers, told.message()),
        _ => wait::retry_after(&reply.headers),
    };
    let reason = match (told.code(), reply.status.canonical_reason()) {
        (Some(code), _) => format!(" ({code})"),
        (None, Some(reason)) => format!(" ({reason})"),
        (None, None) => String::new(),
    };
    Failure { kind, retry_after, message: format!("{asked}: HTTP {}{reason}: {meaning}", reply.status.as_u16()) }
}

fn meaning(
    asked: RequestKind,
    status: StatusCode,
    told: &ErrorBody,
    is_html: bool,
    style: Option<ParamStyle>,
) -> (FailureKind, &'static str) {
    match status.as_u16() {
        429 => (FailureKind::RateLimited, "the provider's rate limit is reached"),
        415 if asked.spends() => (FailureKind::Transient, other_style(style)),
        400 | 401 | 403 => refused(asked, status, told, is_html, style),
        // A rotation may fail after the old token was deleted, before the answer was written.
        500 => (asked.unknown(), "the provider has a fault, and whether the request was carried out is not known"),
        502 | 504 => (asked.unknown(), "a gateway on the way failed, and whether the request arrived is not known"),
        // They are sent instead of an answer that took too long: the request itself may have gone on.
        408 | 499 | 501 | 503 | 505..=599 if asked.spends() => {
            (asked.unknown(), "the provider has a fault, and whether the request was carried out is not known")
        }
        501 | 503 | 505..=599 => (FailureKind::Transient, "the provider has a fault"),
        // Elsewhere is where the request should have gone. A 303 is another matter: see what has come of it there.
        301 | 302 | 307 | 308 => (FailureKind::Transient, REDIRECT),
        300..=399 if !asked.spends() => (FailureKind::Transient, REDIRECT),
        300..=399 => (asked.unknown(), "a redirect, and whether the request was carried out before is not known"),
        // Nobody has defined this status: it may come before or after the request was carried out.
        400..=499 if !asked.spends() || status.canonical_reason().is_some() => {
            (FailureKind::Transient, "the provider does not take the request; is the configured URL right?")
        }
        _ => (asked.unknown(), "not an answer that means anything here"),
    }
}

const REDIRECT: &str = "a redirect, and redirects are not followed; is the configured URL right?";

/// The statuses that refuse somebody, and not just a request.
fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// The request was not understood, so nothing is spent.
fn other_style(style: Option<ParamStyle>) -> &'static str {
    match style {
        Some(ParamStyle::Form) => {
            "the gateway does not take the parameters as a form; try param_style = \"query\" or \"json\""
        }
        Some(ParamStyle::Query) => {
            "the gateway does not take the parameters in the URL; try param_style = \"form\" or \"json\""
        }
        Some(ParamStyle::Json) => {
            "the gateway does not take the parameters as JSON; try param_style = \"form\" or \"query\""
        }
        None => "the gateway does not take the parameters in this way; try another param_style",
    }
}

/// 400, 401 and 403: the provider understood, and does not want to.
fn refused(
    asked: RequestKind,
    status: StatusCode,
    told: &ErrorBody,
    is_html: bool,
    style: Option<ParamStyle>,
) -> (FailureKind, &'static str) {
    const CLIENT: &str = "client id or client secret are refused";
    let unauthorized = status == StatusCode::UNAUTHORIZED;
    match (asked, told.code()) {
        // An expired subject token appears to answer `invalid_client`, as no client is authenticated there
        // (the provider's documentation, tenants of an MSP workspace).
        (RequestKind::Exchange, Some("invalid_client" | "invalid_token"))
        | (RequestKind::ListTenants, Some("invalid_token")) => {
            (FailureKind::InvalidToken, "the workspace's token is refused")
        }
        (RequestKind::Exchange | RequestKind::ListTenants, _) if unauthorized => {
            (FailureKind::InvalidToken, "the workspace's token is refused")
        }
        (RequestKind::Exchange | RequestKind::ListTenants, _) => without_meaning(status),
        (_, Some("invalid_client" | "unauthorized_client")) => (FailureKind::InvalidClient, CLIENT),
        (RequestKind::Refresh, Some("invalid_grant")) => (FailureKind::InvalidGrant, DEAD),
        // Kong's words for it, where RFC 6749 section 5.2 would have `invalid_grant`.
        (RequestKind::Refresh, Some("invalid_request")) if told.describes("Invalid refresh_token") => {
            (FailureKind::InvalidGrant, DEAD)
        }
        // A gateway that finds no parameters misses the first one that it looks for, which is the grant's type.
        (RequestKind::Refresh | RequestKind::LoginCode, Some("invalid_request" | "unsupported_grant_type"))
            if status == StatusCode::BAD_REQUEST =>
        {
            (FailureKind::Transient, other_style(style))
        }
        // A page in HTML comes from something in between and says nothing of the password, which after this
        // would not be tried again until it is changed.
        (RequestKind::LoginUser, _) if !is_html => (FailureKind::LoginRefused, "user name or password are refused"),
        _ => without_meaning(status),
    }
}

const DEAD: &str = "the refresh token is refused: it was spent, revoked or has expired";

/// A 400 is about the request; a 401 or 403 is about us, whatever else it says, and must not be repeated for
/// ever as though it were a fault of the moment.
fn without_meaning(status: StatusCode) -> (FailureKind, &'static str) {
    match status {
        StatusCode::BAD_REQUEST => (FailureKind::Transient, "the provider does not take the request"),
        _ => (FailureKind::Unreadable, "refused, without a reason that can be read"),
    }
}

#[cfg(test)]
mod tests;
