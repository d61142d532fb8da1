//! A request, ready to go.

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use zeroize::Zeroizing;

use super::classify::{self, RequestKind};
use super::form::Form;
use crate::core::provider::{Failure, FailureKind};

/// One request.
pub(super) struct Request {
    pub(super) asked: RequestKind,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Request {
    pub(super) fn post(asked: RequestKind, url: Url) -> Self {
        Self { asked, method: Method::POST, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub(super) fn get(asked: RequestKind, url: Url) -> Self {
        Self { asked, method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub(super) fn form(self, form: Form) -> Self {
        self.body("application/x-www-form-urlencoded", form.into_body())
    }

    pub(super) fn json(self, body: Bytes) -> Self {
        self.body("application/json", body)
    }

    /// No body, and a word that says so: some gateways want a length of every POST.
    pub(super) fn empty_json(mut self) -> Self {
        self.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        self.json(Bytes::new())
    }

    fn body(mut self, content_type: &'static str, body: Bytes) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body;
        self
    }

    /// A header that nobody shall see in a log: a secret behind a prefix.
    pub(super) fn secret_header(mut self, name: &'static str, prefix: &str, secret: &str) -> Result<Self, Failure> {
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + secret.len()));
        text.push_str(prefix);
        text.push_str(secret);
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).map_err(|_| {
            classify::not_sent(self.asked, FailureKind::Transient, "a token holds characters that no header may hold")
        })?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }
}

/// An endpoint's URL with a path and a query put to it.
pub(super) fn url(asked: RequestKind, base: &str, path: std::fmt::Arguments<'_>) -> Result<Url, Failure> {
    Url::parse(&format!("{base}{path}"))
        .map_err(|_| classify::not_sent(asked, FailureKind::Transient, "the configured URL is not one"))
}
