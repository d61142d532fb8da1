//! What a peer asks.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Fingerprint, Secret};

/// A span of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Millis(pub u64);

impl From<Duration> for Millis {
    fn from(span: Duration) -> Self {
        Self(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }
}

impl From<Millis> for Duration {
    fn from(span: Millis) -> Self {
        Self::from_millis(span.0)
    }
}

/// A secret inside a frame that is being read or written: borrowed, so that nothing owns a second copy.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretStr<'a>(&'a str);

impl<'a> SecretStr<'a> {
    /// Borrows a secret for the wire.
    #[must_use]
    pub fn new(secret: &'a Secret) -> Self {
        Self(secret.expose())
    }

    /// Its length in bytes.
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    /// Its own copy, wiped on drop.
    #[must_use]
    pub fn to_secret(self) -> Secret {
        Secret::from(self.0)
    }
}

impl fmt::Debug for SecretStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretStr(…)")
    }
}

/// One request. Names are `PROFILE` or `PROFILE/TENANT`. Append-only: see the crate's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request<'a> {
    /// Is anybody there? Answered by `Pong`.
    Ping,
    /// The newest token, answered by `Token`.
    Get {
        /// Token name.
        name: &'a str,
        /// Life that the token should still have; 0 for any.
        min_ttl: Millis,
        /// How long to wait for one; 0 for not at all.
        wait: Millis,
    },
    /// A call with this token was answered 401. Answered by `Token`: another one, if there is.
    Reject {
        /// Token name.
        name: &'a str,
        /// The token that was refused.
        fingerprint: Fingerprint,
        /// As in `Get`.
        min_ttl: Millis,
    },
    /// Renew now. Needs `admin`. Answered by `Renewed`.
    Refresh {
        /// Token name.
        name: &'a str,
    },
    /// Start a Classic chain from this refresh token. Needs `admin`. Answered by `Imported`.
    Import {
        /// Profile name.
        name: &'a str,
        /// From the web UI's Download Token.
        refresh_token: SecretStr<'a>,
    },
    /// How names are doing, answered by `Status`.
    Status {
        /// One name, or all that the peer may read.
        name: Option<&'a str>,
        /// The page after this name.
        after: Option<&'a str>,
    },
    /// The tenants of a GreenLake MSP workspace, answered by `Tenants`.
    Tenants {
        /// Profile name.
        profile: &'a str,
        /// The page after this tenant id.
        after: Option<&'a str>,
    },
    /// Read the configuration again. For root and the daemon's user. Answered by `Reloaded`.
    Reload,
    /// What the daemon sees of this peer, answered by `Peer`.
    WhoAmI,
    /// As `WhoAmI`, with the names that this peer may read, answered by `Rights`.
    Rights {
        /// The page after this name.
        after: Option<&'a str>,
    },
}

impl Request<'_> {
    /// Number of variants: a discriminant from this on is from a newer peer.
    pub(crate) const COUNT: u32 = 10;
}
