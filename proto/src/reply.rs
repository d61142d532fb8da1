//! The daemon's replies.

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
    /// As the provider gave it, usually `Bearer`.
    pub token_type: String,
    /// The fingerprint of the access token.
    pub fingerprint: Fingerprint,
    /// When the daemon sent the request for it.
    pub issued_at: Stamp,
    /// The token does not work from then on.
    pub expires_at: Stamp,
    /// From then on there is probably a newer one: do not cache the token past this.
    pub refresh_at: Stamp,
}

/// Why the daemon refused a request, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// Stable code.
    pub code: ErrorCode,
    /// For people. Never holds a secret or a provider's body.
    pub message: String,
    /// How long to wait before asking again, where waiting helps.
    pub retry_after: Option<Millis>,
}

/// The answer to a protocol version or a request that the daemon does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsupported {
    /// The protocol versions that the daemon speaks.
    pub versions: Vec<u8>,
    /// What the daemon did not understand.
    pub message: String,
}

/// The answer to a forced renewal. It does not hold the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// The fingerprint of the new token.
    pub fingerprint: Fingerprint,
    /// When it expires.
    pub expires_at: Stamp,
    /// When it will be renewed.
    pub refresh_at: Stamp,
}

/// The result of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// False if this same refresh token was imported before: the daemon sent nothing and changed nothing.
    pub changed: bool,
    /// For people.
    pub message: String,
}

/// The state of a name, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// A good token, nothing to report.
    Good,
    /// A good token; the last attempt to renew it failed.
    Failing,
    /// No token yet, or none any more; the daemon keeps trying.
    Unavailable,
    /// The provider refuses the credentials.
    Rejected,
    /// The Classic chain waits until the provider allows the next login.
    AwaitingLogin,
    /// The Classic chain is lost.
    ChainLost,
    /// The Classic chain has not been started.
    ChainEmpty,
}

/// The state of a Classic chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainStatus {
    /// `empty`, `settled`, `in flight`, `awaiting login` or `lost`.
    pub state: String,
    /// When the refresh token was last rotated.
    pub rotated_at: Option<Stamp>,
    /// When the chain dies unless it is rotated again.
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
    /// The state in one word.
    pub health: Health,
    /// The fingerprint of the current token.
    pub fingerprint: Option<Fingerprint>,
    /// The expiry of the current token.
    pub expires_at: Option<Stamp>,
    /// When the next request to the provider is due.
    pub next_at: Option<Stamp>,
    /// The last failure after the last success.
    pub last_error: Option<String>,
    /// What a person has to do, if nothing else helps.
    pub action: Option<String>,
    /// Only for `classic`.
    pub chain: Option<ChainStatus>,
}

/// One page of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusPage {
    /// Version of the daemon.
    pub version: String,
    /// Warnings about the daemon as a whole.
    pub notes: Vec<String>,
    /// Sorted by name.
    pub names: Vec<NameStatus>,
    /// Whether there is another page: ask again with `after` set to the last name.
    pub more: bool,
}

/// A tenant of an MSP workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// 32 hex digits.
    pub id: String,
    /// As the provider writes it.
    pub workspace_name: String,
}

/// One page of tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantsPage {
    /// Sorted by id.
    pub tenants: Vec<Tenant>,
    /// Whether there is another page: ask again with `after` set to the last id.
    pub more: bool,
}

/// The answer to a reload: the new configuration is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Warnings about the new configuration. Lines before them that begin with [`Reloaded::CHANGED`] say what has
    /// changed: see [`Reloaded::changes_and_warnings`]. The earliest daemons send no such lines.
    pub warnings: Vec<String>,
}

impl Reloaded {
    /// The beginning of lines that are not warnings.
    pub const CHANGED: &str = "changed: ";

    /// The text of the only such line if nothing has changed.
    pub const NOTHING: &str = "nothing has changed";

    /// Puts changes and warnings together.
    #[must_use]
    pub fn new(changes: Vec<String>, warnings: Vec<String>) -> Self {
        let changes = if changes.is_empty() { vec![Self::NOTHING.to_owned()] } else { changes };
        let changes = changes.into_iter().map(|change| format!("{}{change}", Self::CHANGED));
        Self { warnings: changes.chain(warnings).collect() }
    }

    /// The changes (or [`Reloaded::NOTHING`]) and the warnings. The changes are empty if the daemon does not report
    /// them.
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
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
    /// Process id.
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
    /// Whether the peer may refresh it, or import a chain for it.
    pub admin: bool,
}

/// A peer as the daemon sees it, and one page of the names that it may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// The peer. Every page has the same.
    pub peer: Peer,
    /// The slices that contain its unit, the outermost first.
    pub slices: Vec<String>,
    /// Why its unit is not known; `None` if it is known.
    pub no_unit: Option<String>,
    /// Sorted by name.
    pub names: Vec<NameRights>,
    /// Whether there is another page: ask again with `after` set to the last name.
    pub more: bool,
}

/// The health of a watched name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// Token name, in its canonical spelling.
    pub name: String,
    /// The health in one word.
    pub health: Health,
    /// The last failure after the last success.
    pub last_error: Option<String>,
    /// What a person has to do, if nothing else helps.
    pub action: Option<String>,
}

/// The logins that a client has left: a provider allows only some in a window of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginQuota {
    /// The attempts that are left in this window.
    pub attempts_left: u32,
    /// When the next login is allowed; `None` if it is now.
    pub next_at: Option<Stamp>,
}

/// Why a name is in its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The state.
    pub status: NameStatus,
    /// When the daemon sent the request for the current token.
    pub issued_at: Option<Stamp>,
    /// When the daemon will renew the current token.
    pub refresh_at: Option<Stamp>,
    /// What the daemon does now or next, when and why. For people.
    pub next: String,
    /// Attempts that failed after the last success.
    pub failures: u32,
    /// `Reject` and `Refresh` cannot force a renewal before then; `None` if they can now.
    pub forced_again_at: Option<Stamp>,
    /// Requests that wait for this name.
    pub waiting: u32,
    /// Requests that watch this name.
    pub watching: u32,
    /// For a Classic chain: the time since its refresh token was rotated.
    pub chain_age: Option<Millis>,
    /// Only for a profile with a login.
    pub logins: Option<LoginQuota>,
}

/// One reply. Append-only: see the crate's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The daemon's version.
    Pong {
        /// The version of the package `tokend`.
        version: String,
    },
    /// An access token; see [`crate::Flags`].
    Token(Token),
    /// The daemon refused the request.
    Error(ErrorReply),
    /// The daemon did not understand the request.
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
    /// To `Watch`, beside `Token`: at first, and whenever the health changes.
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
