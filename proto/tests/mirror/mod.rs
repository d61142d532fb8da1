//! Our messages once more, as types that wincode reads.

use tokend_proto::{self as proto, Fingerprint, Millis, Secret, SecretStr};
use wincode::SchemaRead;

#[derive(SchemaRead)]
pub(crate) enum Request<'a> {
    Ping,
    Get { name: &'a str, min_ttl: u64, wait: u64 },
    Reject { name: &'a str, fingerprint: [u8; 16], min_ttl: u64 },
    Refresh { name: &'a str },
    Import { name: &'a str, refresh_token: &'a str },
    Status { name: Option<&'a str>, after: Option<&'a str> },
    Tenants { profile: &'a str, after: Option<&'a str> },
    Reload,
    WhoAmI,
    Rights { after: Option<&'a str> },
    Watch { name: &'a str },
    Unwatch { watch: u64 },
    Explain { name: &'a str },
}

impl<'a> Request<'a> {
    /// The secret that [`Request::to_proto`] borrows.
    pub(crate) fn secret(&self) -> Secret {
        match self {
            Self::Import { refresh_token, .. } => Secret::from(*refresh_token),
            _ => Secret::from(""),
        }
    }

    pub(crate) fn to_proto(&self, secret: &'a Secret) -> proto::Request<'a> {
        match *self {
            Self::Ping => proto::Request::Ping,
            Self::Get { name, min_ttl, wait } => {
                proto::Request::Get { name, min_ttl: Millis(min_ttl), wait: Millis(wait) }
            }
            Self::Reject { name, fingerprint, min_ttl } => {
                let fingerprint = Fingerprint::from_bytes(fingerprint);
                proto::Request::Reject { name, fingerprint, min_ttl: Millis(min_ttl) }
            }
            Self::Refresh { name } => proto::Request::Refresh { name },
            Self::Import { name, .. } => proto::Request::Import { name, refresh_token: SecretStr::new(secret) },
            Self::Status { name, after } => proto::Request::Status { name, after },
            Self::Tenants { profile, after } => proto::Request::Tenants { profile, after },
            Self::Reload => proto::Request::Reload,
            Self::WhoAmI => proto::Request::WhoAmI,
            Self::Rights { after } => proto::Request::Rights { after },
            Self::Watch { name } => proto::Request::Watch { name },
            Self::Unwatch { watch } => proto::Request::Unwatch { watch },
            Self::Explain { name } => proto::Request::Explain { name },
        }
    }
}

#[allow(clippy::large_enum_variant, reason = "as on the wire, and used once")]
#[derive(SchemaRead)]
pub(crate) enum Reply {
    Pong { version: String },
    Token(Token),
    Error { code: u16, message: String, retry_after: Option<u64> },
    Unsupported { versions: Vec<u8>, message: String },
    Renewed { fingerprint: [u8; 16], expires_at: Stamp, refresh_at: Stamp },
    Imported { changed: bool, message: String },
    Status { version: String, notes: Vec<String>, names: Vec<NameStatus>, more: bool },
    Tenants { tenants: Vec<Tenant>, more: bool },
    Reloaded { warnings: Vec<String> },
    Peer(Peer),
    Rights { peer: Peer, slices: Vec<String>, no_unit: Option<String>, names: Vec<NameRights>, more: bool },
    Health { name: String, health: Health, last_error: Option<String>, action: Option<String> },
    Unwatched,
    Explanation(Box<Explanation>),
}

#[derive(SchemaRead)]
pub(crate) struct LoginQuota {
    attempts_left: u32,
    next_at: Option<Stamp>,
}

#[derive(SchemaRead)]
pub(crate) struct Explanation {
    status: NameStatus,
    issued_at: Option<Stamp>,
    refresh_at: Option<Stamp>,
    next: String,
    failures: u32,
    forced_again_at: Option<Stamp>,
    waiting: u32,
    watching: u32,
    chain_age: Option<u64>,
    logins: Option<LoginQuota>,
}

#[derive(SchemaRead)]
pub(crate) struct Stamp {
    boot_ms: u64,
    unix_ms: i64,
}

#[derive(SchemaRead)]
pub(crate) struct Token {
    access_token: String,
    token_type: String,
    fingerprint: [u8; 16],
    issued_at: Stamp,
    expires_at: Stamp,
    refresh_at: Stamp,
}

#[derive(SchemaRead)]
pub(crate) enum Health {
    Good,
    Failing,
    Unavailable,
    Rejected,
    AwaitingLogin,
    ChainLost,
    ChainEmpty,
}

#[derive(SchemaRead)]
pub(crate) struct ChainStatus {
    state: String,
    rotated_at: Option<Stamp>,
    ends_at: Option<Stamp>,
    why: Option<String>,
}

#[derive(SchemaRead)]
pub(crate) struct NameStatus {
    name: String,
    label: Option<String>,
    kind: String,
    health: Health,
    fingerprint: Option<[u8; 16]>,
    expires_at: Option<Stamp>,
    next_at: Option<Stamp>,
    last_error: Option<String>,
    action: Option<String>,
    chain: Option<ChainStatus>,
}

#[derive(SchemaRead)]
pub(crate) struct Tenant {
    id: String,
    workspace_name: String,
}

#[derive(SchemaRead)]
pub(crate) struct NameRights {
    name: String,
    label: Option<String>,
    admin: bool,
}

#[derive(SchemaRead)]
pub(crate) struct Peer {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    pid: i32,
    unit: Option<String>,
    superuser: bool,
    may_read: Vec<String>,
    may_admin: Vec<String>,
}

impl Reply {
    pub(crate) fn into_proto(self) -> proto::Reply {
        match self {
            Self::Pong { version } => proto::Reply::Pong { version },
            Self::Token(token) => proto::Reply::Token(token.into()),
            Self::Error { code, message, retry_after } => proto::Reply::Error(proto::ErrorReply {
                code: code.into(),
                message,
                retry_after: retry_after.map(Millis),
            }),
            Self::Unsupported { versions, message } => {
                proto::Reply::Unsupported(proto::Unsupported { versions, message })
            }
            Self::Renewed { fingerprint, expires_at, refresh_at } => proto::Reply::Renewed(proto::Renewed {
                fingerprint: Fingerprint::from_bytes(fingerprint),
                expires_at: expires_at.into(),
                refresh_at: refresh_at.into(),
            }),
            Self::Imported { changed, message } => proto::Reply::Imported(proto::Imported { changed, message }),
            Self::Status { version, notes, names, more } => {
                let names = names.into_iter().map(Into::into).collect();
                proto::Reply::Status(proto::StatusPage { version, notes, names, more })
            }
            Self::Tenants { tenants, more } => {
                let tenants = tenants.into_iter().map(Into::into).collect();
                proto::Reply::Tenants(proto::TenantsPage { tenants, more })
            }
            Self::Reloaded { warnings } => proto::Reply::Reloaded(proto::Reloaded { warnings }),
            Self::Peer(peer) => proto::Reply::Peer(peer.into()),
            Self::Rights { peer, slices, no_unit, names, more } => {
                let names = names.into_iter().map(Into::into).collect();
                proto::Reply::Rights(proto::Rights { peer: peer.into(), slices, no_unit, names, more })
            }
            Self::Health { name, health, last_error, action } => {
                proto::Reply::Health(proto::HealthReport { name, health: health.into(), last_error, action })
            }
            Self::Unwatched => proto::Reply::Unwatched,
            Self::Explanation(it) => proto::Reply::Explanation(Box::new((*it).into())),
        }
    }
}

impl From<Explanation> for proto::Explanation {
    fn from(it: Explanation) -> Self {
        let quota =
            |it: LoginQuota| proto::LoginQuota { attempts_left: it.attempts_left, next_at: it.next_at.map(Into::into) };
        Self {
            status: it.status.into(),
            issued_at: it.issued_at.map(Into::into),
            refresh_at: it.refresh_at.map(Into::into),
            next: it.next,
            failures: it.failures,
            forced_again_at: it.forced_again_at.map(Into::into),
            waiting: it.waiting,
            watching: it.watching,
            chain_age: it.chain_age.map(Millis),
            logins: it.logins.map(quota),
        }
    }
}

impl From<Stamp> for proto::Stamp {
    fn from(it: Stamp) -> Self {
        Self { boot_ms: it.boot_ms, unix_ms: it.unix_ms }
    }
}

impl From<Token> for proto::Token {
    fn from(it: Token) -> Self {
        Self {
            access_token: Secret::new(it.access_token),
            token_type: it.token_type,
            fingerprint: Fingerprint::from_bytes(it.fingerprint),
            issued_at: it.issued_at.into(),
            expires_at: it.expires_at.into(),
            refresh_at: it.refresh_at.into(),
        }
    }
}

impl From<Health> for proto::Health {
    fn from(it: Health) -> Self {
        match it {
            Health::Good => Self::Good,
            Health::Failing => Self::Failing,
            Health::Unavailable => Self::Unavailable,
            Health::Rejected => Self::Rejected,
            Health::AwaitingLogin => Self::AwaitingLogin,
            Health::ChainLost => Self::ChainLost,
            Health::ChainEmpty => Self::ChainEmpty,
        }
    }
}

impl From<ChainStatus> for proto::ChainStatus {
    fn from(it: ChainStatus) -> Self {
        Self {
            state: it.state,
            rotated_at: it.rotated_at.map(Into::into),
            ends_at: it.ends_at.map(Into::into),
            why: it.why,
        }
    }
}

impl From<NameStatus> for proto::NameStatus {
    fn from(it: NameStatus) -> Self {
        Self {
            name: it.name,
            label: it.label,
            kind: it.kind,
            health: it.health.into(),
            fingerprint: it.fingerprint.map(Fingerprint::from_bytes),
            expires_at: it.expires_at.map(Into::into),
            next_at: it.next_at.map(Into::into),
            last_error: it.last_error,
            action: it.action,
            chain: it.chain.map(Into::into),
        }
    }
}

impl From<Tenant> for proto::Tenant {
    fn from(it: Tenant) -> Self {
        Self { id: it.id, workspace_name: it.workspace_name }
    }
}

impl From<Peer> for proto::Peer {
    fn from(it: Peer) -> Self {
        Self {
            uid: it.uid,
            gid: it.gid,
            groups: it.groups,
            pid: it.pid,
            unit: it.unit,
            superuser: it.superuser,
            may_read: it.may_read,
            may_admin: it.may_admin,
        }
    }
}

impl From<NameRights> for proto::NameRights {
    fn from(it: NameRights) -> Self {
        Self { name: it.name, label: it.label, admin: it.admin }
    }
}
