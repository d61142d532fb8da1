//! What the core knows of the configuration. Already validated: see `crate::config`.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{ProfileName, TenantRef, WorkspaceId};

/// Everything that the core decides by.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// All profiles.
    pub profiles: BTreeMap<ProfileName, Arc<Profile>>,
    /// Share of the life after which a token is renewed, 0 to 1.
    pub refresh_at: Fraction,
    /// How far `refresh_at` is spread, as a share of the life.
    pub jitter: Fraction,
    /// Per provider host.
    pub max_requests_per_second: NonZeroU32,
}

/// A number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Fraction(f64);

impl Fraction {
    /// `None` if it is not from 0 to 1.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

/// One set of client credentials, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: ProfileName,
    /// OAuth client id.
    pub client_id: String,
    /// What it is for and where its provider is.
    pub kind: Kind,
}

/// A provider's address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Whole URL without query or fragment; no slash at the end.
    pub url: String,
    /// `scheme://host:port`: what the rate limit is counted by.
    pub host: Arc<str>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

/// The kinds of profile, with what each needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `client_credentials` (RFC 6749 section 4.4) at one token endpoint, and nothing else: New Central, say.
    ClientCredentials(ClientCredentials),
    /// GreenLake: `client_credentials` at the workspace endpoint, and tenants by exchange.
    Glp {
        /// Without the path.
        base_url: Endpoint,
        /// The workspace of the credentials.
        workspace: WorkspaceId,
        /// Whether tenant tokens are allowed, and which are always fresh.
        tenants: Option<Tenants>,
    },
    /// Classic Central: a chain of refresh tokens.
    Classic {
        /// The gateway, without the path.
        gateway: Endpoint,
        /// Renewed this long before expiry.
        before: Duration,
        /// Where the parameters go.
        param_style: ParamStyle,
        /// For non-SSO users.
        login: Option<Login>,
    },
}

/// How one token endpoint is asked, and what its tokens are like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    /// The kind's word in the configuration.
    pub word: &'static str,
    /// Its whole URL.
    pub token_endpoint: Endpoint,
    /// How long a token lives if the answer does not say so (`expires_in`).
    pub life: Duration,
    /// How the client shows who it is.
    pub auth: ClientAuth,
    /// What the token is to be good for (RFC 6749 section 3.3), in the server's words.
    pub scope: Option<String>,
    /// Whom the token is for, where the server wants to hear it.
    pub audience: Option<String>,
}

impl ClientCredentials {
    /// As New Central documents it: a form, and tokens of 7199 seconds.
    #[must_use]
    pub fn central(token_endpoint: Endpoint) -> Self {
        let life = Duration::from_secs(7199);
        Self { word: "central", token_endpoint, life, auth: ClientAuth::Form, scope: None, audience: None }
    }
}

/// How a client shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// `client_id` and `client_secret` in the form (`client_secret_post`).
    #[default]
    Form,
    /// HTTP Basic (`client_secret_basic`, RFC 6749 section 2.3.1).
    Basic,
    /// All parameters in the body as a JSON object, which is no standard.
    Json,
}

/// Tenants of a GreenLake MSP workspace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tenants {
    /// Always fresh, asked for or not.
    pub warm: Vec<TenantRef>,
}

/// Where a Classic gateway wants its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParamStyle {
    /// In the body: nothing secret ends up in a proxy's log.
    #[default]
    Form,
    /// In the URL, for a gateway that insists.
    Query,
    /// In the body, as a JSON object.
    Json,
}

/// Generation of a Classic token by login, without the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Of a non-SSO user.
    pub username: String,
    /// Of the Central account.
    pub customer_id: String,
}

impl Profile {
    /// Where its requests go.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        match &self.kind {
            Kind::ClientCredentials(asked) => &asked.token_endpoint,
            Kind::Glp { base_url, .. } => base_url,
            Kind::Classic { gateway, .. } => gateway,
        }
    }

    /// Whether tokens of `other` are tokens of `self`: same kind, client, workspace and endpoint.
    #[must_use]
    pub fn same_tokens(&self, other: &Self) -> bool {
        let same_kind = match (&self.kind, &other.kind) {
            (Kind::ClientCredentials(a), Kind::ClientCredentials(b)) => {
                (a.word, &a.scope, &a.audience) == (b.word, &b.scope, &b.audience)
            }
            (Kind::Classic { .. }, Kind::Classic { .. }) => true,
            (Kind::Glp { workspace: a, .. }, Kind::Glp { workspace: b, .. }) => a == b,
            _ => false,
        };
        same_kind && self.client_id == other.client_id && self.endpoint() == other.endpoint()
    }
}
