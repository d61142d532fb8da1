//! The token response (RFC 6749 section 5.1), lenient where providers differ and strict where a peer or a
//! header would suffer.

use std::fmt;

use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use tokend_proto::{Secret, limits};

use super::body::{self, BodyFault};
use super::classify::{self, Asked};
use crate::core::exchange::{Failure, PairResponse, RefreshToken, TokenResponse};

/// Longest access token, in bytes. GreenLake's are some 1.5 KiB.
const MAX_ACCESS_TOKEN: usize = 16 * 1024;

/// Longest token type, in bytes: "Bearer" is the only one in use.
const MAX_TOKEN_TYPE: usize = 32;

const SHAPE: &str = "a token response";

/// Of a grant that brings an access token alone. A refresh token, should there be one, is left alone.
pub(super) fn access_token(asked: Asked, status: StatusCode, body: &[u8]) -> Result<TokenResponse, Failure> {
    parse(body).map_err(|fault| classify::unreadable(asked, status, fault))
}

/// Of a Classic grant, which brings a pair: without the refresh token the chain would end with this one.
pub(super) fn token_pair(asked: Asked, status: StatusCode, body: &[u8]) -> Result<PairResponse, Failure> {
    let pair = || {
        let refresh_token = RefreshToken::New(refresh_token(body)?);
        Ok(PairResponse { access: Some(parse(body)?), refresh_token, warnings: Vec::new() })
    };
    pair().map_err(|fault| classify::unreadable(asked, status, fault))
}

fn parse(body: &[u8]) -> Result<TokenResponse, BodyFault> {
    #[derive(Deserialize)]
    struct Raw {
        access_token: Option<Text>,
        token_type: Option<String>,
        #[serde(default)]
        expires_in: Seconds,
    }

    let raw: Raw = body::json(body, SHAPE)?;
    let access_token = raw.access_token.ok_or(BodyFault::OtherShape("there is no access_token"))?.0;
    if !is_b64token(access_token.expose()) {
        return Err(BodyFault::OtherShape("the access_token is not one that fits into a header (RFC 6750)"));
    }
    let token_type = raw.token_type.unwrap_or_else(|| "Bearer".to_owned());
    if !is_token_type(&token_type) {
        return Err(BodyFault::OtherShape("the token_type is not a word"));
    }
    Ok(TokenResponse { access_token, token_type, expires_in: raw.expires_in.0, warnings: Vec::new() })
}

fn refresh_token(body: &[u8]) -> Result<Secret, BodyFault> {
    #[derive(Deserialize)]
    struct Raw {
        refresh_token: Option<Text>,
    }

    let raw: Raw = body::json(body, SHAPE)?;
    let token = raw.refresh_token.ok_or(BodyFault::OtherShape("there is no refresh_token"))?.0;
    if is_visible(token.expose(), limits::MAX_REFRESH_TOKEN) {
        Ok(token)
    } else {
        Err(BodyFault::OtherShape("the refresh_token is empty, too long or not printable ASCII"))
    }
}

/// RFC 6750 section 2.1: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(text: &str) -> bool {
    let stem = text.trim_end_matches('=');
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    !stem.is_empty() && text.len() <= MAX_ACCESS_TOKEN && stem.bytes().all(allowed)
}

/// RFC 9110 section 5.6.2, `token`: what can stand before the token in an `Authorization` header.
fn is_token_type(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.len() <= MAX_TOKEN_TYPE && text.bytes().all(allowed)
}

/// `1*VSCHAR` (RFC 6749 appendix A): refresh tokens and authorization codes.
pub(super) fn is_visible(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && text.bytes().all(|b| (0x20..=0x7e).contains(&b))
}

/// A string that becomes a secret the moment that it is read.
pub(super) struct Text(pub(super) Secret);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

/// `expires_in`: a number, digits in a string, null or nothing.
#[derive(Default)]
struct Seconds(Option<i64>);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecondsVisitor)
    }
}

struct SecondsVisitor;

impl Visitor<'_> for SecondsVisitor {
    type Value = Seconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Seconds, E> {
        Ok(Seconds(None))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Seconds, E> {
        Ok(Seconds(Some(seconds)))
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Seconds, E> {
        Ok(Seconds(Some(i64::try_from(seconds).unwrap_or(i64::MAX))))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Seconds, E> {
        // `as` truncates and saturates.
        Ok(Seconds(Some(seconds as i64)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
        let text = text.trim();
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(E::custom("not digits"));
        }
        Ok(Seconds(Some(text.parse().unwrap_or(if negative { i64::MIN } else { i64::MAX }))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::exchange::FailureKind;

    fn one(body: &str) -> Result<TokenResponse, Failure> {
        access_token(Asked::ClientCredentials, StatusCode::OK, body.as_bytes())
    }

    fn pair(body: &str) -> Result<PairResponse, Failure> {
        token_pair(Asked::Refresh, StatusCode::OK, body.as_bytes())
    }

    fn expires_in(json: &str) -> Result<Option<i64>, Failure> {
        one(&format!(r#"{{"access_token":"abc","expires_in":{json}}}"#)).map(|token| token.expires_in)
    }

    #[test]
    fn the_documented_answers_are_read() {
        let token = one(r#"{"access_token":"eyJ.a-b_c~+/==","token_type":"Bearer","expires_in":7199}"#).unwrap();
        assert_eq!(token.access_token, Secret::from("eyJ.a-b_c~+/=="));
        assert_eq!((token.token_type.as_str(), token.expires_in), ("Bearer", Some(7199)));
        let token =
            pair(r#"{"refresh_token":"r1","token_type":"bearer","access_token":"a1","expires_in":7200}"#).unwrap();
        assert_eq!(token.refresh_token, RefreshToken::New(Secret::from("r1")));
        assert_eq!(token.access.map(|access| access.token_type).as_deref(), Some("bearer"));
    }

    #[test]
    fn expires_in_is_taken_in_every_form_that_has_a_meaning() {
        let cases = [
            ("7199", Some(7199)),
            ("\"7199\"", Some(7199)),
            ("\" 7199 \"", Some(7199)),
            ("null", None),
            ("0", Some(0)),
            ("-5", Some(-5)),
            ("\"-5\"", Some(-5)),
            ("7199.9", Some(7199)),
            ("-0.5", Some(0)),
            ("1e300", Some(i64::MAX)),
            ("-1e300", Some(i64::MIN)),
            ("18446744073709551615", Some(i64::MAX)),
            ("99999999999999999999999", Some(i64::MAX)),
            ("\"99999999999999999999999\"", Some(i64::MAX)),
            ("\"-99999999999999999999999\"", Some(i64::MIN)),
        ];
        for (json, expected) in cases {
            assert_eq!(expires_in(json), Ok(expected), "{json}");
        }
        assert_eq!(one(r#"{"access_token":"abc"}"#).unwrap().expires_in, None);
    }

    #[test]
    fn an_expires_in_without_meaning_is_a_fault() {
        for json in ["true", "[]", "{}", "\"soon\"", "\"\"", "\"-\"", "\"7199.5\"", "\"0x10\"", "\"+5\"", "1e999"] {
            assert_eq!(expires_in(json).unwrap_err().kind, FailureKind::Unknown, "{json}");
        }
    }

    #[test]
    fn an_access_token_that_does_not_fit_into_a_header_is_a_fault() {
        let longest = "x".repeat(MAX_ACCESS_TOKEN);
        assert!(one(&format!(r#"{{"access_token":"{longest}"}}"#)).is_ok());
        let too_long = format!("{longest}x");
        for bad in
            ["", "=", "a=b", "a b", "a\\n", "a\\r\\nX-Injected: 1", "a\\u0000", "ä", "a,b", "\\\"a\\\"", &too_long]
        {
            let failure = one(&format!(r#"{{"access_token":"{bad}"}}"#)).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Unknown, "{bad}");
            assert!(failure.message.contains("access_token"), "{}", failure.message);
        }
        for body in [
            "{}",
            r#"{"access_token":null}"#,
            r#"{"access_token":5}"#,
            r#"{"access_token":"a","access_token":"b"}"#,
            r#"["a","Bearer",7200]"#,
        ] {
            assert_eq!(one(body).unwrap_err().kind, FailureKind::Unknown, "{body}");
        }
    }

    #[test]
    fn a_classic_answer_without_a_usable_refresh_token_is_a_fault() {
        let too_long = "r".repeat(limits::MAX_REFRESH_TOKEN + 1);
        let bad =
            ["null".to_owned(), "5".to_owned(), "\"\"".to_owned(), "\"a\\nb\"".to_owned(), format!("\"{too_long}\"")];
        for json in bad {
            let body = format!(r#"{{"access_token":"a","expires_in":7200,"refresh_token":{json}}}"#);
            assert_eq!(pair(&body).unwrap_err().kind, FailureKind::Unknown, "{json}");
            assert!(one(&body).is_ok(), "of no concern where there are no refresh tokens: {json}");
        }
        let missing = pair(r#"{"access_token":"a"}"#).unwrap_err();
        assert!(missing.message.contains("refresh_token"), "{}", missing.message);
    }

    #[test]
    fn a_token_type_is_a_short_word() {
        let with = |json: &str| one(&format!(r#"{{"access_token":"a","token_type":{json}}}"#)).map(|it| it.token_type);
        assert_eq!(with("null").as_deref(), Ok("Bearer"));
        assert_eq!(with("\"N_A\"").as_deref(), Ok("N_A"));
        let too_long = format!("\"{}\"", "x".repeat(MAX_TOKEN_TYPE + 1));
        for bad in ["\"\"", "\"two words\"", "\"a\\r\\nb\"", "\"é\"", "1", too_long.as_str()] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_fault_does_not_quote_the_body() {
        for body in [r#"{"access_token":{"s3cret":1}}"#, r#"{"access_token":"s3cret s3cret"}"#, "s3cret", "<s3cret>"] {
            let failure = pair(body).unwrap_err();
            assert!(!failure.message.contains("s3cret"), "{}", failure.message);
        }
    }
}
