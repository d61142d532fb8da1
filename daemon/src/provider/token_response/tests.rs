//! What is made of a body, whole or cut off.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use zeroize::Zeroizing;

use super::*;
use crate::core::provider::FailureKind::{self, InvalidClient, InvalidGrant, Transient, Unknown};
use crate::provider::body::Body;

fn reply(status: u16, body: &[u8], end: Result<(), BodyFault>) -> Reply {
    let body = Body { bytes: Zeroizing::new(body.to_vec()), end };
    Reply::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body, 1 << 20)
}

fn one(body: &str) -> Result<TokenResponse, Failure> {
    token(RequestKind::ClientCredentials, &reply(200, body.as_bytes(), Ok(())))
}

fn both(body: impl AsRef<[u8]>) -> Result<PairResponse, Failure> {
    pair(RequestKind::Refresh, &reply(200, body.as_ref(), Ok(())))
}

/// The tokens of a pair, as far as they can be used.
#[track_caller]
fn tokens(body: impl AsRef<[u8]>) -> (Option<String>, RefreshToken) {
    let body = body.as_ref();
    let pair = both(body).unwrap_or_else(|failure| panic!("{failure:?}: {}", body.escape_ascii()));
    (pair.access.map(|access| access.access_token.expose().to_owned()), pair.refresh_token)
}

fn new(text: &str) -> RefreshToken {
    RefreshToken::New(Secret::from(text))
}

#[track_caller]
fn assert_pair(body: impl AsRef<[u8]>) {
    assert_eq!(tokens(body), (Some("a2".to_owned()), new("r2")));
}

const PAIR: &str = r#"{"refresh_token":"r2","token_type":"bearer","access_token":"a2","expires_in":7200}"#;

/// [`PAIR`] with one more member in front.
fn with(member: &str) -> String {
    PAIR.replacen('{', &format!("{{{member},"), 1)
}

#[test]
fn the_documented_answers_are_read() {
    let token = one(r#"{"access_token":"eyJ.a-b_c~+/==","token_type":"Bearer","expires_in":7199}"#).unwrap();
    assert_eq!(token.access_token, Secret::from("eyJ.a-b_c~+/=="));
    assert_eq!((token.token_type.as_str(), token.expires_in, token.warnings), ("Bearer", Some(7199), vec![]));
    let pair = both(PAIR).unwrap();
    assert_eq!((pair.refresh_token, pair.warnings), (new("r2"), vec![]));
    let access = pair.access.unwrap();
    assert_eq!((access.token_type.as_str(), access.expires_in, access.warnings), ("bearer", Some(7200), vec![]));
}

#[test]
fn an_odd_field_is_warned_of_and_the_tokens_count() {
    let odd = [
        ("expires_in", "\"soon\""),
        ("expires_in", "{}"),
        ("expires_in", "NaN"),
        ("token_type", "\"\""),
        ("token_type", "\"urn:ietf:params:oauth:token-type:access_token\""),
        ("token_type", "[]"),
    ];
    for (key, value) in odd {
        let body = format!(r#"{{"access_token":"a2","refresh_token":"r2","{key}":{value}}}"#);
        let access = both(&body).unwrap().access.unwrap();
        assert_eq!((access.token_type.as_str(), access.expires_in), ("Bearer", None), "{body}");
        assert!(access.warnings.len() == 1 && access.warnings[0].contains(key), "{body}: {:?}", access.warnings);
        assert_eq!(one(&body).unwrap(), access, "{body}");
    }
    for (value, expected) in [("1", 1), ("0", 0), ("-7", -7)] {
        let body = format!(r#"{{"access_token":"a2","refresh_token":"r2","expires_in":{value}}}"#);
        assert_eq!(both(&body).unwrap().access.unwrap().expires_in, Some(expected), "left to the core");
    }
}

#[test]
fn what_is_around_the_tokens_does_not_lose_them() {
    assert_pair([b"\xef\xbb\xbf", PAIR.as_bytes()].concat());
    assert_pair(PAIR.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
    assert_pair(PAIR.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>());
    for body in [
        with(r#""scope":"a","scope":"b""#),
        with("\"user\":\"two\nlines\""),
        with("\"limit\":NaN"),
        with(&format!("\"deep\":{}{}", "[".repeat(100_000), "]".repeat(100_000))),
        with(&format!("\"long\":\"{}\"", "x".repeat(600_000))),
        with(r#""error":null"#),
        with(r#""error":"""#),
        with(r#""error":"invalid_grant""#),
        with(r#""refresh_token":"r1","access_token":"a1""#),
        PAIR.replace("r2", " r2\\n").replace("a2", "a2\\r\\n"),
        PAIR.replace("\"a2\"", "\"Bearer a2\""),
        PAIR.replace("\"r2\"", "\"r2\",\"refresh_token\":null").replace("\"a2\"", "\"a2\",\"access_token\":\"a:b\""),
        format!("{PAIR}\0"),
        format!("{PAIR}\r\nx"),
        format!("{PAIR}{PAIR}"),
        format!("[{PAIR}]"),
        format!("{{\"data\":{PAIR}}}"),
        format!("{{\"status\":\"ok\",\"response\":[{PAIR}]}}"),
        format!("Notice: Undefined index in x.php\n{PAIR}"),
        "access_token=a2&token_type=bearer&refresh_token=r2&expires_in=7200".to_owned(),
    ] {
        assert_pair(body);
    }
    assert_pair([&PAIR.as_bytes()[..PAIR.len() - 1], b",\"city\":\"M\xfcnchen\"}"].concat());
    let warnings = both(format!("{PAIR}x")).unwrap().warnings;
    assert_eq!(warnings, [NOT_ALONE]);
}

#[test]
fn a_refresh_token_is_kept_whatever_the_access_token_is_like() {
    let unusable = ["null", "7", "\"\"", "\"a:b\"", "\"a b\"", "\"a\\nb\"", "\"\u{e4}\"", "{}", "\"=\""];
    for access in unusable {
        let body = format!(r#"{{"refresh_token":"r2","access_token":{access},"expires_in":7200}}"#);
        assert_eq!(tokens(&body), (None, new("r2")), "{body}");
        assert_eq!(both(&body).unwrap().warnings.len(), 1, "{body}");
        assert_eq!(one(&body).unwrap_err().kind, Unknown, "{body}");
    }
    assert_eq!(tokens(r#"{"refresh_token":"r2"}"#), (None, new("r2")));
    let longest = "x".repeat(MAX_ACCESS_TOKEN);
    assert_eq!(tokens(PAIR.replace("a2", &longest)), (Some(longest.clone()), new("r2")));
    assert_eq!(tokens(PAIR.replace("a2", &format!("{longest}x"))), (None, new("r2")));
}

#[test]
fn a_token_that_its_type_forbids_to_serve_is_not_served() {
    for word in ["DPoP", "dpop", "MAC", "mac ", "PoP", "N_A", "n_a"] {
        let body = PAIR.replace("bearer", word);
        assert_eq!(tokens(&body), (None, new("r2")), "{word}");
        let failure = one(&body).unwrap_err();
        assert_eq!(failure.kind, Unknown, "{word}");
        assert!(failure.message.contains("token_type"), "{}", failure.message);
    }
}

#[test]
fn a_refresh_token_is_new_absent_or_unreadable() {
    let longest = "r".repeat(limits::MAX_REFRESH_TOKEN);
    let cases = [
        (format!("\"{longest}\""), new(&longest)),
        ("\"a b\"".to_owned(), new("a b")),
        ("null".to_owned(), RefreshToken::Absent),
        ("\"\"".to_owned(), RefreshToken::Absent),
        ("\" \"".to_owned(), RefreshToken::Absent),
        ("\"null\"".to_owned(), RefreshToken::Absent),
        ("\"None\"".to_owned(), RefreshToken::Absent),
        ("5".to_owned(), RefreshToken::Unreadable),
        ("{}".to_owned(), RefreshToken::Unreadable),
        ("[\"r2\"]".to_owned(), RefreshToken::Unreadable),
        ("false".to_owned(), RefreshToken::Unreadable),
        ("\"a\\nb\"".to_owned(), RefreshToken::Unreadable),
        ("\"a\nb\"".to_owned(), RefreshToken::Unreadable),
        ("\"a\\u0000b\"".to_owned(), RefreshToken::Unreadable),
        ("\"r\u{e4}\"".to_owned(), RefreshToken::Unreadable),
        (format!("\"{longest}x\""), RefreshToken::Unreadable),
        ("5,\"refresh_token\":null".to_owned(), RefreshToken::Unreadable),
    ];
    for (value, expected) in cases {
        let body = format!(r#"{{"access_token":"a2","expires_in":7200,"refresh_token":{value}}}"#);
        assert_eq!(tokens(&body), (Some("a2".to_owned()), expected), "{value:.40}");
        assert!(one(&body).is_ok(), "of no concern where there are no refresh tokens: {value:.40}");
    }
    assert_eq!(tokens(r#"{"access_token":"a2"}"#), (Some("a2".to_owned()), RefreshToken::Absent));
    assert_eq!(tokens(b"{\"access_token\":\"a2\",\"refresh_token\":\"r\xfc\"}").1, RefreshToken::Unreadable);
}

#[test]
fn an_answer_with_neither_is_an_unknown_outcome() {
    for body in [
        "",
        " ",
        "{}",
        "[]",
        "7",
        "null",
        "no",
        "<html>{\"refresh_token\":\"r2\"}",
        "{\"a\":",
        &PAIR[..40],
        "\"r2\"",
        r#"{"refresh_token":7}"#,
        r#"{"access_token":"a:b"}"#,
        r#"{"user":{"refresh_token":"r2"}}"#,
        r#"{"status":false,"message":"Maintenance"}"#,
        r#"{"error":null}"#,
        r#"{"error":""}"#,
        r#"{"error":false}"#,
        "{\"data\":{\"refresh_token\":\"r2\"},\"x\":\"",
    ] {
        assert_eq!(both(body).unwrap_err().kind, Unknown, "{body}");
    }
}

#[test]
fn a_success_with_an_error_in_it_is_what_it_would_be_with_a_400() {
    let cases: [(&str, FailureKind, &str); 6] = [
        (r#"{"error":"invalid_client"}"#, InvalidClient, "HTTP 200 (invalid_client)"),
        (r#"{"error":"invalid_grant"}"#, InvalidGrant, "HTTP 200 (invalid_grant)"),
        (r#"{"error":"invalid_request","error_description":"Invalid refresh_token"}"#, InvalidGrant, "refused"),
        (r#"{"error":"invalid_request","access_token":null,"refresh_token":""}"#, Transient, "param_style"),
        (r#"{"error":"s3cret"}"#, Transient, "HTTP 200 (OK)"),
        (r#"{"error":{"code":7}}"#, Transient, "HTTP 200 (OK)"),
    ];
    for (body, kind, words) in cases {
        let failure = both(body).unwrap_err();
        assert_eq!(failure.kind, kind, "{body}: {}", failure.message);
        assert!(failure.message.contains(words) && !failure.message.contains("s3cret"), "{}", failure.message);
        let cut = pair(RequestKind::Refresh, &reply(200, body.as_bytes(), Err(BodyFault::BrokenOff)));
        assert_eq!(cut.unwrap_err().kind, Unknown, "what is cut off is no verdict: {body}");
    }
    assert_eq!(one(r#"{"error":"invalid_client"}"#).unwrap_err().kind, InvalidClient);
}

#[test]
fn an_object_that_is_whole_counts_though_its_end_was_not_marked() {
    let bodies = [PAIR.to_owned(), format!("\u{feff}{PAIR}"), format!(" \n{PAIR}\r\n ")];
    for fault in [BodyFault::BrokenOff, BodyFault::TimedOut, BodyFault::TooLong(4096)] {
        for body in &bodies {
            let whole = reply(200, body.as_bytes(), Err(fault));
            for asked in [RequestKind::Refresh, RequestKind::LoginCode] {
                let pair = pair(asked, &whole).unwrap();
                assert_eq!((pair.refresh_token, pair.warnings), (new("r2"), vec![NOT_ENDED]));
            }
            for asked in [RequestKind::ClientCredentials, RequestKind::Exchange] {
                assert_eq!(token(asked, &whole).unwrap_err().kind, Unknown, "nothing was spent: {asked}");
            }
            for status in [201, 202, 206, 226] {
                assert_eq!(
                    pair(RequestKind::Refresh, &reply(status, body.as_bytes(), Err(fault))).unwrap_err().kind,
                    Unknown
                );
            }
        }
    }
    for cut in 0..PAIR.len() {
        let failure =
            pair(RequestKind::Refresh, &reply(200, &PAIR.as_bytes()[..cut], Err(BodyFault::BrokenOff))).unwrap_err();
        assert_eq!(failure.kind, Unknown);
        assert!(failure.message.contains("broke off"), "{}", failure.message);
    }
    for more in ["x", "\0", ",", "{", "]"] {
        let body = format!("{PAIR}{more}");
        assert!(
            pair(RequestKind::Refresh, &reply(200, body.as_bytes(), Err(BodyFault::BrokenOff))).is_err(),
            "{more:?}"
        );
    }
    for body in [format!("[{PAIR}"), format!("{{\"data\":{PAIR}"), "access_token=a2&refresh_token=r2".to_owned()] {
        assert!(pair(RequestKind::Refresh, &reply(200, body.as_bytes(), Err(BodyFault::BrokenOff))).is_err(), "{body}");
    }
}

#[test]
fn other_successes_count_if_they_are_whole() {
    for status in [200, 201, 202, 203, 206] {
        assert!(pair(RequestKind::Refresh, &reply(status, PAIR.as_bytes(), Ok(()))).is_ok(), "{status}");
    }
}

#[test]
fn a_fault_does_not_quote_the_body() {
    for body in [r#"{"access_token":{"s3cret":1}}"#, r#"{"access_token":"s3cret s3cret"}"#, "s3cret", "<s3cret>"] {
        let failure = both(body).unwrap_err();
        assert!(!failure.message.contains("s3cret"), "{}", failure.message);
    }
}
