//! A provider's answer to a request for a token or to a step of a login.
//!
//! The input reads like an answer: `refresh 400`, then headers, an empty line, and the body.

use std::time::Duration;

use serde_json::Value;
use tokend::core::exchange::{Answer, Failure, FailureKind, PairResponse, RefreshToken, TokenResponse};
use tokend::provider::{Asked, Came, Meaning, interpret};
use tokend_proto::codec::encode_reply;
use tokend_proto::{Fingerprint, Flags, Reply, Secret, Stamp, Token, limits};

/// Longer than any wait that a provider is believed to mean.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Longer than anything that is said of a failure.
const LONGEST_MESSAGE: usize = 300;

/// What the seeds have wherever a secret stands.
const SECRET: &str = "s3cret";

/// A token is that of the body, fits into a header and a frame, and is there only after a success. A refusal is
/// definite only where the provider said so: never for want of an answer, nor to a 5xx. Nothing that is said of a
/// failure comes from the provider.
///
/// # Panics
/// When that does not hold.
pub fn token_responses(data: &[u8]) {
    let response = Response::of(data);
    let Response { asked, status, .. } = response;
    if asked == Asked::ListTenants {
        return;
    }
    match interpret(asked, 0, response.came()) {
        Meaning::Answer(Answer::Failed(failure)) => failed(asked, status, &failure),
        Meaning::Answer(Answer::Token(token)) => {
            assert!((200..300).contains(&status), "a token with status {status}");
            token_is_that_of(response.body, &token);
        }
        Meaning::Answer(Answer::Pair(pair)) => {
            assert!((200..300).contains(&status), "a pair with status {status}");
            pair_is_that_of(response.body, asked, &pair);
        }
        Meaning::Answer(Answer::Tenants(_)) => panic!("{asked} brought tenants"),
        Meaning::Session { csrf, session } => {
            assert_eq!(asked, Asked::LoginUser);
            assert!((200..300).contains(&status), "a session with status {status}");
            for cookie in [csrf, session] {
                fits_into_a_header(cookie.expose());
            }
        }
        Meaning::Code(code) => {
            assert_eq!(asked, Asked::LoginCustomer);
            assert!((200..300).contains(&status), "a code with status {status}");
            assert!(!code.is_empty());
        }
    }
    for came in [Came::NoConnection, Came::TimedOut, Came::Reset] {
        match interpret(asked, 0, came) {
            Meaning::Answer(Answer::Failed(failure)) => failed(asked, 0, &failure),
            other => panic!("{other:?} without an answer"),
        }
    }
}

/// An answer as the input has it.
pub(super) struct Response<'a> {
    pub(super) asked: Asked,
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: &'a [u8],
}

impl<'a> Response<'a> {
    pub(super) fn of(data: &'a [u8]) -> Self {
        const ALL: [(&str, Asked); 7] = [
            ("client_credentials", Asked::ClientCredentials),
            ("exchange", Asked::Exchange),
            ("list_tenants", Asked::ListTenants),
            ("refresh", Asked::Refresh),
            ("login_user", Asked::LoginUser),
            ("login_customer", Asked::LoginCustomer),
            ("login_code", Asked::LoginCode),
        ];
        let (head, body) = match data.windows(2).position(|two| two == b"\n\n") {
            Some(end) => (&data[..end], &data[end + 2..]),
            None => (data, &b""[..]),
        };
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let (asked, status) = lines.next().and_then(|line| line.split_once(' ')).unwrap_or(("", ""));
        let by_length = ALL[asked.len() % ALL.len()].1;
        let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        Self {
            asked: ALL.iter().find(|(name, _)| *name == asked).map_or(by_length, |(_, asked)| *asked),
            status: status.parse().ok().filter(|status| (100..1000).contains(status)).unwrap_or(200),
            headers: lines.filter_map(header).collect(),
            body,
        }
    }

    pub(super) fn came(&self) -> Came<'_> {
        Came::Response { status: self.status, headers: &self.headers, body: Some(self.body) }
    }
}

fn pair_is_that_of(body: &[u8], asked: Asked, pair: &PairResponse) {
    assert!(matches!(asked, Asked::Refresh | Asked::LoginCode), "{asked}");
    if let Some(access) = &pair.access {
        token_is_that_of(body, access);
    }
    if let RefreshToken::New(refresh_token) = &pair.refresh_token {
        fits_into_a_header(refresh_token.expose());
        assert!(refresh_token.expose().len() <= limits::MAX_REFRESH_TOKEN);
        if let Some(json) = json(body) {
            assert_eq!(json.get("refresh_token").and_then(Value::as_str), Some(refresh_token.expose()));
        }
    }
}

fn token_is_that_of(body: &[u8], token: &TokenResponse) {
    fits_into_a_header(token.access_token.expose());
    fits_into_a_header(&token.token_type);
    assert!(!token.token_type.contains(' '), "{:?} is not a word", token.token_type);
    if let Some(json) = json(body) {
        let text = |key: &str| json.get(key).and_then(Value::as_str);
        assert_eq!(text("access_token"), Some(token.access_token.expose()));
        assert_eq!(text("token_type").unwrap_or("Bearer"), token.token_type);
        if let Some(seconds) = json.get("expires_in").and_then(Value::as_i64) {
            assert_eq!(token.expires_in, Some(seconds));
        }
    }
    let reply = Reply::Token(Token {
        access_token: Secret::from(token.access_token.expose()),
        token_type: token.token_type.clone(),
        fingerprint: Fingerprint::of(&token.access_token),
        issued_at: Stamp::default(),
        expires_at: Stamp { boot_ms: u64::MAX, unix_ms: i64::MIN },
        refresh_at: Stamp::default(),
    });
    assert!(encode_reply(u64::MAX, Flags::NONE, &reply).is_ok(), "a token that no peer can be given");
}

/// The body of an answer that was understood, read in another way: `None` where only a number that no `f64` holds, in a
/// part that is of no interest, stands against it.
pub(super) fn json(body: &[u8]) -> Option<Value> {
    match serde_json::from_slice(body) {
        Ok(json) => Some(json),
        Err(error) => {
            assert!(error.to_string().starts_with("number out of range"), "what was understood is no JSON: {error}");
            None
        }
    }
}

/// Printable ASCII: nothing that could end a header's line or begin another one.
fn fits_into_a_header(text: &str) {
    assert!(!text.is_empty() && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{text:?} fits into no header");
}

/// What is said of a failure, and what it may lead to. `status` is 0 where there was no answer.
pub(super) fn failed(asked: Asked, status: u16, failure: &Failure) {
    let Failure { kind, retry_after, message } = failure;
    let may_be = match kind {
        FailureKind::RateLimited => status == 429,
        FailureKind::InvalidClient => {
            matches!(status, 400 | 401 | 403) && !matches!(asked, Asked::Exchange | Asked::ListTenants)
        }
        FailureKind::InvalidGrant => matches!(status, 400 | 401 | 403) && asked == Asked::Refresh,
        FailureKind::InvalidToken => {
            matches!(status, 400 | 401 | 403) && matches!(asked, Asked::Exchange | Asked::ListTenants)
        }
        FailureKind::Unreadable => matches!(status, 401 | 403),
        FailureKind::LoginRefused => matches!(status, 400 | 401 | 403) && asked == Asked::LoginUser,
        // It may have been acted on, so it must not count as not sent.
        FailureKind::Transient => {
            let mints_nothing = matches!(asked, Asked::LoginUser | Asked::LoginCustomer);
            mints_nothing || !((200..300).contains(&status) || matches!(status, 502 | 504))
        }
        FailureKind::Unknown => !(400..500).contains(&status),
        FailureKind::SecretUnavailable => false,
    };
    assert!(may_be, "{asked}, HTTP {status}: {failure:?}");
    assert!(retry_after.is_none_or(|wait| wait <= DAY), "{failure:?}");
    assert!(message.len() <= LONGEST_MESSAGE, "{message}");
    assert!(message.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{message:?}");
    assert!(!message.contains(SECRET), "{message}");
}
