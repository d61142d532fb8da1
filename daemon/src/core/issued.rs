//! A token, and how it may be read.

use std::borrow::Cow;
use std::time::Duration;

use tokend_proto::{Fingerprint, Secret, Token};

use super::time::{BootTime, Now};

/// How the token cache's readers may use a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadMode {
    /// Serve it.
    Serve,
    /// Serve it, flagged [`tokend_proto::Flags::RENEWING`].
    ServeRenewing,
    /// Ask the core: a Classic refresh that kills this token is on the wire.
    Ask,
}

/// A token as the provider gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The token.
    pub access_token: Secret,
    /// As given, made by [`token_type`].
    pub token_type: Cow<'static, str>,
    /// Of the access token.
    pub fingerprint: Fingerprint,
    /// When the request for it was sent.
    pub issued: BootTime,
    /// From then on it does not work.
    pub expires: BootTime,
    /// When it is to be renewed.
    pub refresh: BootTime,
}

/// A token's type, to be kept: the usual word takes no memory, however many tokens there are.
#[must_use]
pub fn token_type(given: &str) -> Cow<'static, str> {
    match given {
        "Bearer" => Cow::Borrowed("Bearer"),
        other => Cow::Owned(other.to_owned()),
    }
}

impl AccessToken {
    /// Life left.
    #[must_use]
    pub fn left(&self, now: BootTime) -> Duration {
        self.expires.since(now)
    }

    /// The whole life.
    #[must_use]
    pub fn life(&self) -> Duration {
        self.expires.since(self.issued)
    }

    /// As it goes over the wire.
    #[must_use]
    pub fn to_wire(&self, now: Now) -> Token {
        Token {
            access_token: self.access_token.clone(),
            token_type: self.token_type.to_string(),
            fingerprint: self.fingerprint,
            issued_at: now.stamp(self.issued),
            expires_at: now.stamp(self.expires),
            refresh_at: now.stamp(self.refresh),
        }
    }
}
