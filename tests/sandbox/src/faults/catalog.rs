//! All faults in the words of the admin interface: one row each, for the sandbox program's help and for the tests.

use super::{odd, saying};

/// The faults that have a name of their own or a parameter: how each is written, and what it is.
const PLAIN: [(&str, &str); 19] = [
    (r#"{"status":{"status":503,"retry_after":"7"}}"#, "any status, with the family's own body"),
    (r#"{"too-many":"none"}"#, "429 that does not say how long to wait"),
    (r#"{"too-many":{"retry-after":7}}"#, "429 with Retry-After in seconds"),
    (r#"{"too-many":{"retry-after-date":7}}"#, "429 with Retry-After as a date"),
    (r#"{"too-many":{"ratelimit-reset":7}}"#, "429 with ratelimit-reset in seconds"),
    (r#"{"too-many":{"reset-date":7}}"#, "429 with X-RateLimit-Reset as a date-time in UTC"),
    (r#"{"too-many":{"reset-epoch":7}}"#, "429 with X-RateLimit-Reset in seconds since 1970"),
    (r#"{"too-many":{"message":7}}"#, "429 with the seconds in its message"),
    (r#"{"delay":900}"#, "the answer comes so many milliseconds later; it adds to another fault"),
    (r#""reset""#, "the connection is reset without an answer"),
    (r#"{"truncated":20}"#, "the body ends after so many bytes"),
    (r#""html""#, "200 with a page"),
    (r#""empty""#, "200 and nothing"),
    (r#"{"huge":300000}"#, "200 and so many bytes of JSON without an end"),
    (r#""not-utf8""#, "200 and bytes that are no UTF-8"),
    (r#"{"other-shape":{"hello":"world"}}"#, "200 and this JSON"),
    (r#"{"expires-in":"\"7200\""}"#, "expires_in is this text; null: it is missing"),
    (r#"{"access-token":"a b"}"#, "the access token is this text"),
    (r#"{"redirect":"https://elsewhere.example.net/"}"#, "302 to this place"),
];

/// Every fault, as the value of `"fault"` in a rule, and what it is.
#[must_use]
pub fn catalog() -> Vec<(String, &'static str)> {
    let plain = PLAIN.iter().map(|(json, is)| ((*json).to_owned(), *is));
    let says = saying::ROWS.iter().map(|row| (format!(r#"{{"says":"{}"}}"#, row.name), row.is));
    let odd = odd::ROWS.iter().map(|row| (format!(r#"{{"odd":"{}"}}"#, row.name), row.is));
    plain.chain(says).chain(odd).collect()
}
