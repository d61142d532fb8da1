//! Request bodies that hold secrets. They are built in buffers that never grow, so that no copy is left
//! behind, and that are wiped when the HTTP library lets go of them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Serialize;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

/// `application/x-www-form-urlencoded`.
pub(super) struct Form(Zeroizing<String>);

impl Form {
    pub(super) fn new(fields: &[(&str, &str)]) -> Self {
        // A byte becomes three at most; '=' and '&' come on top.
        let room = fields.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
        let mut text = Zeroizing::new(String::with_capacity(room));
        for (name, value) in fields {
            if !text.is_empty() {
                text.push('&');
            }
            text.extend(byte_serialize(name.as_bytes()));
            text.push('=');
            text.extend(byte_serialize(value.as_bytes()));
        }
        debug_assert!(text.len() <= room, "a buffer that grew leaves a copy behind");
        Self(text)
    }

    /// For a gateway that wants its parameters in the URL.
    pub(super) fn as_query(&self) -> &str {
        &self.0
    }

    pub(super) fn into_body(self) -> Bytes {
        Bytes::from_owner(self.0)
    }
}

/// A client's id and secret for HTTP Basic (RFC 7617): each is escaped as in a form first (RFC 6749 section 2.3.1).
pub(super) fn basic(client_id: &str, secret: &str) -> Zeroizing<String> {
    let room = 3 * (client_id.len() + secret.len()) + 1;
    let mut text = Zeroizing::new(String::with_capacity(room));
    text.extend(byte_serialize(client_id.as_bytes()));
    text.push(':');
    text.extend(byte_serialize(secret.as_bytes()));
    let mut encoded = Zeroizing::new(String::with_capacity(text.len().div_ceil(3) * 4));
    BASE64_STANDARD.encode_string(text.as_bytes(), &mut encoded);
    encoded
}

/// A flat JSON object of strings.
pub(super) fn json_object(fields: &[(&str, &str)]) -> Bytes {
    /// In the order given.
    struct Object<'a>(&'a [(&'a str, &'a str)]);

    impl Serialize for Object<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().copied())
        }
    }

    // A byte becomes six at most (`\u0000`); two pairs of quotes, ':' and ',' come on top.
    let room = 2 + fields.iter().map(|(name, value)| 6 * (name.len() + value.len()) + 6).sum::<usize>();
    let mut text = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *text, &Object(fields)).expect("strings always serialize, and memory takes them");
    debug_assert!(text.len() <= room, "a buffer that grew leaves a copy behind");
    Bytes::from_owner(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_escaped_as_forms_are() {
        let form = Form::new(&[("grant_type", "a:b"), ("client_secret", "p+q &=%é\u{1f511}"), ("empty", "")]);
        assert_eq!(form.as_query(), "grant_type=a%3Ab&client_secret=p%2Bq+%26%3D%25%C3%A9%F0%9F%94%91&empty=");
        assert_eq!(Form::new(&[("a", "b")]).into_body(), "a=b");
    }

    #[test]
    fn basic_is_escaped_as_a_form_before_it_is_encoded() {
        // RFC 6749 section 2.3.1 has this one.
        assert_eq!(*basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw"), "czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
        let decoded = BASE64_STANDARD.decode(basic("a:b", "p+q %").as_bytes()).unwrap();
        assert_eq!(decoded, b"a%3Ab:p%2Bq+%25");
    }

    #[test]
    fn a_json_object_is_escaped_as_json_is() {
        let body = json_object(&[("username", "o\"brien"), ("password", "\u{1}\\\né")]);
        let back: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(back, serde_json::json!({"username": "o\"brien", "password": "\u{1}\\\né"}));
    }

    #[test]
    fn buffers_have_room_for_the_worst_text() {
        let worst = "\u{1}".repeat(1000);
        assert_eq!(Form::new(&[("a", &worst)]).into_body().len(), 2 + 3 * 1000);
        assert_eq!(json_object(&[("a", &worst)]).len(), 8 + 6 * 1000);
    }
}
