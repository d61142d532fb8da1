//! What of short-lived tokens is handed on to the next start of the daemon, as plain values.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{ProfileName, WorkspaceId};

use super::issued::AccessToken;
use super::settings::{Kind, Profile};
use super::time::{BootId, BootTime};

/// Everything that is handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The boot that all its moments belong to.
    pub boot_id: BootId,
    /// When it was put together.
    pub at: BootTime,
    /// In the order of their names.
    pub profiles: Vec<HeldProfile>,
}

/// Of one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldProfile {
    /// Whose tokens these are. They are never used for another binding.
    pub binding: Binding,
    /// When an exchange may have the workspace's token renewed again.
    pub next_distrust: BootTime,
    /// The tenants, if they were listed.
    pub listing: Option<HeldListing>,
    /// Names with a token that has not expired.
    pub names: Vec<HeldName>,
}

/// What makes a token a profile's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The profile.
    pub profile: ProfileName,
    /// Its kind.
    pub kind: HeldKind,
    /// URL of its provider.
    pub endpoint: String,
    /// OAuth client id.
    pub client_id: String,
}

/// The kinds whose tokens live shortly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldKind {
    /// `client_credentials` alone.
    ClientCredentials {
        /// The kind's word in the configuration.
        word: String,
        /// What the token was asked to be good for.
        scope: Option<String>,
        /// Whom it was asked for.
        audience: Option<String>,
    },
    /// GreenLake, with the workspace of the credentials.
    Glp(WorkspaceId),
}

/// A list of tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldListing {
    /// When it was received.
    pub fetched: BootTime,
    /// Ids and workspace names.
    pub tenants: Vec<(WorkspaceId, Arc<str>)>,
}

/// A name with its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldName {
    /// `None` is the profile's own.
    pub tenant: Option<WorkspaceId>,
    /// Its token.
    pub token: Arc<AccessToken>,
    /// The token came from a forced renewal: one more doubles the throttle.
    pub was_forced: bool,
    /// Another token is wanted, however good this one looks.
    pub rejected: bool,
    /// An exchange was refused for this token.
    pub distrusted: bool,
    /// Until when no renewal can be forced.
    pub throttled_until: BootTime,
    /// The throttle's last interval.
    pub throttle: Duration,
}

impl Binding {
    /// `None` for a profile whose tokens are not handed on.
    #[must_use]
    pub fn of(profile: &Profile) -> Option<Self> {
        let kind = match &profile.kind {
            Kind::ClientCredentials(asked) => HeldKind::ClientCredentials {
                word: asked.word.to_owned(),
                scope: asked.scope.clone(),
                audience: asked.audience.clone(),
            },
            Kind::Glp { workspace, .. } => HeldKind::Glp(*workspace),
            Kind::Classic { .. } => return None,
        };
        let (profile, endpoint, client_id) = (&profile.name, &profile.endpoint().url, &profile.client_id);
        Some(Self { profile: profile.clone(), kind, endpoint: endpoint.clone(), client_id: client_id.clone() })
    }
}
