//! A request and a response without an HTTP library: what a simulation can make by hand.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use url::form_urlencoded;

/// A request as it arrives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// From the first slash, without the query.
    pub path: String,
    /// What follows the question mark, still encoded; empty without one.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// All of the body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body. `target` is a path with or without a query.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), ..Self::default() }
    }

    /// `GET target`.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// `POST target` with a form.
    #[must_use]
    pub fn form(target: &str, fields: &[(&str, &str)]) -> Self {
        let mut request = Self::new("POST", target).header("content-type", "application/x-www-form-urlencoded");
        request.body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes();
        request
    }

    /// `POST target` with JSON.
    #[must_use]
    pub fn json(target: &str, body: &Value) -> Self {
        let mut request = Self::new("POST", target).header("content-type", "application/json");
        request.body = body.to_string().into_bytes();
        request
    }

    /// The same request with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// The same request with a bearer token (RFC 6750).
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// The same request with HTTP Basic (RFC 7617).
    #[must_use]
    pub fn basic(self, user: &str, password: &str) -> Self {
        let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
        self.header("authorization", &format!("Basic {credentials}"))
    }

    /// The first header of that name, in lower case.
    #[must_use]
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The bearer token.
    pub(super) fn bearer_token(&self) -> Option<&str> {
        self.authorization("bearer")
    }

    /// The user and password of HTTP Basic.
    pub(super) fn basic_credentials(&self) -> Option<(String, String)> {
        let decoded = BASE64_STANDARD.decode(self.authorization("basic")?).ok()?;
        let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }

    fn authorization(&self, scheme: &str) -> Option<&str> {
        let (said, rest) = self.header_value("authorization")?.split_once(' ')?;
        said.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }

    /// A cookie's value (RFC 6265, section 4.2).
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers.iter().filter(|(n, _)| n == "cookie").flat_map(|(_, v)| v.split(';'));
        cookies.filter_map(|pair| pair.trim().split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// Whether the body says that it is of that type.
    pub(super) fn is(&self, media_type: &str) -> bool {
        let said = self.header_value("content-type").unwrap_or_default();
        said.split(';').next().is_some_and(|t| t.trim().eq_ignore_ascii_case(media_type))
    }
}

/// A response as it leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case; `content-length` is the transport's business.
    pub headers: Vec<(String, String)>,
    /// All of the body.
    pub body: Vec<u8>,
}

impl Response {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), content_type.to_owned())], body: body.into() }
    }

    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The first header of that name, in lower case.
    #[must_use]
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A field of the body's JSON object as text; empty when there is none.
    #[must_use]
    pub fn text(&self, field: &str) -> String {
        self.value()[field].as_str().unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_basic_bearer_and_cookies() {
        let request = Request::get("/x?a=b").basic("id", "se:cret").header("Cookie", "a=1; session=s; csrftoken=c");
        assert_eq!(request.basic_credentials(), Some(("id".to_owned(), "se:cret".to_owned())));
        assert_eq!((request.bearer_token(), request.cookie("session")), (None, Some("s")));
        assert_eq!((request.path.as_str(), request.query.as_str()), ("/x", "a=b"));
        assert_eq!(Request::get("/").header("Authorization", "bearer  t").bearer_token(), Some("t"));
    }
}
