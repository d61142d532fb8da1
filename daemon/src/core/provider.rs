//! What is said to a provider and what it answers, as values.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{Secret, WorkspaceId};

use super::settings::Profile;

/// Names a request to a provider and its one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names one reading of a secret whose text was not seen before: the same text keeps its version, a changed
/// one gets another. The core compares versions; the texts stay in the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretVersion(pub u64);

/// What a reading of a profile's secret sources brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecretVersions {
    /// In the order of the configuration, those that could be read.
    pub client_secrets: Vec<SecretVersion>,
    /// Of the login, where it is configured and could be read.
    pub password: Option<SecretVersion>,
    /// What could not be read and why; never a secret's text.
    pub problems: Vec<String>,
}

/// One request to a provider.
#[derive(Debug, Clone)]
pub struct ProviderRequest {
    /// To be given back with the answer.
    pub id: RequestId,
    /// Whose request.
    pub profile: Arc<Profile>,
    /// What is asked.
    pub grant: Grant,
}

/// What is asked of a provider.
#[derive(Debug, Clone)]
pub enum Grant {
    /// RFC 6749 section 4.4.
    ClientCredentials {
        /// Which secret to use.
        secret: SecretVersion,
    },
    /// RFC 8693: a tenant's token for the workspace's.
    Exchange {
        /// Whose token is wanted.
        tenant: WorkspaceId,
        /// The MSP token.
        subject: Secret,
    },
    /// One page of the tenants of an MSP workspace.
    ListTenants {
        /// The MSP token.
        token: Secret,
        /// Items received so far.
        offset: u64,
    },
    /// RFC 6749 section 6; Classic. Must not be cancelled once begun.
    Refresh {
        /// Which secret to use.
        secret: SecretVersion,
        /// Spent by this request.
        refresh_token: Secret,
    },
    /// The three steps of a Classic login. Must not be cancelled once begun.
    Login {
        /// Which secret to use.
        secret: SecretVersion,
        /// Which password to use.
        password: SecretVersion,
    },
}

/// No step of a login is begun later than this after its first, by boot time: the shell gives it up then, before
/// anything was minted. Two steps may take their 30 seconds each. The machine may have slept between steps, and the
/// quota counts from the first one if the end never becomes known.
pub const LOGIN_STEPS: Duration = Duration::from_secs(75);

/// What came back.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A token response (RFC 6749 section 5.1) whose access token can be served.
    Token(TokenResponse),
    /// What a grant brought that spends something: a refresh, an import, a login.
    Pair(PairResponse),
    /// A page of tenants.
    Tenants(TenantPage),
    /// Anything else.
    Failed(Failure),
}

/// A token response, of which nothing is odd but what `warnings` say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenResponse {
    /// A `b64token` (RFC 6750 section 2.1).
    pub access_token: Secret,
    /// The word before the token in a header; `Bearer` where the provider's word is missing or unknown.
    pub token_type: String,
    /// In whole seconds, saturating; `None` if missing, null or not readable. Zero and below are passed on.
    pub expires_in: Option<i64>,
    /// What was odd about it, in our own words.
    pub warnings: Vec<&'static str>,
}

/// What a grant brought that has spent something. At least one of the two tokens is there: an answer with neither is a
/// [`FailureKind::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairResponse {
    /// `None` if there is none that can be served.
    pub access: Option<TokenResponse>,
    /// The new refresh token, as far as it could be read.
    pub refresh_token: RefreshToken,
    /// What was odd about the answer, in our own words.
    pub warnings: Vec<&'static str>,
}

/// The refresh token of a token response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshToken {
    /// Takes the place of the one that was sent. It may be the same.
    New(Secret),
    /// Missing or null: the one that was sent goes on (RFC 6749 section 6).
    Absent,
    /// It is there and cannot be used: what became of the one that was sent is not known.
    Unreadable,
}

/// A page of tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantPage {
    /// How many there are in all, as the provider says.
    pub total: u64,
    /// Ids and workspace names. Entries without a usable id are dropped but counted in `received`.
    pub items: Vec<(WorkspaceId, String)>,
    /// Items that the page held.
    pub received: u64,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the core does about it.
    pub kind: FailureKind,
    /// From `Retry-After`, and on a 429 also from `ratelimit-reset` and the seconds in the message: the
    /// longest of them.
    pub retry_after: Option<Duration>,
    /// For people, in our own words: what happened, with the HTTP status and the OAuth error code where
    /// there is one. Never a body, a URL with a query, or a secret.
    pub message: String,
}

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The request was surely not acted on: no connection, 5xx other than those below, an unusual 4xx.
    Transient,
    /// It may have been acted on: time-out or reset after bytes went out, 500, 502, 504, a 200 that cannot be read.
    Unknown,
    /// 429. Not acted on.
    RateLimited,
    /// `invalid_client` or `unauthorized_client`: the client credentials are refused.
    InvalidClient,
    /// `invalid_grant`, or Classic's `Invalid refresh_token`: this refresh token is dead.
    InvalidGrant,
    /// `invalid_token`, or a 401 to an exchange or a listing: the token used is dead.
    InvalidToken,
    /// 401 or 403 without a readable OAuth error.
    Unreadable,
    /// The first step of a login refused user name or password.
    LoginRefused,
    /// The secret to be used could not be read. Nothing was sent.
    SecretUnavailable,
}
