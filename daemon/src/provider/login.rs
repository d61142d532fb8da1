//! The three steps of a Classic login, for non-SSO users. Cookies are carried from step 1 to step 2 by hand:
//! no login ever sees another's.

use reqwest::Url;
use reqwest::header::{HeaderMap, SET_COOKIE};
use tokend_proto::Secret;
use zeroize::Zeroizing;

use super::body::{self, BodyFault};
use super::classify::{self, RequestKind};
use super::http::Http;
use super::reply::Reply;
use super::request::{self, Request};
use super::{charset, form, loose, refresh, token_response};
use crate::core::provider::{Failure, FailureKind, PairResponse};
use crate::core::settings::{Endpoint, Login, ParamStyle, Profile};
use crate::core::time::BootTime;

/// Longest cookie that is sent back, in bytes: what RFC 6265 section 6.1 asks clients to take.
const MAX_COOKIE: usize = 4096;

/// Longest authorization code, in bytes.
const MAX_CODE: usize = 4096;

/// Uses up one login of the client's quota, whatever comes of it.
pub(super) async fn token(
    http: &Http,
    profile: &Profile,
    (gateway, style): (&Endpoint, ParamStyle),
    login: &Login,
    secret: &Secret,
    password: &Secret,
) -> Result<PairResponse, Failure> {
    let began = http.boot();
    let session = sign_in(http, profile, gateway, login, password).await?;
    pause(http, RequestKind::LoginCustomer, began).await?;
    let code = authorize(http, profile, gateway, login, &session).await?;
    pause(http, RequestKind::LoginCode, began).await?;
    let fields = [
        ("client_id", profile.client_id.as_str()),
        ("client_secret", secret.expose()),
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
    ];
    refresh::token_pair(http, profile, RequestKind::LoginCode, (gateway, style), &fields).await
}

/// Before the next step. A machine that slept has let too much time pass: timers stop in suspend, boot time does not.
async fn pause(http: &Http, next: RequestKind, began: BootTime) -> Result<(), Failure> {
    tokio::time::sleep(http.timing().login_pause).await;
    let passed = http.boot().since(began);
    if passed <= http.timing().login_steps {
        return Ok(());
    }
    let why = format!("the login has taken {} s already, perhaps because this machine slept", passed.as_secs());
    Err(classify::not_sent(next, FailureKind::Transient, &why))
}

/// What step 1 brings and step 2 needs.
pub(super) struct Session {
    pub(super) csrf: Zeroizing<String>,
    pub(super) session: Zeroizing<String>,
}

/// Step 1: user name and password, for a session.
async fn sign_in(
    http: &Http,
    profile: &Profile,
    gateway: &Endpoint,
    login: &Login,
    password: &Secret,
) -> Result<Session, Failure> {
    const ASKED: RequestKind = RequestKind::LoginUser;
    let mut url = request::url(ASKED, &gateway.url, format_args!("/oauth2/authorize/central/api/login"))?;
    url.query_pairs_mut().append_pair("client_id", &profile.client_id);
    let body = form::json_object(&[("username", &login.username), ("password", password.expose())]);
    session(&http.send(profile, Request::post(ASKED, url).json(body)).await?)
}

/// What the answer to step 1 brings. All of that is in the headers: the body may be as it likes.
pub(super) fn session(reply: &Reply) -> Result<Session, Failure> {
    const ASKED: RequestKind = RequestKind::LoginUser;
    if !reply.status.is_success() {
        return Err(classify::refusal(ASKED, reply));
    }
    let missing = |what| {
        let text = charset::utf8(&reply.body.bytes);
        let refused = classify::error_in_success(ASKED, reply, &text);
        refused.unwrap_or_else(|| classify::unreadable(ASKED, reply, BodyFault::OtherShape(what)))
    };
    Ok(Session {
        csrf: cookie(&reply.headers, "csrftoken").ok_or_else(|| missing("there is no usable cookie csrftoken"))?,
        session: cookie(&reply.headers, "session").ok_or_else(|| missing("there is no usable cookie session"))?,
    })
}

/// Step 2: the customer, for a code that lives 300 seconds.
async fn authorize(
    http: &Http,
    profile: &Profile,
    gateway: &Endpoint,
    login: &Login,
    session: &Session,
) -> Result<Secret, Failure> {
    const ASKED: RequestKind = RequestKind::LoginCustomer;
    let mut url: Url = request::url(ASKED, &gateway.url, format_args!("/oauth2/authorize/central/api"))?;
    url.query_pairs_mut()
        .append_pair("client_id", &profile.client_id)
        .append_pair("response_type", "code")
        .append_pair("scope", "all");
    let request = Request::post(ASKED, url)
        .json(form::json_object(&[("customer_id", &login.customer_id)]))
        .secret_header("x-csrf-token", "", &session.csrf)?
        .secret_header("cookie", "session=", &session.session)?;
    auth_code(&http.send(profile, request).await?)
}

/// What the answer to step 2 brings.
pub(super) fn auth_code(reply: &Reply) -> Result<Secret, Failure> {
    const ASKED: RequestKind = RequestKind::LoginCustomer;
    let text = charset::utf8(classify::success(ASKED, reply)?);
    code(&text).map_err(|fault| {
        let refused = classify::error_in_success(ASKED, reply, &text);
        refused.unwrap_or_else(|| classify::unreadable(ASKED, reply, fault))
    })
}

fn code(text: &[u8]) -> Result<Secret, BodyFault> {
    if let Some(fault) = body::no_json(text) {
        return Err(fault);
    }
    let object = loose::find(text)?.object;
    let mut codes = object.all("auth_code").filter_map(loose::text).peekable();
    codes.peek().ok_or(BodyFault::OtherShape("there is no auth_code"))?;
    codes
        .find(|code| token_response::is_visible(code.expose(), MAX_CODE))
        .ok_or(BodyFault::OtherShape("the auth_code is empty, too long or not printable ASCII"))
}

/// The last cookie of this name, as a browser would have it, if it can be sent back.
fn cookie(headers: &HeaderMap, name: &str) -> Option<Zeroizing<String>> {
    let value = headers.get_all(SET_COOKIE).iter().rev().find_map(|header| {
        // What comes after the value may be in whatever letters.
        let pair = std::str::from_utf8(header.as_bytes().split(|byte| *byte == b';').next()?).ok()?;
        let (found, value) = pair.split_once('=')?;
        (found.trim() == name).then(|| value.trim())
    })?;
    is_cookie_value(value).then(|| Zeroizing::new(value.to_owned()))
}

/// RFC 6265 section 4.1.1, `cookie-value`.
fn is_cookie_value(text: &str) -> bool {
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let allowed = |b: u8| matches!(b, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e);
    !bare.is_empty() && text.len() <= MAX_COOKIE && bare.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (SET_COOKIE, value.parse().unwrap())).collect()
    }

    #[test]
    fn cookies_are_found_by_their_whole_name_and_the_last_one_counts() {
        let all = headers(&[
            "session=old; Path=/",
            "xsession=no",
            "other=session=no",
            "csrftoken=abc==; Secure; HttpOnly",
            "session=.eJw-_x; Path=/; Expires=Wed, 21 Oct 2099 07:28:00 GMT",
        ]);
        assert_eq!(cookie(&all, "csrftoken").as_deref().map(String::as_str), Some("abc=="));
        assert_eq!(cookie(&all, "session").as_deref().map(String::as_str), Some(".eJw-_x"));
        assert_eq!(cookie(&all, "missing"), None);
    }

    #[test]
    fn a_cookie_that_cannot_be_sent_back_is_none() {
        for bad in ["session=", "session", "session=a b", "session=a,b", "session=a\"b", "session=a\\b", "session=\"\""]
        {
            assert_eq!(cookie(&headers(&[bad]), "session"), None, "{bad}");
        }
        assert_eq!(cookie(&headers(&["session=fine", "session=; Max-Age=0"]), "session"), None, "taken back");
        let mut binary = HeaderMap::new();
        binary.append(SET_COOKIE, reqwest::header::HeaderValue::from_bytes(b"session=\xff").unwrap());
        assert_eq!(cookie(&binary, "session"), None);
        assert!(is_cookie_value(&"x".repeat(MAX_COOKIE)) && !is_cookie_value(&"x".repeat(MAX_COOKIE + 1)));
    }

    #[test]
    fn a_code_is_printable_or_a_fault() {
        assert_eq!(code(br#"{"auth_code":"c0de"}"#), Ok(Secret::from("c0de")));
        for bad in ["{}", r#"{"auth_code":""}"#, r#"{"auth_code":7}"#, r#"{"auth_code":"a\nb"}"#, "[]", "", "<html>"] {
            assert!(code(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
