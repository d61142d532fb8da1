//! How long things live, and what the provider does where nobody is certain.

use serde::{Deserialize, Serialize};

/// Lives, in seconds. A change counts for what is issued from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lives {
    /// A `central` access token.
    pub central: u64,
    /// A `glp` workspace token.
    pub glp: u64,
    /// A tenant's token.
    pub tenant: u64,
    /// A Classic access token.
    pub classic: u64,
    /// A token of another vendor's endpoint.
    pub other: u64,
    /// A Classic refresh token, from the last refresh.
    pub refresh: u64,
    /// An authorization code.
    pub code: u64,
    /// The cookies of a login.
    pub session: u64,
    /// The window in which a client_id may log in three times and get one token by it. It counts at once.
    pub quota_window: u64,
}

impl Default for Lives {
    fn default() -> Self {
        Self {
            central: 7199,
            glp: 899,
            tenant: 900,
            classic: 7200,
            other: 28_800,
            refresh: 14 * 24 * 3600,
            code: 300,
            session: 900,
            quota_window: 1800,
        }
    }
}

impl Lives {
    /// The same lives with every access token living for `seconds`.
    #[must_use]
    pub fn access_tokens(self, seconds: u64) -> Self {
        Self { central: seconds, glp: seconds, tenant: seconds, classic: seconds, other: seconds, ..self }
    }
}

/// What the documentation leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// What an exchange says to a subject token that is dead.
    pub dead_subject: DeadSubject,
    /// What `offset` of the tenant listing counts.
    pub offset_counts: OffsetCounts,
    /// The listings write tenants' ids as UUIDs.
    pub hyphens_in_listing: bool,
    /// A workspace id with hyphens in the URL of a token request is refused.
    pub hyphens_refused: bool,
    /// A Classic access token outlives the refresh that replaced it.
    pub old_access_survives: bool,
    /// For so many milliseconds a spent refresh token is still taken, and begins a chain beside the first: two
    /// refreshes at the same moment.
    pub refresh_race: u64,
    /// Bytes in a `central`, `glp` or tenant token, from 64 to 1 MiB.
    pub token_length: usize,
    /// Characters in a Classic access or refresh token, from 16 to 1 MiB.
    pub classic_token_length: usize,
    /// Access tokens have a colon in them, which no `b64token` (RFC 6750) has.
    pub colon_in_tokens: bool,
    /// A client with an access token that lives gets the same one again, with what is left of its life. On Classic only
    /// where the refresh token stays as well.
    pub same_token: bool,
    /// A Classic refresh leaves the refresh token as it is: Kong's `reuse_refresh_token`.
    pub reuse_refresh_token: bool,
    /// The most tenants in one page, whatever `limit` says; 300 at most.
    pub largest_page: usize,
    /// Where Classic's token endpoint does not look for parameters.
    pub refused_body: RefusedBody,
    /// What it says to parameters there: 415, or 400 `invalid_request`.
    pub refused_status: u16,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            dead_subject: DeadSubject::InvalidClient,
            offset_counts: OffsetCounts::Items,
            hyphens_in_listing: true,
            hyphens_refused: true,
            old_access_survives: false,
            refresh_race: 0,
            token_length: 900,
            classic_token_length: 32,
            colon_in_tokens: false,
            same_token: false,
            reuse_refresh_token: false,
            largest_page: 300,
            refused_body: RefusedBody::None,
            refused_status: 415,
        }
    }
}

/// What an exchange says to a subject token that is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeadSubject {
    /// 400 `invalid_client`.
    InvalidClient,
    /// 401 `invalid_token`.
    InvalidToken,
}

/// What `offset` of the tenant listing counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OffsetCounts {
    /// Tenants to leave out.
    Items,
    /// Pages of `limit` tenants to leave out.
    Pages,
    /// Nothing: each page is the first one.
    Nothing,
}

/// Parameters that Classic's token endpoint refuses, by where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusedBody {
    /// It takes all of them.
    None,
    /// In the query, whatever type the empty body has.
    Query,
    /// In a form.
    Form,
    /// In a JSON object.
    Json,
}
