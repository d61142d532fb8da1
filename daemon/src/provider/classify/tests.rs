//! Every rule of the classification, with plain values.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use zeroize::Zeroizing;

use super::FailureKind::{
    InvalidClient, InvalidGrant, InvalidToken, LoginRefused, RateLimited, Transient, Unknown, Unreadable,
};
use super::*;

const ALL: [Asked; 7] = [
    Asked::ClientCredentials,
    Asked::Exchange,
    Asked::ListTenants,
    Asked::Refresh,
    Asked::LoginUser,
    Asked::LoginCustomer,
    Asked::LoginCode,
];

const HTML: &str = "<!DOCTYPE html><html><body>Blocked: s3cret</body></html>";
const GREENLAKE: &str = r#"{"httpStatusCode":401,"errorCode":"HPE_GL_ERROR_UNAUTHORIZED","message":"m","debugId":"d"}"#;

fn oauth(code: &str, description: &str) -> String {
    serde_json::json!({"error": code, "error_description": description}).to_string()
}

fn kind(asked: Asked, status: u16, body: &str) -> FailureKind {
    judge(asked, status, &HeaderMap::new(), body).kind
}

fn judge(asked: Asked, status: u16, headers: &HeaderMap, body: &str) -> Failure {
    refusal(asked, StatusCode::from_u16(status).unwrap(), headers, body.as_bytes())
}

fn is_early_login_step(asked: Asked) -> bool {
    matches!(asked, Asked::LoginUser | Asked::LoginCustomer)
}

#[test]
fn a_500_and_gateway_errors_leave_the_outcome_open_where_tokens_are_minted() {
    for asked in ALL {
        for status in [500, 502, 504] {
            let expected = if is_early_login_step(asked) { Transient } else { Unknown };
            assert_eq!(kind(asked, status, HTML), expected, "{asked:?} {status}");
        }
    }
    assert_eq!(kind(Asked::Refresh, 500, r#"{"message":"An unexpected error occurred"}"#), Unknown);
}

#[test]
fn other_server_errors_redirects_and_unusual_refusals_are_transient() {
    let unusual = [300, 301, 302, 303, 304, 307, 308, 402, 404, 405, 408, 409, 410, 413, 418, 425, 451, 501, 503];
    for asked in ALL {
        for status in unusual.into_iter().chain([505, 507, 511, 520, 599]) {
            assert_eq!(kind(asked, status, HTML), Transient, "{asked:?} {status}");
            assert_eq!(kind(asked, status, &oauth("server_error", "")), Transient, "{asked:?} {status}");
        }
    }
}

#[test]
fn a_redirect_is_named_as_one() {
    let message = judge(Asked::Refresh, 302, &HeaderMap::new(), "").message;
    assert!(message.contains("HTTP 302") && message.contains("redirects are not followed"), "{message}");
}

#[test]
fn a_429_is_a_rate_limit_whoever_asks_and_whatever_it_says() {
    for asked in ALL {
        for body in ["", HTML, &oauth("invalid_client", ""), r#"{"message":"API rate limit exceeded"}"#] {
            assert_eq!(kind(asked, 429, body), RateLimited, "{asked:?} {body}");
        }
    }
    let headers = HeaderMap::from_iter([("ratelimit-reset".parse().unwrap(), "30".parse().unwrap())]);
    let limited = judge(Asked::LoginUser, 429, &headers, r#"{"message":"retry after 1700 seconds"}"#);
    assert_eq!(limited.retry_after, Some(Duration::from_secs(1700)));
}

#[test]
fn retry_after_counts_on_a_503_but_ratelimit_reset_does_not() {
    let mut headers = HeaderMap::from_iter([("ratelimit-reset".parse().unwrap(), "900".parse().unwrap())]);
    assert_eq!(judge(Asked::Refresh, 503, &headers, "").retry_after, None);
    headers.insert("retry-after", "7".parse().unwrap());
    assert_eq!(judge(Asked::Refresh, 503, &headers, "").retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn refused_client_credentials_are_told_apart() {
    for asked in [Asked::ClientCredentials, Asked::Refresh, Asked::LoginUser, Asked::LoginCustomer, Asked::LoginCode] {
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
            assert_eq!(kind(Asked::Exchange, status, &body), InvalidToken, "{status} {body}");
        }
    }
    for body in ["", HTML, GREENLAKE, &oauth("invalid_request", "")] {
        assert_eq!(kind(Asked::Exchange, 401, body), InvalidToken, "{body}");
        assert_eq!(kind(Asked::Exchange, 403, body), Unreadable, "{body}");
        assert_eq!(kind(Asked::Exchange, 400, body), Transient, "{body}");
    }
}

#[test]
fn a_listing_blames_the_workspaces_token_on_a_401() {
    for body in ["", HTML, GREENLAKE, &oauth("invalid_client", "")] {
        assert_eq!(kind(Asked::ListTenants, 401, body), InvalidToken, "{body}");
        assert_eq!(kind(Asked::ListTenants, 403, body), Unreadable, "{body}");
        assert_eq!(kind(Asked::ListTenants, 400, body), Transient, "{body}");
    }
    assert_eq!(kind(Asked::ListTenants, 403, &oauth("invalid_token", "")), InvalidToken);
}

#[test]
fn only_a_definite_refusal_ends_a_refresh_token() {
    for words in ["Invalid refresh_token", " invalid refresh_token. "] {
        assert_eq!(kind(Asked::Refresh, 400, &oauth("invalid_request", words)), InvalidGrant, "{words}");
    }
    assert_eq!(kind(Asked::Refresh, 400, &oauth("invalid_grant", "")), InvalidGrant);
    assert_eq!(kind(Asked::Refresh, 401, &oauth("invalid_grant", "")), InvalidGrant);
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
        assert_eq!(kind(Asked::Refresh, 400, &body), Transient, "{body}");
    }
    for status in [404, 429, 500, 502, 503] {
        let refused = kind(Asked::Refresh, status, &oauth("invalid_grant", ""));
        assert_ne!(refused, InvalidGrant, "a {status} is no definite refusal");
    }
}

#[test]
fn invalid_grant_means_something_only_to_a_refresh() {
    for asked in ALL.into_iter().filter(|asked| !matches!(asked, Asked::Refresh | Asked::LoginUser)) {
        assert_eq!(kind(asked, 400, &oauth("invalid_grant", "")), Transient, "{asked:?}");
        assert_eq!(kind(asked, 400, &oauth("invalid_request", "Invalid refresh_token")), Transient, "{asked:?}");
    }
    assert_eq!(kind(Asked::LoginCode, 400, &oauth("invalid_request", "Invalid code")), Transient);
}

#[test]
fn a_401_or_403_that_cannot_be_read_is_unreadable() {
    let asking = [Asked::ClientCredentials, Asked::Refresh, Asked::LoginCustomer, Asked::LoginCode];
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
            assert_eq!(kind(Asked::LoginUser, status, body), LoginRefused, "{status} {body}");
        }
    }
    assert_eq!(kind(Asked::LoginUser, 403, HTML), Unreadable);
    assert_eq!(kind(Asked::LoginUser, 400, HTML), Transient);
    let typed = HeaderMap::from_iter([("content-type".parse().unwrap(), "Text/HTML; charset=utf-8".parse().unwrap())]);
    assert_eq!(judge(Asked::LoginUser, 401, &typed, "Blocked").kind, Unreadable);
    for status in [404, 429, 500, 502] {
        assert_ne!(kind(Asked::LoginUser, status, ""), LoginRefused, "{status}");
    }
}

#[test]
fn a_success_that_cannot_be_read_may_have_spent_a_token_but_an_early_login_step_has_not() {
    let faults = [BodyFault::TimedOut, BodyFault::BrokenOff, BodyFault::TooLong(256), BodyFault::Html];
    for asked in ALL {
        for fault in faults {
            let reply = Reply { status: StatusCode::OK, headers: HeaderMap::new(), body: Err(fault) };
            let expected = if is_early_login_step(asked) { Transient } else { Unknown };
            assert_eq!(success(asked, &reply).unwrap_err().kind, expected, "{asked:?} {fault:?}");
        }
    }
}

#[test]
fn a_refusal_counts_even_if_its_body_broke_off() {
    let reply = |status| Reply { status, headers: HeaderMap::new(), body: Err(BodyFault::BrokenOff) };
    assert_eq!(success(Asked::Refresh, &reply(StatusCode::SERVICE_UNAVAILABLE)).unwrap_err().kind, Transient);
    assert_eq!(success(Asked::Refresh, &reply(StatusCode::TOO_MANY_REQUESTS)).unwrap_err().kind, RateLimited);
    assert_eq!(success(Asked::Refresh, &reply(StatusCode::BAD_REQUEST)).unwrap_err().kind, Transient);
    let whole = Reply { status: StatusCode::CREATED, headers: HeaderMap::new(), body: Ok(Zeroizing::new(vec![7])) };
    assert_eq!(success(Asked::Refresh, &whole), Ok(&[7_u8][..]));
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
    let message = judge(Asked::ClientCredentials, 401, &headers, &oauth("invalid_client", "s3cret")).message;
    assert!(message.contains("(invalid_client)") && !message.contains("s3cret"), "{message}");
}
