//! What the daemon's HTTP code would put on the wire and make of the answer, without the wire.
//!
//! Answers are read by the daemon's own code (`tokend::provider::interpret`). Requests are made here a second time;
//! that the real ones look like this is tested where they are made.

use std::time::Duration;

use serde_json::json;
use tokend::core::provider::Grant;
use tokend::core::settings::{Kind, Profile};
use tokend::provider::{Parsed, RawResponse, RequestKind, Text, interpret};
use tokend_proto::Secret;

use sandbox::{Ending, Outcome, Request, Response, Unended};

/// The step of a request; all but a login have one.
#[derive(Clone)]
pub(super) enum Step {
    Only,
    User,
    Customer { csrf: Secret, session: Secret },
    Code(Secret),
}

/// The texts behind the versions that a grant names.
#[derive(Clone, Default)]
pub(super) struct Texts {
    pub(super) secret: String,
    pub(super) password: String,
}

/// What reaches the daemon in the end.
#[derive(Clone)]
pub(super) enum Arrived {
    Response(Response),
    /// So many bytes of the body, and no end: the connection broke, or nothing more came in time.
    Cut(Response, usize, Gap),
    NoConnection,
    TimedOut,
    Reset,
}

/// Why the rest did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    Broken,
    Silent,
}

impl Arrived {
    pub(super) fn of(outcome: Outcome) -> Self {
        match outcome.ending {
            // The reader of answers sees nothing of an odd head but what is usual in it.
            Ending::Reply(response) | Ending::OddHead(response, _) => Self::Response(response),
            Ending::Coded(response, coding) => Self::Response(coding.coded(response)),
            Ending::Truncated(response, kept) => Self::Cut(response, kept, Gap::Broken),
            Ending::Unended(response, how) => {
                let kept = response.body.len();
                let gap = if how == Unended::Silent { Gap::Silent } else { Gap::Broken };
                Self::Cut(response, kept, gap)
            }
            Ending::ResetBeforeHandling | Ending::ResetAfterHandling => Self::Reset,
        }
    }
}

pub(super) fn first_step(grant: &Grant) -> Step {
    match grant {
        Grant::Login { .. } => Step::User,
        _ => Step::Only,
    }
}

pub(super) fn asked(grant: &Grant, step: &Step) -> RequestKind {
    match (grant, step) {
        (Grant::ClientCredentials { .. }, _) => RequestKind::ClientCredentials,
        (Grant::Exchange { .. }, _) => RequestKind::Exchange,
        (Grant::ListTenants { .. }, _) => RequestKind::ListTenants,
        (Grant::Refresh { .. }, _) => RequestKind::Refresh,
        (Grant::Login { .. }, Step::Code(_)) => RequestKind::LoginCode,
        (Grant::Login { .. }, Step::Customer { .. }) => RequestKind::LoginCustomer,
        (Grant::Login { .. }, _) => RequestKind::LoginUser,
    }
}

/// What an answer means; for a step of a login that is not the last, the next one.
pub(super) fn meaning(grant: &Grant, step: &Step, arrived: &Arrived) -> Parsed {
    let offset = match grant {
        Grant::ListTenants { offset, .. } => *offset,
        _ => 0,
    };
    let came = match arrived {
        Arrived::Response(r) => {
            RawResponse::Response { status: r.status, headers: &r.headers, body: Text::Whole(&r.body) }
        }
        Arrived::Cut(r, kept, _) => {
            let body = Text::Cut(r.body.get(..*kept).unwrap_or(&r.body));
            RawResponse::Response { status: r.status, headers: &r.headers, body }
        }
        Arrived::NoConnection => RawResponse::NoConnection,
        Arrived::TimedOut => RawResponse::TimedOut,
        Arrived::Reset => RawResponse::Reset,
    };
    interpret(asked(grant, step), offset, came)
}

/// How long a header of the answer asks the daemon to wait.
pub(super) fn asked_to_wait(arrived: &Arrived) -> Option<Duration> {
    let Arrived::Response(response) = arrived else { return None };
    let text = response.headers.iter().find(|(name, _)| name == "retry-after").map(|(_, text)| text.trim())?;
    let seconds = text.parse().ok().filter(|_| matches!(response.status, 429 | 503))?;
    Some(Duration::from_secs(seconds))
}

/// The request for a step, as `daemon/src/provider` makes it.
pub(super) fn request(profile: &Profile, grant: &Grant, step: &Step, texts: &Texts) -> Request {
    let id = profile.client_id.as_str();
    let secret = texts.secret.as_str();
    match (grant, step, &profile.kind) {
        (Grant::ClientCredentials { .. }, _, kind) => {
            let target = match kind {
                Kind::Glp { workspace, .. } => format!("/authorization/v2/oauth2/{workspace}/token"),
                _ => "/as/token.oauth2".to_owned(),
            };
            let fields = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
            Request::form(&target, &fields)
        }
        (Grant::Exchange { tenant, subject }, ..) => Request::form(
            &format!("/authorization/v2/oauth2/{tenant}/token"),
            &[
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token", subject.expose()),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ],
        ),
        (Grant::ListTenants { token, offset }, ..) => {
            Request::get(&format!("/workspaces/v1/msp-tenants?limit=300&offset={offset}")).bearer(token.expose())
        }
        (Grant::Refresh { refresh_token, .. }, ..) => Request::form(
            "/oauth2/token",
            &[
                ("client_id", id),
                ("client_secret", secret),
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh_token.expose()),
            ],
        ),
        (Grant::Login { .. }, Step::Customer { csrf, session }, kind) => {
            let target = format!("/oauth2/authorize/central/api?client_id={id}&response_type=code&scope=all");
            Request::json(&target, &json!({ "customer_id": customer(kind) }))
                .header("x-csrf-token", csrf.expose())
                .header("cookie", &format!("session={}", session.expose()))
        }
        (Grant::Login { .. }, Step::Code(code), _) => Request::form(
            "/oauth2/token",
            &[
                ("client_id", id),
                ("client_secret", secret),
                ("grant_type", "authorization_code"),
                ("code", code.expose()),
            ],
        ),
        (Grant::Login { .. }, Step::Only | Step::User, kind) => {
            let username = match kind {
                Kind::Classic { login: Some(login), .. } => login.username.as_str(),
                _ => "",
            };
            let target = format!("/oauth2/authorize/central/api/login?client_id={id}");
            Request::json(&target, &json!({ "username": username, "password": texts.password }))
        }
    }
}

fn customer(kind: &Kind) -> &str {
    match kind {
        Kind::Classic { login: Some(login), .. } => &login.customer_id,
        _ => "",
    }
}
