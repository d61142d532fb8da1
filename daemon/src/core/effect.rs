//! What the core wants done.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{
    ErrorReply, Explanation, Fingerprint, Flags, HealthReport, Imported, NameRights, NameStatus, ProfileName, Renewed,
    Secret, Tenant, Token, TokenName, WorkspaceId,
};

use super::input::{WaiterId, WriteId};
use super::provider::ProviderRequest;
use super::record::{Record, RecordKey, Revision};
use super::report::page::Part;
use super::time::{Boot, Now};

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
    /// Put a token on the board, in place of the one before.
    Publish {
        /// Whose.
        name: TokenName,
        /// The token.
        token: Arc<Issued>,
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
    /// Take a name off the board.
    Withdraw(TokenName),
    /// The workspace names of a profile's tenants, as far as they are not ambiguous. Replaces the list before.
    Directory {
        /// Whose.
        profile: ProfileName,
        /// Workspace name to id.
        tenants: Vec<(Arc<str>, WorkspaceId)>,
    },
    /// Tell when this name was last read from the board. `Input::LastRead` follows.
    AskLastRead(TokenName),
    /// Whatever is handed on to the next start must not hold this token as a good one: at once, not with the next
    /// change.
    Condemn(Fingerprint),
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

/// How the board's readers may use a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadMode {
    /// Serve it.
    Serve,
    /// Serve it, flagged [`Flags::RENEWING`].
    ServeRenewing,
    /// Ask the core: a Classic refresh that kills this token is on the wire.
    Ask,
}

/// A token as the provider gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The token.
    pub access_token: Secret,
    /// As given, made by [`token_type`].
    pub token_type: Cow<'static, str>,
    /// Of the access token.
    pub fingerprint: Fingerprint,
    /// When the request for it was sent.
    pub issued: Boot,
    /// From then on it does not work.
    pub expires: Boot,
    /// When it is to be renewed.
    pub refresh: Boot,
}

/// A token's type, to be kept: the usual word takes no memory, however many tokens there are.
#[must_use]
pub fn token_type(given: &str) -> Cow<'static, str> {
    match given {
        "Bearer" => Cow::Borrowed("Bearer"),
        other => Cow::Owned(other.to_owned()),
    }
}

impl Issued {
    /// Life left.
    #[must_use]
    pub fn left(&self, now: Boot) -> Duration {
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

/// The answer to a [`super::input::Question`].
#[derive(Debug, Clone)]
pub enum Outcome {
    /// To `Get` and `Reject`.
    Token {
        /// Not expired.
        token: Arc<Issued>,
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
    /// To `Status` and `StatusOf`: in the order of their names.
    Status(Part<NameStatus, TokenName>),
    /// To `Rights`: in the order of their names.
    Rights(Part<NameRights, TokenName>),
    /// To `Explain`.
    Explained(Box<Explanation>),
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
