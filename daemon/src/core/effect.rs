//! What the core wants done.

use std::sync::Arc;

use tokend_proto::{
    ErrorReply, Fingerprint, Flags, HealthReport, Imported, ProfileName, Renewed, Tenant, TokenName, WorkspaceId,
};

use super::id::{WaiterId, WriteId};
use super::issued::{AccessToken, ReadMode};
use super::provider::ProviderRequest;
use super::record::{Record, RecordKey, Revision};
use super::report::page::Part;

/// To be carried out by the shell, in the order given.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Send this to the provider. `Input::Answered` follows, whatever happens.
    Send(ProviderRequest),
    /// Read this profile's secret sources. `Input::Secrets` follows.
    ReadSecrets(ProfileName),
    /// Make this durable. `Input::Written` follows.
    Write {
        /// To be given back.
        write: WriteId,
        /// Which record.
        key: RecordKey,
        /// What has to be there now.
        replaces: Revision,
        /// The new content; `None` removes it.
        record: Option<Box<Record>>,
    },
    /// Put a token in the token cache, in place of the one before.
    Publish {
        /// Whose.
        name: TokenName,
        /// The token.
        token: Arc<AccessToken>,
        /// How peers may read it.
        mode: ReadMode,
    },
    /// Tell those who watch this name how it is doing.
    Health {
        /// Which name.
        name: TokenName,
        /// How it is.
        report: HealthReport,
    },
    /// Take a name out of the token cache.
    Withdraw(TokenName),
    /// The workspace names of a profile's tenants, as far as they are not ambiguous. Replaces the list before.
    Directory {
        /// Whose.
        profile: ProfileName,
        /// Workspace name to id.
        tenants: Vec<(Arc<str>, WorkspaceId)>,
    },
    /// Tell when this name was last read from the token cache. `Input::LastRead` follows.
    AskLastRead(TokenName),
    /// Whatever is handed on to the next start must not hold this token as a good one: at once, not with the next
    /// change.
    Invalidate(Fingerprint),
    /// Answer a peer.
    Answer {
        /// Which question.
        waiter: WaiterId,
        /// The answer.
        outcome: Outcome,
    },
    /// Tell the operator.
    Notice(Notice),
}

/// The answer to a [`super::input::Question`].
#[derive(Debug, Clone)]
pub enum Outcome {
    /// To `Get` and `Reject`.
    Token {
        /// Not expired.
        token: Arc<AccessToken>,
        /// What has to be said with it.
        flags: Flags,
    },
    /// To `Refresh`.
    Renewed(Renewed),
    /// To `Import`.
    Imported(Imported),
    /// To `Resolve`.
    Resolved(TokenName),
    /// To `Tenants`: in the order of their ids.
    Tenants(Part<Tenant, WorkspaceId>),
    /// To any.
    Error(ErrorReply),
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// For the curious.
    Debug,
    /// Part of normal work.
    Info,
    /// Something is wrong and tokend deals with it.
    Warning,
    /// An operator is needed.
    Error,
}

/// Something for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub severity: Severity,
    /// A token name, a profile, or a host.
    pub subject: String,
    /// In our own words; never a secret.
    pub message: String,
}
