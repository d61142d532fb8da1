//! What an answer means, without the network: the same code that reads the real ones, for a shell that has none.
//!
//! A simulation brings status, headers and body from wherever it likes and gets what the daemon would get.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokend_proto::Secret;
use zeroize::Zeroizing;

use super::body::{Body, BodyFault};
use super::classify::{self, RequestKind, TransportError};
use super::reply::Reply;
use super::{login, tenants, token_response};
use crate::core::provider::{Answer, Failure};

/// What the network brought for one request.
#[derive(Debug, Clone, Copy)]
pub enum RawResponse<'a> {
    /// A whole response.
    Response {
        /// HTTP status.
        status: u16,
        /// In order, with repetitions.
        headers: &'a [(String, String)],
        /// As it came over the wire: compressed, if the headers say so.
        body: Text<'a>,
    },
    /// No connection: surely nothing was sent.
    NoConnection,
    /// No answer in time.
    TimedOut,
    /// The connection broke after the request was on its way.
    Reset,
}

/// What came of a body.
#[derive(Debug, Clone, Copy)]
pub enum Text<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// The bytes that came before the connection broke, or before time was over. The sender may have had more to say,
    /// or just did not mark the end.
    Cut(&'a [u8]),
}

/// What it means.
#[derive(Debug)]
pub enum Parsed {
    /// For the core.
    Answer(Answer),
    /// Step 1 of a login succeeded: cookies for step 2.
    Session {
        /// `csrftoken`.
        csrf: Secret,
        /// `session`.
        session: Secret,
    },
    /// Step 2 of a login succeeded: a code for step 3.
    Code(Secret),
}

/// Reads an answer. `offset` is how many tenants the pages before held; only a listing asks for it.
#[must_use]
pub fn interpret(asked: RequestKind, offset: u64, came: RawResponse<'_>) -> Parsed {
    understood(asked, offset, came).unwrap_or_else(|failure| Parsed::Answer(Answer::Failed(failure)))
}

fn understood(asked: RequestKind, offset: u64, came: RawResponse<'_>) -> Result<Parsed, Failure> {
    let reply = match came {
        RawResponse::Response { status, headers, body } => reply(asked, status, headers, body),
        RawResponse::NoConnection => {
            return Err(classify::no_answer(asked, &TransportError::NotSent("no connection".to_owned())));
        }
        RawResponse::TimedOut => return Err(classify::no_answer(asked, &TransportError::TimedOut)),
        RawResponse::Reset => return Err(classify::no_answer(asked, &TransportError::Broken)),
    };
    match asked {
        RequestKind::ClientCredentials | RequestKind::Exchange => {
            token_response::token(asked, &reply).map(|token| Parsed::Answer(Answer::Token(token)))
        }
        RequestKind::Refresh | RequestKind::LoginCode => {
            token_response::pair(asked, &reply).map(|pair| Parsed::Answer(Answer::Pair(pair)))
        }
        RequestKind::ListTenants => tenants::page_of(&reply, offset).map(|page| Parsed::Answer(Answer::Tenants(page))),
        RequestKind::LoginUser => login::session(&reply).map(|cookies| Parsed::Session {
            csrf: Secret::from(cookies.csrf.as_str()),
            session: Secret::from(cookies.session.as_str()),
        }),
        RequestKind::LoginCustomer => login::auth_code(&reply).map(Parsed::Code),
    }
}

/// Headers that are none are left out, as an HTTP library would refuse the response for them.
fn reply(asked: RequestKind, status: u16, headers: &[(String, String)], body: Text<'_>) -> Reply {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            map.append(name, value);
        }
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (bytes, end) = match body {
        Text::Whole(bytes) => (bytes, Ok(())),
        Text::Cut(bytes) => (bytes, Err(BodyFault::BrokenOff)),
    };
    let limit = asked.limit();
    let (bytes, end) = match bytes.get(..limit) {
        Some(first) if first.len() < bytes.len() => (first, Err(BodyFault::TooLong(limit / 1024))),
        _ => (bytes, end),
    };
    Reply::new(status, map, Body { bytes: Zeroizing::new(bytes.to_vec()), end }, limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::provider::FailureKind;

    fn kind(asked: RequestKind, came: RawResponse<'_>) -> FailureKind {
        match interpret(asked, 0, came) {
            Parsed::Answer(Answer::Failed(failure)) => failure.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_surely_not_sent_is_transient_and_what_may_have_arrived_is_unknown() {
        assert_eq!(kind(RequestKind::Refresh, RawResponse::NoConnection), FailureKind::Transient);
        assert_eq!(kind(RequestKind::Refresh, RawResponse::TimedOut), FailureKind::Unknown);
        assert_eq!(kind(RequestKind::Refresh, RawResponse::Reset), FailureKind::Unknown);
        let half = RawResponse::Response { status: 200, headers: &[], body: Text::Cut(b"{") };
        assert_eq!(kind(RequestKind::Refresh, half), FailureKind::Unknown);
        assert_eq!(kind(RequestKind::LoginUser, RawResponse::Reset), FailureKind::Transient);
    }

    #[test]
    fn each_step_of_a_login_brings_what_the_next_one_needs() {
        let cookie = |text: &str| ("set-cookie".to_owned(), text.to_owned());
        let headers = [cookie("csrftoken=c1; Path=/"), cookie("session=s1; HttpOnly")];
        let came = RawResponse::Response { status: 200, headers: &headers, body: Text::Whole(b"{}") };
        match interpret(RequestKind::LoginUser, 0, came) {
            Parsed::Session { csrf, session } => assert_eq!((csrf.expose(), session.expose()), ("c1", "s1")),
            other => panic!("{other:?}"),
        }
        let came = RawResponse::Response { status: 200, headers: &[], body: Text::Whole(br#"{"auth_code":"a1"}"#) };
        match interpret(RequestKind::LoginCustomer, 0, came) {
            Parsed::Code(code) => assert_eq!(code.expose(), "a1"),
            other => panic!("{other:?}"),
        }
    }
}
