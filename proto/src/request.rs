//! The requests of a peer.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Fingerprint, Secret};

/// A duration in milliseconds.
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

/// A secret in a frame that is being written or read: it borrows the text, so that there is no second copy.
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
    /// Checks that the daemon answers. Answered by `Pong`.
    Ping,
    /// The newest token, answered by `Token`.
    Get {
        /// Token name.
        name: &'a str,
        /// The life that the token should have left; 0 for any.
        min_ttl: Millis,
        /// How long to wait for a token; 0 for not at all.
        wait: Millis,
    },
    /// Reports that an API answered 401 to this token. Answered by `Token`: another one, if there is one.
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
    /// The state of one name or of all, answered by `Status`.
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
    /// Read the configuration again. Only root and the daemon's user may ask. Answered by `Reloaded`.
    Reload,
    /// What the daemon sees of this peer, answered by `Peer`.
    WhoAmI,
    /// As `WhoAmI`, with the names that this peer may read, answered by `Rights`.
    Rights {
        /// The page after this name.
        after: Option<&'a str>,
    },
    /// The changes of a name from now on. The answers under this request's id are `Health`, as soon as the name is
    /// known and again whenever its health changes, and `Token`, with the newest token and with each new one. A token
    /// that is about to die comes once more, flagged [`crate::Flags::RENEWING`]. A slow peer gets the newest of each,
    /// not all of them. The watch ends with `Unwatch`, or with an `Error` from the daemon: the name is gone, or may not
    /// be read any more, or the daemon stops. It counts as open until then, and nothing comes under its id afterwards.
    Watch {
        /// Token name.
        name: &'a str,
    },
    /// Ends a watch of this connection. Answered by `Unwatched`, also if there is no such watch.
    Unwatch {
        /// The request id of the watch.
        watch: u64,
    },
    /// Why a name is in its state, answered by `Explanation`.
    Explain {
        /// Token name.
        name: &'a str,
    },
}

impl Request<'_> {
    /// The number of variants: this discriminant and larger ones come from a newer peer.
    pub(crate) const COUNT: u32 = 13;
}
