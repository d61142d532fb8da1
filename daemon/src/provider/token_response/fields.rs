//! `expires_in` and `token_type`, in the forms in which they come.

use crate::provider::loose::{self, Object};

/// What `expires_in` says.
#[derive(Debug, PartialEq)]
pub(super) enum Seconds {
    /// Whole seconds, saturating; zero and below are left to the core.
    Read(i64),
    /// Missing or null.
    Absent,
    Unreadable,
}

/// A number, or one in a string; with a fraction, an exponent, a sign and blanks.
pub(super) fn expires_in(object: &Object<'_>) -> Seconds {
    if let Some(seconds) = object.all("expires_in").find_map(seconds) {
        return Seconds::Read(seconds);
    }
    if object.is_nothing("expires_in") { Seconds::Absent } else { Seconds::Unreadable }
}

fn seconds(value: &[u8]) -> Option<i64> {
    match loose::text(value) {
        Some(text) => number(text.expose()),
        None => number(std::str::from_utf8(value).ok()?),
    }
}

fn number(text: &str) -> Option<i64> {
    // Words that Rust takes for numbers (inf, nan) are none.
    let is_of_one = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(is_of_one) {
        return None;
    }
    // `as` truncates and saturates.
    text.parse::<i64>().ok().or_else(|| text.parse::<f64>().ok().map(|seconds| seconds as i64))
}

/// What `token_type` says.
#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    /// As given, in whatever case; `Bearer` if it is missing.
    Bearer(String),
    /// No word that is known, or no word at all.
    Unknown,
    /// Who has only the token cannot use it: it needs a key, or is none for a resource (RFC 8693 section 2.2.1).
    NotServable,
}

/// The words that forbid to serve a token as a bearer's.
const NOT_SERVABLE: [&str; 4] = ["dpop", "mac", "pop", "n_a"];

pub(super) fn token_type(object: &Object<'_>) -> Kind {
    if object.is_nothing("token_type") {
        return Kind::Bearer("Bearer".to_owned());
    }
    let Some(word) = object.text("token_type") else { return Kind::Unknown };
    let word = word.expose();
    let last = word.rsplit(':').next().unwrap_or(word);
    if NOT_SERVABLE.iter().any(|known| last.eq_ignore_ascii_case(known)) {
        Kind::NotServable
    } else if word.eq_ignore_ascii_case("bearer") {
        Kind::Bearer(word.to_owned())
    } else {
        Kind::Unknown
    }
}

/// Instead of a token: nothing, or nothing in some programming language's words.
pub(super) fn is_word_for_nothing(text: &str) -> bool {
    ["", "null", "none", "nil", "undefined"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn with<T>(members: &str, read: impl Fn(&Object<'_>) -> T) -> T {
        read(&loose::find(format!("{{{members}}}").as_bytes()).unwrap().object)
    }

    #[test]
    fn expires_in_is_taken_in_every_form_that_has_a_meaning() {
        use Seconds::{Absent, Read, Unreadable};
        let cases = [
            ("7199", Read(7199)),
            ("7200.0", Read(7200)),
            ("7199.9", Read(7199)),
            ("7.2e3", Read(7200)),
            ("0", Read(0)),
            ("1", Read(1)),
            ("-5", Read(-5)),
            ("-0.5", Read(0)),
            ("1e300", Read(i64::MAX)),
            ("1e999", Read(i64::MAX)),
            ("-1e300", Read(i64::MIN)),
            ("18446744073709551615", Read(i64::MAX)),
            ("99999999999999999999999", Read(i64::MAX)),
            ("\"7199\"", Read(7199)),
            ("\"7200.0\"", Read(7200)),
            ("\"7199.5\"", Read(7199)),
            ("\" 7200 \"", Read(7200)),
            ("\"7200\\n\"", Read(7200)),
            ("\"+5\"", Read(5)),
            ("\"-5\"", Read(-5)),
            ("\"1e3\"", Read(1000)),
            ("\"-99999999999999999999999\"", Read(i64::MIN)),
            ("null", Absent),
            ("\"\"", Unreadable),
            ("\"soon\"", Unreadable),
            ("\"-\"", Unreadable),
            ("\"0x10\"", Unreadable),
            ("\"inf\"", Unreadable),
            ("\"1_000\"", Unreadable),
            ("\"7200 s\"", Unreadable),
            ("NaN", Unreadable),
            ("", Unreadable),
            ("true", Unreadable),
            ("[]", Unreadable),
            ("[7200]", Unreadable),
            ("{}", Unreadable),
            ("5,\"expires_in\":7", Read(7)),
            ("5,\"expires_in\":\"\"", Read(5)),
        ];
        for (value, expected) in cases {
            assert_eq!(with(&format!("\"expires_in\":{value}"), expires_in), expected, "{value}");
        }
        assert_eq!(with("", expires_in), Absent);
    }

    #[test]
    fn a_token_type_is_bearer_unless_it_forbids_that() {
        let bearer = |word: &str| Kind::Bearer(word.to_owned());
        let cases = [
            ("null", bearer("Bearer")),
            ("\"Bearer\"", bearer("Bearer")),
            ("\"bearer\"", bearer("bearer")),
            ("\"BEARER\"", bearer("BEARER")),
            ("\"Bearer \"", bearer("Bearer")),
            ("\"\"", Kind::Unknown),
            ("\"BearerToken\"", Kind::Unknown),
            ("\"urn:ietf:params:oauth:token-type:access_token\"", Kind::Unknown),
            ("\"two words\"", Kind::Unknown),
            ("\"a\\r\\nb\"", Kind::Unknown),
            ("7", Kind::Unknown),
            ("[\"DPoP\"]", Kind::Unknown),
            ("\"DPoP\"", Kind::NotServable),
            ("\"dpop\\n\"", Kind::NotServable),
            ("\"mac\"", Kind::NotServable),
            ("\"PoP\"", Kind::NotServable),
            ("\"N_A\"", Kind::NotServable),
            ("\"urn:x:dpop\"", Kind::NotServable),
        ];
        for (value, expected) in cases {
            assert_eq!(with(&format!("\"token_type\":{value}"), token_type), expected, "{value}");
        }
        assert_eq!(with("", token_type), bearer("Bearer"));
    }
}
