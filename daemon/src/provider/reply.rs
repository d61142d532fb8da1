//! A provider's answer, as it came over the wire.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::body::Body;
use super::coding;
use crate::core::settings::ParamStyle;

/// An answer with its body, as far as that could be read.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// How the parameters were sent, where that is configured.
    pub(super) style: Option<ParamStyle>,
}

impl Reply {
    /// Undoes what compressed the body; `limit` is for the bytes that come out.
    pub(super) fn new(status: StatusCode, headers: HeaderMap, body: Body, limit: usize) -> Self {
        let body = coding::decode(&headers, body, limit);
        Self { status, headers, body, style: None }
    }
}
