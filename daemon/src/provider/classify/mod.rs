//! The one place that turns what came back into a [`Failure`]. Pure: status, headers and body in, meaning out.
//!
//! Messages are our own words. Of the provider's only the status and a registered error code are passed on.

mod oauth;
mod transport;
mod wait;

use std::fmt;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

use self::oauth::Told;
pub(super) use self::transport::{NoAnswer, no_answer, transport};
use super::body::{self, BodyFault};
use super::http::Reply;
use crate::core::exchange::{Failure, FailureKind};

/// What was asked: the same answer means different things to different questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
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

impl Asked {
    /// Of an answer that leaves it open whether the request was acted on. The first two steps of a login mint
    /// nothing, so there it does not matter.
    fn unknown(self) -> FailureKind {
        match self {
            Self::LoginUser | Self::LoginCustomer => FailureKind::Transient,
            _ => FailureKind::Unknown,
        }
    }
}

impl fmt::Display for Asked {
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

/// The body of a success, or what the answer means if it is none.
pub(super) fn success(asked: Asked, reply: &Reply) -> Result<&[u8], Failure> {
    match &reply.body {
        Ok(body) if reply.status.is_success() => Ok(body),
        Err(fault) if reply.status.is_success() => Err(unreadable(asked, reply.status, *fault)),
        Ok(body) => Err(refusal(asked, reply.status, &reply.headers, body)),
        Err(_) => Err(refusal(asked, reply.status, &reply.headers, b"")),
    }
}

/// A success that is of no use.
pub(super) fn unreadable(asked: Asked, status: StatusCode, fault: BodyFault) -> Failure {
    let message = format!("{asked}: the answer (HTTP {}) {fault}", status.as_u16());
    Failure { kind: asked.unknown(), retry_after: None, message }
}

/// Nothing was sent, for a reason that lies here.
pub(super) fn not_sent(asked: Asked, kind: FailureKind, why: &str) -> Failure {
    Failure { kind, retry_after: None, message: format!("{asked} was not sent: {why}") }
}

/// Any other answer than a success.
pub(super) fn refusal(asked: Asked, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let told = Told::from_body(body);
    let is_html = body::is_html(body) || headers.get(CONTENT_TYPE).is_some_and(oauth::is_html_type);
    let (kind, meaning) = meaning(asked, status, &told, is_html);
    let retry_after = match kind {
        FailureKind::RateLimited => wait::when_rate_limited(headers, told.message()),
        _ => wait::retry_after(headers),
    };
    let reason = match (told.code(), status.canonical_reason()) {
        (Some(code), _) => format!(" ({code})"),
        (None, Some(reason)) => format!(" ({reason})"),
        (None, None) => String::new(),
    };
    Failure { kind, retry_after, message: format!("{asked}: HTTP {}{reason}: {meaning}", status.as_u16()) }
}

fn meaning(asked: Asked, status: StatusCode, told: &Told, is_html: bool) -> (FailureKind, &'static str) {
    match status.as_u16() {
        429 => (FailureKind::RateLimited, "the provider's rate limit is reached"),
        300..=399 => {
            (FailureKind::Transient, "a redirect, and redirects are not followed; is the configured URL right?")
        }
        400 | 401 | 403 => refused(asked, status, told, is_html),
        400..=499 => (FailureKind::Transient, "the provider does not take the request; is the configured URL right?"),
        // A rotation may fail after the old token was deleted, before the answer was written.
        500 => (asked.unknown(), "the provider has a fault, and whether the request was carried out is not known"),
        502 | 504 => (asked.unknown(), "a gateway on the way failed, and whether the request arrived is not known"),
        501 | 503 | 505..=599 => (FailureKind::Transient, "the provider has a fault"),
        _ => (asked.unknown(), "not an answer that means anything here"),
    }
}

/// 400, 401 and 403: the provider understood, and does not want to.
fn refused(asked: Asked, status: StatusCode, told: &Told, is_html: bool) -> (FailureKind, &'static str) {
    const CLIENT: &str = "client id or client secret are refused";
    let unauthorized = status == StatusCode::UNAUTHORIZED;
    match (asked, told.code()) {
        // An expired subject token appears to answer `invalid_client`, as no client is authenticated there
        // (the provider's documentation, tenants of an MSP workspace).
        (Asked::Exchange, Some("invalid_client" | "invalid_token")) | (Asked::ListTenants, Some("invalid_token")) => {
            (FailureKind::InvalidToken, "the workspace's token is refused")
        }
        (Asked::Exchange | Asked::ListTenants, _) if unauthorized => {
            (FailureKind::InvalidToken, "the workspace's token is refused")
        }
        (Asked::Exchange | Asked::ListTenants, _) => without_meaning(status),
        (_, Some("invalid_client" | "unauthorized_client")) => (FailureKind::InvalidClient, CLIENT),
        (Asked::Refresh, Some("invalid_grant")) => (FailureKind::InvalidGrant, DEAD),
        // Kong's words for it, where RFC 6749 section 5.2 would have `invalid_grant`.
        (Asked::Refresh, Some("invalid_request")) if told.describes("Invalid refresh_token") => {
            (FailureKind::InvalidGrant, DEAD)
        }
        // A page in HTML comes from something in between and says nothing of the password, which after this
        // would not be tried again until it is changed.
        (Asked::LoginUser, _) if !is_html => (FailureKind::LoginRefused, "user name or password are refused"),
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
