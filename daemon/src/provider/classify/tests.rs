//! Every rule of the classification, with plain values.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use zeroize::Zeroizing;

use super::FailureKind::{
    InvalidClient, InvalidGrant, InvalidToken, LoginRefused, RateLimited, Transient, Unknown, Unreadable,
};
use super::*;
use crate::provider::body::Body;

const ALL: [RequestKind; 7] = [
    RequestKind::ClientCredentials,
    RequestKind::Exchange,
    RequestKind::ListTenants,
    RequestKind::Refresh,
    RequestKind::LoginUser,
    RequestKind::LoginCustomer,
    RequestKind::LoginCode,
];

const HTML: &str = "<!DOCTYPE html><html><body>Blocked: s3cret</body></html>";
const GREENLAKE: &str = r#"{"httpStatusCode":401,"errorCode":"HPE_GL_ERROR_UNAUTHORIZED","message":"m","debugId":"d"}"#;

fn oauth(code: &str, description: &str) -> String {
    serde_json::json!({"error": code, "error_description": description}).to_string()
}

fn kind(asked: RequestKind, status: u16, body: &str) -> FailureKind {
    judge(asked, status, &HeaderMap::new(), body).kind
}

fn judge(asked: RequestKind, status: u16, headers: &HeaderMap, body: &str) -> Failure {
    refusal(asked, &reply(status, headers, body, Ok(())))
}

fn reply(status: u16, headers: &HeaderMap, body: &str, end: Result<(), BodyFault>) -> Reply {
    let body = Body { bytes: Zeroizing::new(body.into()), end };
    Reply::new(StatusCode::from_u16(status).unwrap(), headers.clone(), body, 1 << 20)
}

fn is_early_login_step(asked: RequestKind) -> bool {
    matches!(asked, RequestKind::LoginUser | RequestKind::LoginCustomer)
}

#[test]
fn a_500_and_gateway_errors_leave_the_outcome_open_where_tokens_are_minted() {
    for asked in ALL {
        for status in [500, 502, 504] {
            let expected = if is_early_login_step(asked) { Transient } else { Unknown };
            assert_eq!(kind(asked, status, HTML), expected, "{asked:?} {status}");
        }
    }
    assert_eq!(kind(RequestKind::Refresh, 500, r#"{"message":"An unexpected error occurred"}"#), Unknown);
}

/// What came before the request was looked at, or says so itself.
const NOT_CARRIED_OUT: [u16; 16] = [301, 302, 307, 308, 402, 404, 405, 409, 410, 411, 413, 414, 415, 418, 425, 451];

/// What may have come after the request was carried out, or from somebody who cannot know.
const MAYBE_CARRIED_OUT: [u16; 21] =
    [300, 303, 304, 305, 306, 399, 408, 419, 444, 460, 498, 499, 501, 503, 505, 507, 511, 520, 524, 598, 599];

#[test]
fn what_was_not_carried_out_is_transient() {
    for asked in ALL {
        for status in NOT_CARRIED_OUT {
            assert_eq!(kind(asked, status, HTML), Transient, "{asked:?} {status}");
            assert_eq!(kind(asked, status, &oauth("server_error", "")), Transient, "{asked:?} {status}");
        }
    }
}

#[test]
fn what_may_have_been_carried_out_is_open_where_something_is_spent() {
    for asked in ALL {
        let spends = matches!(asked, RequestKind::Refresh | RequestKind::LoginCode);
        for status in MAYBE_CARRIED_OUT {
            let expected = if spends { Unknown } else { Transient };
            assert_eq!(kind(asked, status, HTML), expected, "{asked:?} {status}");
            assert_eq!(kind(asked, status, &oauth("invalid_grant", "")), expected, "{asked:?} {status}");
        }
        for status in [100, 101, 199, 600, 999] {
            let expected = if is_early_login_step(asked) { Transient } else { Unknown };
            assert_eq!(kind(asked, status, ""), expected, "{asked:?} {status}");
        }
    }
}

#[test]
fn an_open_outcome_keeps_its_wait() {
    let headers = HeaderMap::from_iter([("retry-after".parse().unwrap(), "7".parse().unwrap())]);
    for status in [303, 408, 499, 500, 502, 503, 504, 529] {
        let failure = judge(RequestKind::Refresh, status, &headers, "");
        assert_eq!((failure.kind, failure.retry_after), (Unknown, Some(Duration::from_secs(7))), "{status}");
    }
    let empty = unreadable(RequestKind::Refresh, &reply(200, &headers, "", Ok(())), BodyFault::Empty);
    assert_eq!((empty.kind, empty.retry_after), (Unknown, Some(Duration::from_secs(7))));
}

#[test]
fn a_gateway_that_does_not_read_the_parameters_is_told_apart_and_named_with_the_other_styles() {
    let cases = [
        (ParamStyle::Form, "as a form; try param_style = \"query\" or \"json\""),
        (ParamStyle::Query, "in the URL; try param_style = \"form\" or \"json\""),
        (ParamStyle::Json, "as JSON; try param_style = \"form\" or \"query\""),
    ];
    for asked in [RequestKind::Refresh, RequestKind::LoginCode] {
        for (status, body) in [
            (415, String::new()),
            (415, HTML.to_owned()),
            (400, oauth("invalid_request", "Missing parameter: grant_type")),
            (400, oauth("invalid_request", "")),
            (400, oauth("unsupported_grant_type", "Invalid grant_type")),
        ] {
            for (style, words) in cases {
                let sent = Reply { style: Some(style), ..reply(status, &HeaderMap::new(), &body, Ok(())) };
                let failure = refusal(asked, &sent);
                assert_eq!(failure.kind, Transient, "{asked:?} {status} {body}");
                assert!(failure.message.contains(words), "{}", failure.message);
            }
            assert!(judge(asked, status, &HeaderMap::new(), &body).message.contains("param_style"));
        }
    }
    assert!(!judge(RequestKind::ClientCredentials, 415, &HeaderMap::new(), "").message.contains("param_style"));
    assert!(!judge(RequestKind::Refresh, 400, &HeaderMap::new(), HTML).message.contains("param_style"));
}

#[test]
fn a_redirect_is_named_as_one() {
    let message = judge(RequestKind::Refresh, 302, &HeaderMap::new(), "").message;
    assert!(message.contains("HTTP 302") && message.contains("redirects are not followed"), "{message}");
}

#[test]
fn a_429_is_a_rate_limit_to_any_request_and_whatever_it_says() {
    for asked in ALL {
        for body in ["", HTML, &oauth("invalid_client", ""), r#"{"message":"API rate limit exceeded"}"#] {
            assert_eq!(kind(asked, 429, body), RateLimited, "{asked:?} {body}");
        }
    }
    let headers = HeaderMap::from_iter([("ratelimit-reset".parse().unwrap(), "30".parse().unwrap())]);
    let limited = judge(RequestKind::LoginUser, 429, &headers, r#"{"message":"retry after 1700 seconds"}"#);
    assert_eq!(limited.retry_after, Some(Duration::from_secs(1700)));
}

#[test]
fn retry_after_counts_on_a_503_but_ratelimit_reset_does_not() {
    let mut headers = HeaderMap::from_iter([("ratelimit-reset".parse().unwrap(), "900".parse().unwrap())]);
    assert_eq!(judge(RequestKind::Exchange, 503, &headers, "").retry_after, None);
    headers.insert("retry-after", "7".parse().unwrap());
    assert_eq!(judge(RequestKind::Refresh, 503, &headers, "").retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn refused_client_credentials_are_told_apart() {
    for asked in [
        RequestKind::ClientCredentials,
        RequestKind::Refresh,
        RequestKind::LoginUser,
        RequestKind::LoginCustomer,
        RequestKind::LoginCode,
    ] {
        for code in ["invalid_client", "unauthorized_client"] {
            for status in [400, 401, 403] {
                assert_eq!(kind(asked, status, &oauth(code, "any")), InvalidClient, "{asked:?} {status} {code}");
            }
        }
    }
}

#[test]
fn an_exchange_blames_the_workspaces_token() {
    for body in [oauth("invalid_client", ""), oauth("invalid_token", "")] {
        for status in [400, 401, 403] {
            assert_eq!(kind(RequestKind::Exchange, status, &body), InvalidToken, "{status} {body}");
        }
    }
    for body in ["", HTML, GREENLAKE, &oauth("invalid_request", "")] {
        assert_eq!(kind(RequestKind::Exchange, 401, body), InvalidToken, "{body}");
        assert_eq!(kind(RequestKind::Exchange, 403, body), Unreadable, "{body}");
        assert_eq!(kind(RequestKind::Exchange, 400, body), Transient, "{body}");
    }
}

#[test]
fn a_listing_blames_the_workspaces_token_on_a_401() {
    for body in ["", HTML, GREENLAKE, &oauth("invalid_client", "")] {
        assert_eq!(kind(RequestKind::ListTenants, 401, body), InvalidToken, "{body}");
        assert_eq!(kind(RequestKind::ListTenants, 403, body), Unreadable, "{body}");
        assert_eq!(kind(RequestKind::ListTenants, 400, body), Transient, "{body}");
    }
    assert_eq!(kind(RequestKind::ListTenants, 403, &oauth("invalid_token", "")), InvalidToken);
}

#[test]
fn only_a_definite_refusal_ends_a_refresh_token() {
    for words in ["Invalid refresh_token", " invalid refresh_token. "] {
        assert_eq!(kind(RequestKind::Refresh, 400, &oauth("invalid_request", words)), InvalidGrant, "{words}");
    }
    assert_eq!(kind(RequestKind::Refresh, 400, &oauth("invalid_grant", "")), InvalidGrant);
    assert_eq!(kind(RequestKind::Refresh, 401, &oauth("invalid_grant", "")), InvalidGrant);
    for body in [
        oauth("invalid_request", "Invalid refresh_token parameter count"),
        oauth("invalid_request", "Invalid client_id"),
        oauth("invalid_request", ""),
        oauth("unsupported_grant_type", "Invalid refresh_token"),
        r#"{"error_description":"Invalid refresh_token"}"#.to_owned(),
        r#"{"error":"invalid_grant""#.to_owned(),
        r#"{"error":["invalid_grant"]}"#.to_owned(),
        "invalid_grant".to_owned(),
        HTML.to_owned(),
        String::new(),
    ] {
        assert_eq!(kind(RequestKind::Refresh, 400, &body), Transient, "{body}");
    }
    for status in [404, 429, 500, 502, 503] {
        let refused = kind(RequestKind::Refresh, status, &oauth("invalid_grant", ""));
        assert_ne!(refused, InvalidGrant, "a {status} is no definite refusal");
    }
}

#[test]
fn invalid_grant_means_something_only_to_a_refresh() {
    for asked in ALL.into_iter().filter(|asked| !matches!(asked, RequestKind::Refresh | RequestKind::LoginUser)) {
        assert_eq!(kind(asked, 400, &oauth("invalid_grant", "")), Transient, "{asked:?}");
        assert_eq!(kind(asked, 400, &oauth("invalid_request", "Invalid refresh_token")), Transient, "{asked:?}");
    }
    assert_eq!(kind(RequestKind::LoginCode, 400, &oauth("invalid_request", "Invalid code")), Transient);
}

#[test]
fn a_401_or_403_that_cannot_be_read_is_unreadable() {
    let asking =
        [RequestKind::ClientCredentials, RequestKind::Refresh, RequestKind::LoginCustomer, RequestKind::LoginCode];
    for asked in asking {
        for status in [401, 403] {
            for body in ["", HTML, GREENLAKE, "{", "[]", "no", &oauth("own_code", ""), &oauth("access_denied", "")] {
                assert_eq!(kind(asked, status, body), Unreadable, "{asked:?} {status} {body}");
            }
        }
    }
}

#[test]
fn step_1_of_a_login_refuses_the_password_unless_a_page_in_html_does() {
    for status in [400, 401, 403] {
        for body in ["", "Unauthorized", r#"{"message":"Invalid username or password"}"#, &oauth("access_denied", "")] {
            assert_eq!(kind(RequestKind::LoginUser, status, body), LoginRefused, "{status} {body}");
        }
    }
    assert_eq!(kind(RequestKind::LoginUser, 403, HTML), Unreadable);
    assert_eq!(kind(RequestKind::LoginUser, 400, HTML), Transient);
    let typed = HeaderMap::from_iter([("content-type".parse().unwrap(), "Text/HTML; charset=utf-8".parse().unwrap())]);
    assert_eq!(judge(RequestKind::LoginUser, 401, &typed, "Blocked").kind, Unreadable);
    for status in [404, 429, 500, 502] {
        assert_ne!(kind(RequestKind::LoginUser, status, ""), LoginRefused, "{status}");
    }
}

#[test]
fn a_success_that_cannot_be_read_may_have_spent_a_token_but_an_early_login_step_has_not() {
    let faults = [BodyFault::TimedOut, BodyFault::BrokenOff, BodyFault::TooLong(256), BodyFault::Html];
    for asked in ALL {
        for fault in faults {
            let reply = reply(206, &HeaderMap::new(), "{}", Err(fault));
            let expected = if is_early_login_step(asked) { Transient } else { Unknown };
            assert_eq!(success(asked, &reply).unwrap_err().kind, expected, "{asked:?} {fault:?}");
        }
    }
}

#[test]
fn a_refusal_that_broke_off_is_no_verdict_whatever_can_be_read_of_it() {
    let bodies =
        ["", "{", HTML, &oauth("invalid_client", ""), &oauth("invalid_grant", ""), &oauth("invalid_token", "")];
    for asked in ALL {
        for body in bodies {
            for fault in [BodyFault::BrokenOff, BodyFault::TimedOut, BodyFault::TooLong(256)] {
                for status in [400, 401, 403] {
                    let failure = refusal(asked, &reply(status, &HeaderMap::new(), body, Err(fault)));
                    assert_eq!(failure.kind, Transient, "{asked:?} {status} {body}");
                    assert!(failure.message.contains("broke off"), "{}", failure.message);
                }
                let limited = refusal(asked, &reply(429, &HeaderMap::new(), body, Err(fault)));
                assert_eq!(limited.kind, RateLimited, "nothing that it could go on to say");
            }
        }
    }
}

#[test]
fn a_refusal_is_read_in_whatever_letters_it_comes() {
    let words = oauth("invalid_grant", "");
    let utf16: Vec<u8> = words.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin1 = [b"{\"error\":\"invalid_grant\",\"error_description\":\"Ung\xfcltig\"}".to_vec()].concat();
    for bytes in [format!("\u{feff}{words}").into_bytes(), utf16, latin1] {
        let body = Body { bytes: Zeroizing::new(bytes), end: Ok(()) };
        let reply = Reply::new(StatusCode::BAD_REQUEST, HeaderMap::new(), body, 1 << 20);
        assert_eq!(refusal(RequestKind::Refresh, &reply).kind, InvalidGrant);
    }
    for around in [format!("{words} trailing"), format!("Blocked: {words}"), format!("[{words}]")] {
        assert_eq!(kind(RequestKind::Refresh, 400, &around), Transient, "a verdict stands alone: {around}");
    }
}

#[test]
fn a_body_that_broke_off_is_given_only_where_something_was_spent() {
    for asked in ALL {
        for (status, expected) in [(200, matches!(asked, RequestKind::Refresh | RequestKind::LoginCode)), (201, false)]
        {
            let reply = reply(status, &HeaderMap::new(), "7", Err(BodyFault::BrokenOff));
            assert_eq!(success(asked, &reply).is_ok(), expected, "{asked:?} {status}");
        }
        assert_eq!(success(asked, &reply(201, &HeaderMap::new(), "7", Ok(()))), Ok(&b"7"[..]));
    }
}

#[test]
fn of_the_providers_words_only_status_and_registered_codes_are_passed_on() {
    let secret = r#"{"error":"s3cret","error_description":"s3cret","message":"s3cret after 5 seconds"}"#;
    let headers = HeaderMap::from_iter([("location".parse().unwrap(), "https://s3cret/".parse().unwrap())]);
    for asked in ALL {
        for status in (300..600).filter(|status| StatusCode::from_u16(*status).is_ok()) {
            for body in [secret, HTML, "s3cret"] {
                let message = judge(asked, status, &headers, body).message;
                assert!(!message.contains("s3cret"), "{message}");
                assert!(message.contains(&format!("HTTP {status}")), "{message}");
            }
        }
    }
    let message = judge(RequestKind::ClientCredentials, 401, &headers, &oauth("invalid_client", "s3cret")).message;
    assert!(message.contains("(invalid_client)") && !message.contains("s3cret"), "{message}");
}
