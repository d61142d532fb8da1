//! A provider's answer to a request for a token or to a step of a login.
//!
//! The input reads like an answer: `refresh 400`, then headers, an empty line, and the body.

use std::time::Duration;

use serde_json::Value;
use tokend::core::provider::{Answer, Failure, FailureKind, PairResponse, RefreshToken, TokenResponse};
use tokend::provider::{Parsed, RawResponse, RequestKind, Text, interpret};
use tokend_proto::codec::encode_reply;
use tokend_proto::{Fingerprint, Flags, Reply, Secret, Stamp, Token, limits};

/// Longer than any wait that a provider is believed to mean.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Longer than anything that is said of a failure.
const LONGEST_MESSAGE: usize = 300;

/// What the seeds have wherever a secret stands.
const SECRET: &str = "s3cret";

/// A token is that of the body, fits into a header and a frame, and is there only after a success; one that can be used
/// is never thrown away. A refusal is definite only where the provider said so: never for want of an answer or of its
/// end, nor to a 5xx. Nothing that is said of a failure comes from the provider.
///
/// # Panics
/// When that does not hold.
pub fn token_responses(data: &[u8]) {
    let response = Response::of(data);
    let Response { asked, status, .. } = response;
    if asked == RequestKind::ListTenants {
        return;
    }
    let whole = interpret(asked, 0, response.came());
    match &whole {
        Parsed::Answer(Answer::Failed(failure)) => {
            failed(asked, status, failure);
            let brought =
                (200..300).contains(&status) && response.json().is_some_and(|json| refresh_token(&json).is_some());
            assert!(!brought || !spends(asked), "a refresh token is thrown away: {failure:?}");
        }
        Parsed::Answer(Answer::Token(token)) => {
            assert!((200..300).contains(&status), "a token with status {status}");
            token_is_that_of(response.json().as_ref(), token);
        }
        Parsed::Answer(Answer::Pair(pair)) => {
            assert!((200..300).contains(&status), "a pair with status {status}");
            pair_is_that_of(response.json().as_ref(), asked, pair);
        }
        Parsed::Answer(Answer::Tenants(_)) => panic!("{asked} brought tenants"),
        Parsed::Session { csrf, session } => {
            assert_eq!(asked, RequestKind::LoginUser);
            assert!((200..300).contains(&status), "a session with status {status}");
            for cookie in [csrf, session] {
                fits_into_a_header(cookie.expose());
            }
        }
        Parsed::Code(code) => {
            assert_eq!(asked, RequestKind::LoginCustomer);
            assert!((200..300).contains(&status), "a code with status {status}");
            assert!(!code.is_empty());
        }
    }
    cut_off(&response, &whole);
    for came in [RawResponse::NoConnection, RawResponse::TimedOut, RawResponse::Reset] {
        match interpret(asked, 0, came) {
            Parsed::Answer(Answer::Failed(failure)) => failed(asked, 0, &failure),
            other => panic!("{other:?} without an answer"),
        }
    }
}

/// The same body without a mark at its end: it brings the same or nothing, and no verdict. Half of it brings no pair.
fn cut_off(response: &Response<'_>, whole: &Parsed) {
    let Response { asked, status, body, .. } = *response;
    match interpret(asked, 0, response.came_as(Text::Cut(body))) {
        Parsed::Answer(Answer::Failed(failure)) => {
            failed(asked, status, &failure);
            let open = matches!(failure.kind, FailureKind::Transient | FailureKind::Unknown | FailureKind::RateLimited);
            assert!(open, "a verdict from an answer that broke off: {failure:?}");
        }
        Parsed::Answer(Answer::Pair(cut)) => {
            assert!(status == 200 && spends(asked), "{asked}, HTTP {status}");
            let Parsed::Answer(Answer::Pair(whole)) = whole else { panic!("{cut:?} only where it is cut off") };
            assert_eq!(cut.refresh_token, whole.refresh_token);
            assert_eq!(cut.access, whole.access);
        }
        Parsed::Session { .. } => assert_eq!(asked, RequestKind::LoginUser, "all of it is in the headers"),
        other => panic!("{other:?} from an answer that broke off"),
    }
    if response.json().is_some() {
        let text = body.trim_ascii();
        let half = interpret(asked, 0, response.came_as(Text::Cut(&text[..text.len() / 2])));
        assert!(!matches!(half, Parsed::Answer(Answer::Pair(_))), "half an answer brought {half:?}");
    }
}

fn spends(asked: RequestKind) -> bool {
    matches!(asked, RequestKind::Refresh | RequestKind::LoginCode)
}

/// An answer as the input has it.
pub(super) struct Response<'a> {
    pub(super) asked: RequestKind,
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: &'a [u8],
}

impl<'a> Response<'a> {
    pub(super) fn of(data: &'a [u8]) -> Self {
        const ALL: [(&str, RequestKind); 7] = [
            ("client_credentials", RequestKind::ClientCredentials),
            ("exchange", RequestKind::Exchange),
            ("list_tenants", RequestKind::ListTenants),
            ("refresh", RequestKind::Refresh),
            ("login_user", RequestKind::LoginUser),
            ("login_customer", RequestKind::LoginCustomer),
            ("login_code", RequestKind::LoginCode),
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

    pub(super) fn came(&self) -> RawResponse<'_> {
        self.came_as(Text::Whole(self.body))
    }

    fn came_as<'b>(&'b self, body: Text<'b>) -> RawResponse<'b> {
        RawResponse::Response { status: self.status, headers: &self.headers, body }
    }

    /// The body, read in another and stricter way. `None` where that cannot read it, or where it is not what is read:
    /// it may be compressed.
    pub(super) fn json(&self) -> Option<Value> {
        let is_encoded = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-encoding"));
        serde_json::from_slice(self.body).ok().filter(|json: &Value| json.is_object() && !is_encoded)
    }
}

/// A refresh token that can be used.
fn refresh_token(json: &Value) -> Option<&str> {
    let text = json.get("refresh_token")?.as_str()?.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let is_word_for_nothing =
        ["", "null", "none", "nil", "undefined"].iter().any(|word| text.eq_ignore_ascii_case(word));
    let fits = text.len() <= limits::MAX_REFRESH_TOKEN && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    (fits && !is_word_for_nothing).then_some(text)
}

fn pair_is_that_of(json: Option<&Value>, asked: RequestKind, pair: &PairResponse) {
    assert!(spends(asked), "{asked}");
    if let Some(access) = &pair.access {
        token_is_that_of(json, access);
    }
    let found = match &pair.refresh_token {
        RefreshToken::New(token) => {
            fits_into_a_header(token.expose());
            assert!(token.expose().len() <= limits::MAX_REFRESH_TOKEN);
            Some(token.expose())
        }
        RefreshToken::Absent | RefreshToken::Unreadable => None,
    };
    if let Some(expected) = json.and_then(refresh_token) {
        assert_eq!(found, Some(expected));
    }
    assert!(found.is_some() || pair.access.is_some(), "a pair of nothing");
}

fn token_is_that_of(json: Option<&Value>, token: &TokenResponse) {
    fits_into_a_header(token.access_token.expose());
    assert!(!token.access_token.expose().contains(' '));
    assert!(token.token_type.eq_ignore_ascii_case("bearer"), "{:?}", token.token_type);
    if let Some(json) = json {
        let text = |key: &str| json.get(key).and_then(Value::as_str);
        if let Some(text) = text("access_token").filter(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            assert!(text.is_empty() || text == token.access_token.expose());
        }
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

/// Printable ASCII: nothing that could end a header's line or begin another one.
fn fits_into_a_header(text: &str) {
    assert!(!text.is_empty() && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{text:?} fits into no header");
}

/// What is said of a failure, and what it may lead to. `status` is 0 where there was no answer.
pub(super) fn failed(asked: RequestKind, status: u16, failure: &Failure) {
    let Failure { kind, retry_after, message } = failure;
    // A success may hold an error, which counts as it would with a 400.
    let refused = matches!(status, 200..=299 | 400 | 401 | 403);
    let may_be = match kind {
        FailureKind::RateLimited => status == 429,
        FailureKind::InvalidClient => refused && !matches!(asked, RequestKind::Exchange | RequestKind::ListTenants),
        FailureKind::InvalidGrant => refused && asked == RequestKind::Refresh,
        FailureKind::InvalidToken => refused && matches!(asked, RequestKind::Exchange | RequestKind::ListTenants),
        FailureKind::Unreadable => matches!(status, 401 | 403),
        FailureKind::LoginRefused => refused && asked == RequestKind::LoginUser,
        // It may have been acted on, so it must not count as not sent.
        FailureKind::Transient if spends(asked) => {
            matches!(status, 0 | 200..=299 | 301 | 302 | 307 | 308 | 400..=499) && !matches!(status, 408 | 499)
        }
        FailureKind::Transient => {
            let mints_nothing = matches!(asked, RequestKind::LoginUser | RequestKind::LoginCustomer);
            mints_nothing || !matches!(status, 500 | 502 | 504)
        }
        FailureKind::Unknown if spends(asked) => !matches!(status, 400..=407 | 415 | 429),
        FailureKind::Unknown => !(400..500).contains(&status),
        FailureKind::SecretUnavailable => false,
    };
    assert!(may_be, "{asked}, HTTP {status}: {failure:?}");
    assert!(retry_after.is_none_or(|wait| wait <= DAY), "{failure:?}");
    assert!(message.len() <= LONGEST_MESSAGE, "{message}");
    assert!(message.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{message:?}");
    assert!(!message.contains(SECRET), "{message}");
}
