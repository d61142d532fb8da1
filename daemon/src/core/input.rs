//! What the shell tells the core.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{Fingerprint, ProfileName, Secret, TokenName, WorkspaceId};

use super::handoff::Held;
use super::id::{Asker, WaiterId, WriteId};
use super::provider::{Answer, RequestId, SecretVersions};
use super::report::page::Page;
use super::settings::Settings;
use super::time::BootTime;

/// Something happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// This was handed on by the daemon before this one. To be told before the first configuration, if at all.
    Restore(Held),
    /// A new configuration is in force.
    Configure(Arc<Settings>),
    /// With it, something of these profiles has changed that the settings do not show: what failed may work now.
    Revised(Vec<ProfileName>),
    /// A peer asks something. The access rules have let it.
    Ask {
        /// Chosen by the shell, never used twice.
        waiter: WaiterId,
        /// For fairness between users.
        asker: Asker,
        /// What it asks.
        question: Question,
    },
    /// The peer is gone: its question needs no answer.
    Leave(WaiterId),
    /// A provider answered, or failed to.
    Answered {
        /// Which request.
        request: RequestId,
        /// Its answer.
        answer: Answer,
    },
    /// A profile's secret sources were read again.
    Secrets {
        /// Whose.
        profile: ProfileName,
        /// What was found.
        versions: SecretVersions,
    },
    /// A write is durable, or failed and changed nothing.
    Written {
        /// Which write.
        write: WriteId,
        /// `Err` says why, for people.
        result: Result<(), String>,
    },
    /// When a name was last read from the token cache.
    LastRead {
        /// Which name.
        name: TokenName,
        /// `None` if it never was.
        at: Option<BootTime>,
    },
    /// Time passed, or the wall clock was stepped. Harmless when nothing is due.
    Tick,
    /// The daemon is to stop: begin nothing new.
    Shutdown,
}

/// What a peer may ask of the core that may have to wait. What is answered at once is a [`super::query::Query`].
#[derive(Debug, Clone)]
pub enum Question {
    /// The newest token.
    Get {
        /// Which.
        name: TokenName,
        /// Life that it should still have.
        min_ttl: Duration,
        /// How long the peer waits.
        wait: Duration,
    },
    /// A call with this token was answered 401.
    Reject {
        /// Which name.
        name: TokenName,
        /// Which token.
        fingerprint: Fingerprint,
        /// As in `Get`.
        min_ttl: Duration,
    },
    /// How a name is doing from now on: kept fresh, and its health told (`Effect::Health`), until the peer leaves. The
    /// one outcome says why it ended before.
    Watch {
        /// Which name.
        name: TokenName,
    },
    /// Renew now.
    Refresh {
        /// Which name.
        name: TokenName,
    },
    /// Try this refresh token for a Classic chain.
    Import {
        /// Whose chain.
        profile: ProfileName,
        /// From the web UI.
        refresh_token: Secret,
    },
    /// Which tenant has this workspace name?
    Resolve {
        /// Of which MSP workspace.
        profile: ProfileName,
        /// As the provider has it.
        workspace_name: Arc<str>,
    },
    /// Tenants.
    Tenants {
        /// Of which MSP workspace.
        profile: ProfileName,
        /// Which of them.
        page: Box<Page<WorkspaceId>>,
    },
}
