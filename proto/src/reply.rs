//! What the daemon answers.

use serde::{Deserialize, Serialize};

use crate::secret::wire;
use crate::{ErrorCode, Fingerprint, Millis, Secret};

/// One moment on two clocks, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stamp {
    /// CLOCK_BOOTTIME: for machines. Not changed by steps of the wall clock; meaningless after a reboot.
    pub boot_ms: u64,
    /// Since 1970-01-01T00:00:00Z: for people.
    pub unix_ms: i64,
}

/// An access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The token itself.
    #[serde(with = "wire")]
    pub access_token: Secret,
    /// As the provider said it, usually `Bearer`.
    pub token_type: String,
    /// Of the access token.
    pub fingerprint: Fingerprint,
    /// When the request for it was sent.
    pub issued_at: Stamp,
    /// From then on it does not work.
    pub expires_at: Stamp,
    /// From then on a newer one is likely: do not cache past it.
    pub refresh_at: Stamp,
}

/// Why a request was not granted, in the daemon's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// Stable code.
    pub code: ErrorCode,
    /// For people. Never holds a secret or a provider's body.
    pub message: String,
    /// When it makes sense to ask again, where waiting helps.
    pub retry_after: Option<Millis>,
}

/// The answer to a version or a request that the daemon does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsupported {
    /// Protocol versions spoken.
    pub versions: Vec<u8>,
    /// What was not understood.
    pub message: String,
}

/// A renewal that was asked for has happened. The token itself is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// Of the new token.
    pub fingerprint: Fingerprint,
    /// When it expires.
    pub expires_at: Stamp,
    /// When it will be renewed.
    pub refresh_at: Stamp,
}

/// What became of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// False when this very refresh token was imported before: nothing was sent, nothing changed.
    pub changed: bool,
    /// For people.
    pub message: String,
}

/// How a name is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// A good token, nothing to report.
    Good,
    /// A good token; the last attempt to renew it failed.
    Failing,
    /// No token yet, or none any more; the daemon goes on trying.
    Unavailable,
    /// The provider refuses the credentials.
    Rejected,
    /// The Classic chain waits for its next allowed login.
    AwaitingLogin,
    /// The Classic chain is lost.
    ChainLost,
    /// The Classic chain was never started.
    ChainEmpty,
}

/// Of a Classic chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainStatus {
    /// `empty`, `settled`, `in flight`, `awaiting login` or `lost`.
    pub state: String,
    /// When the refresh token was last rotated.
    pub rotated_at: Option<Stamp>,
    /// When it dies if it is not rotated again.
    pub ends_at: Option<Stamp>,
    /// Why it is lost.
    pub why: Option<String>,
}

/// One name's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameStatus {
    /// Token name.
    pub name: String,
    /// Workspace name of a tenant, where known.
    pub label: Option<String>,
    /// `central`, `glp`, `glp-tenant` or `classic`.
    pub kind: String,
    /// In one word.
    pub health: Health,
    /// Of the current token.
    pub fingerprint: Option<Fingerprint>,
    /// Of the current token.
    pub expires_at: Option<Stamp>,
    /// When the next request to the provider is due.
    pub next_at: Option<Stamp>,
    /// The last failure since the last success.
    pub last_error: Option<String>,
    /// What a person has to do, where nothing else helps.
    pub action: Option<String>,
    /// Only of `classic`.
    pub chain: Option<ChainStatus>,
}

/// One page of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusPage {
    /// Version of the daemon.
    pub version: String,
    /// Warnings about the daemon as a whole.
    pub notes: Vec<String>,
    /// In the order of their names.
    pub names: Vec<NameStatus>,
    /// Whether to ask again with `after` set to the last name.
    pub more: bool,
}

/// A tenant of an MSP workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// 32 hex digits.
    pub id: String,
    /// As the provider has it.
    pub workspace_name: String,
}

/// One page of tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantsPage {
    /// In the order of their ids.
    pub tenants: Vec<Tenant>,
    /// Whether to ask again with `after` set to the last id.
    pub more: bool,
}

/// The new configuration is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// What is odd about it. Before that, lines that begin with [`Reloaded::CHANGED`] say what is different from before:
    /// see [`Reloaded::changes_and_warnings`]. A daemon of the first days sends none of them.
    pub warnings: Vec<String>,
}

impl Reloaded {
    /// How the lines begin that are no warnings.
    pub const CHANGED: &str = "changed: ";

    /// What the only such line says where nothing is different.
    pub const NOTHING: &str = "nothing has changed";

    /// With what is different, and what is odd.
    #[must_use]
    pub fn new(changes: Vec<String>, warnings: Vec<String>) -> Self {
        let changes = if changes.is_empty() { vec![Self::NOTHING.to_owned()] } else { changes };
        let changes = changes.into_iter().map(|change| format!("{}{change}", Self::CHANGED));
        Self { warnings: changes.chain(warnings).collect() }
    }

    /// What is different, or [`Reloaded::NOTHING`], and what is odd. Nothing is different where the daemon does not say
    /// what is.
    #[must_use]
    pub fn changes_and_warnings(&self) -> (Vec<&str>, Vec<&str>) {
        let (mut changes, mut warnings) = (Vec::new(), Vec::new());
        for line in &self.warnings {
            match line.strip_prefix(Self::CHANGED) {
                Some(change) if warnings.is_empty() => changes.push(change),
                _ => warnings.push(line.as_str()),
            }
        }
        (changes, warnings)
    }
}

/// A peer as the daemon sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Process.
    pub pid: i32,
    /// The systemd unit, where known.
    pub unit: Option<String>,
    /// Whether it may do everything.
    pub superuser: bool,
    /// Patterns of the names it may read.
    pub may_read: Vec<String>,
    /// Patterns of the names it may refresh and import.
    pub may_admin: Vec<String>,
}

/// One name and what a peer may do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRights {
    /// Token name.
    pub name: String,
    /// Workspace name of a tenant, where known.
    pub label: Option<String>,
    /// Whether it may refresh it, or import a chain for it.
    pub admin: bool,
}

/// A peer as the daemon sees it, and one page of the names that it may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// Who it is. The same on every page.
    pub peer: Peer,
    /// The slices around its unit, the outermost first.
    pub slices: Vec<String>,
    /// Why its unit is not known, where it is not.
    pub no_unit: Option<String>,
    /// In the order of their names.
    pub names: Vec<NameRights>,
    /// Whether to ask again with `after` set to the last name.
    pub more: bool,
}

/// How a watched name is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// Token name, in its canonical spelling.
    pub name: String,
    /// In one word.
    pub health: Health,
    /// The last failure since the last success.
    pub last_error: Option<String>,
    /// What a person has to do, where nothing else helps.
    pub action: Option<String>,
}

/// What is left of a client's logins, of which a provider allows only so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginQuota {
    /// Attempts that are left of those that a window has.
    pub attempts_left: u32,
    /// When the next login is allowed; `None` if it is now.
    pub next_at: Option<Stamp>,
}

/// Why a name is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// How it is.
    pub status: NameStatus,
    /// When the request for the current token was sent.
    pub issued_at: Option<Stamp>,
    /// When the current token is to be renewed.
    pub refresh_at: Option<Stamp>,
    /// What the daemon does next, or is doing, and why then. For people.
    pub next: String,
    /// Attempts that failed since the last success.
    pub failures: u32,
    /// Before then no renewal can be forced by `Reject` or `Refresh`; `None` if one can now.
    pub forced_again_at: Option<Stamp>,
    /// Requests that wait for this name.
    pub waiting: u32,
    /// Requests that watch this name.
    pub watching: u32,
    /// Of a Classic chain: how long ago its refresh token was rotated.
    pub chain_age: Option<Millis>,
    /// Only of a profile with a login.
    pub logins: Option<LoginQuota>,
}

/// One reply. Append-only: see the crate's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The daemon's version.
    Pong {
        /// Of the `tokend` package.
        version: String,
    },
    /// An access token; see [`crate::Flags`].
    Token(Token),
    /// Not granted.
    Error(ErrorReply),
    /// Not understood.
    Unsupported(Unsupported),
    /// To `Refresh`.
    Renewed(Renewed),
    /// To `Import`.
    Imported(Imported),
    /// To `Status`.
    Status(StatusPage),
    /// To `Tenants`.
    Tenants(TenantsPage),
    /// To `Reload`.
    Reloaded(Reloaded),
    /// To `WhoAmI`.
    Peer(Peer),
    /// To `Rights`.
    Rights(Rights),
    /// To `Watch`, beside `Token`: at first, and whenever the health is another one.
    Health(HealthReport),
    /// To `Unwatch`: nothing more comes under the watch's id.
    Unwatched,
    /// To `Explain`.
    Explanation(Box<Explanation>),
}

impl From<ErrorReply> for Reply {
    fn from(error: ErrorReply) -> Self {
        Self::Error(error)
    }
}
