//! One message, or several, of every kind, each under the name of its golden vector.

#![allow(dead_code, reason = "each test binary uses some of it")]

use tokend_proto::{
    ChainStatus, ErrorCode, ErrorReply, Explanation, Fingerprint, Flags, Health, HealthReport, Imported, LoginQuota,
    Millis, NameRights, NameStatus, Peer, Reloaded, Renewed, Reply, Request, Rights, Secret, SecretStr, Stamp,
    StatusPage, Tenant, TenantsPage, Token, Unsupported, codec,
};

mod name_status;

use self::name_status::name_status;

/// Ids of different widths: the header is not bincode, and must not become it.
const REQUEST_ID: u64 = 0x0102_0304_0506_0708;
const REPLY_ID: u64 = 7;

const FINGERPRINT: [u8; 16] = *b"0123456789abcdef";

/// A name and a whole frame.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) frame: Vec<u8>,
    pub(crate) message: Message,
}

/// What the frame holds, as tokend-proto has it.
pub(crate) enum Message {
    Request(Request<'static>),
    Reply(Flags, Reply),
}

/// A match that is exhaustive, and the list of what it gives: a variant without an arm does not compile, an arm
/// without a vector fails a test.
macro_rules! kinds {
    ($function:ident, $list:ident, $type:ty, $($pattern:pat => $kind:literal,)+) => {
        /// The kind, with which the names of its vectors begin.
        pub(crate) fn $function(message: &$type) -> &'static str {
            match message { $($pattern => $kind,)+ }
        }
        /// All kinds in the order of their numbers on the wire.
        pub(crate) const $list: &[&str] = &[$($kind),+];
    };
}

kinds! { request_kind, REQUEST_KINDS, Request<'_>,
    Request::Ping => "request-ping",
    Request::Get { .. } => "request-get",
    Request::Reject { .. } => "request-reject",
    Request::Refresh { .. } => "request-refresh",
    Request::Import { .. } => "request-import",
    Request::Status { .. } => "request-status",
    Request::Tenants { .. } => "request-tenants",
    Request::Reload => "request-reload",
    Request::WhoAmI => "request-whoami",
    Request::Rights { .. } => "request-rights",
    Request::Watch { .. } => "request-watch",
    Request::Unwatch { .. } => "request-unwatch",
    Request::Explain { .. } => "request-explain",
}

kinds! { reply_kind, REPLY_KINDS, Reply,
    Reply::Pong { .. } => "reply-pong",
    Reply::Token(_) => "reply-token",
    Reply::Error(_) => "reply-error",
    Reply::Unsupported(_) => "reply-unsupported",
    Reply::Renewed(_) => "reply-renewed",
    Reply::Imported(_) => "reply-imported",
    Reply::Status(_) => "reply-status",
    Reply::Tenants(_) => "reply-tenants",
    Reply::Reloaded(_) => "reply-reloaded",
    Reply::Peer(_) => "reply-peer",
    Reply::Rights(_) => "reply-rights",
    Reply::Health(_) => "reply-health",
    Reply::Unwatched => "reply-unwatched",
    Reply::Explanation(_) => "reply-explanation",
}

kinds! { health_kind, HEALTHS, Health,
    Health::Good => "good",
    Health::Failing => "failing",
    Health::Unavailable => "unavailable",
    Health::Rejected => "rejected",
    Health::AwaitingLogin => "awaiting-login",
    Health::ChainLost => "chain-lost",
    Health::ChainEmpty => "chain-empty",
}

/// All samples.
pub(crate) fn all() -> Vec<Sample> {
    let requests = requests().into_iter().map(|(name, request)| Sample {
        name,
        frame: codec::encode_request(REQUEST_ID, &request).unwrap(),
        message: Message::Request(request),
    });
    let replies = replies().into_iter().map(|(name, flags, reply)| Sample {
        name,
        frame: codec::encode_reply(REPLY_ID, flags, &reply).unwrap(),
        message: Message::Reply(flags, reply),
    });
    requests.chain(replies).collect()
}

fn requests() -> Vec<(&'static str, Request<'static>)> {
    let fingerprint = Fingerprint::from_bytes(FINGERPRINT);
    // The samples live as long as the test.
    let refresh_token: &'static Secret = Box::leak(Box::new(Secret::from("RT-0123456789")));
    vec![
        ("request-ping", Request::Ping),
        ("request-get", Request::Get { name: "campus", min_ttl: Millis(0), wait: Millis(10_000) }),
        ("request-get-widths", Request::Get { name: "msp/Übung", min_ttl: Millis(65_536), wait: Millis(u64::MAX) }),
        ("request-reject", Request::Reject { name: "campus", fingerprint, min_ttl: Millis(250) }),
        ("request-refresh", Request::Refresh { name: "legacy" }),
        ("request-import", Request::Import { name: "legacy", refresh_token: SecretStr::new(refresh_token) }),
        ("request-status-all", Request::Status { name: None, after: None }),
        ("request-status-one", Request::Status { name: Some("campus"), after: None }),
        ("request-status-after", Request::Status { name: None, after: Some("campus") }),
        ("request-tenants", Request::Tenants { profile: "msp", after: None }),
        ("request-tenants-after", Request::Tenants { profile: "msp", after: Some("497f6eca62764993bfeb53cbbbba6f08") }),
        ("request-reload", Request::Reload),
        ("request-whoami", Request::WhoAmI),
        ("request-rights", Request::Rights { after: None }),
        ("request-rights-after", Request::Rights { after: Some("campus") }),
        ("request-watch", Request::Watch { name: "msp/Übung" }),
        ("request-unwatch", Request::Unwatch { watch: REQUEST_ID }),
        ("request-explain", Request::Explain { name: "legacy" }),
    ]
}

fn replies() -> Vec<(&'static str, Flags, Reply)> {
    let error =
        |code, message: &str, retry_after| Reply::Error(ErrorReply { code, message: message.into(), retry_after });
    let imported = |changed| Reply::Imported(Imported { changed, message: "the chain starts anew".into() });
    let tenant = |id: &str, name: &str| Tenant { id: id.into(), workspace_name: name.into() };
    vec![
        ("reply-pong", Flags::NONE, Reply::Pong { version: "0.1.0".into() }),
        ("reply-token", Flags::NONE, Reply::Token(token("eyJhbGciOiJSUzI1NiJ9.e30.c2ln"))),
        ("reply-token-flags", Flags::FALLS_SHORT.union(Flags::RENEWING), Reply::Token(token(&"x".repeat(300)))),
        ("reply-error", Flags::NONE, error(ErrorCode::Denied, "no access", None)),
        ("reply-error-retry", Flags::NONE, error(ErrorCode::Throttled, "too fast", Some(Millis(30_000)))),
        ("reply-error-unknown-code", Flags::NONE, error(ErrorCode::Other(60_000), "from a newer daemon", None)),
        (
            "reply-unsupported",
            Flags::NONE,
            Reply::Unsupported(Unsupported { versions: vec![1, 255], message: "version 9".into() }),
        ),
        ("reply-renewed", Flags::NONE, Reply::Renewed(renewed())),
        ("reply-imported", Flags::NONE, imported(true)),
        ("reply-imported-again", Flags::NONE, imported(false)),
        ("reply-status", Flags::NONE, Reply::Status(status())),
        (
            "reply-status-empty",
            Flags::NONE,
            Reply::Status(StatusPage { names: vec![], notes: vec![], more: false, ..status() }),
        ),
        (
            "reply-tenants",
            Flags::NONE,
            Reply::Tenants(TenantsPage { tenants: vec![tenant("00", "Acme"), tenant("01", "日本")], more: true }),
        ),
        ("reply-reloaded", Flags::NONE, Reply::Reloaded(Reloaded { warnings: vec!["no user netops".into()] })),
        ("reply-peer", Flags::NONE, Reply::Peer(peer(Some("aruba-exporter.service"), 1_234))),
        ("reply-peer-without-unit", Flags::NONE, Reply::Peer(peer(None, -1))),
        ("reply-rights", Flags::NONE, Reply::Rights(rights())),
        (
            "reply-rights-without-unit",
            Flags::NONE,
            Reply::Rights(Rights {
                peer: peer(None, 7),
                slices: vec![],
                no_unit: Some("the process runs in no systemd unit".into()),
                names: vec![],
                more: false,
            }),
        ),
        ("reply-health", Flags::NONE, Reply::Health(health(Health::Good, None))),
        ("reply-health-lost", Flags::NONE, Reply::Health(health(Health::ChainLost, Some("Invalid refresh_token")))),
        ("reply-unwatched", Flags::NONE, Reply::Unwatched),
        ("reply-explanation", Flags::NONE, Reply::Explanation(Box::new(explanation(true)))),
        ("reply-explanation-bare", Flags::NONE, Reply::Explanation(Box::new(explanation(false)))),
    ]
}

fn stamp(boot_ms: u64, unix_ms: i64) -> Stamp {
    Stamp { boot_ms, unix_ms }
}

fn token(text: &str) -> Token {
    Token {
        access_token: Secret::from(text),
        token_type: "Bearer".into(),
        fingerprint: Fingerprint::of(&Secret::from(text)),
        issued_at: stamp(1, 1_700_000_000_000),
        expires_at: stamp(7_199_001, 1_700_007_199_000),
        refresh_at: stamp(u64::from(u32::MAX) + 1, -1),
    }
}

fn health(health: Health, why: Option<&str>) -> HealthReport {
    let action = why.map(|_| "create a token in the web UI, then tokenctl import".to_owned());
    HealthReport { name: "legacy".into(), health, last_error: why.map(Into::into), action }
}

/// With every option there is, or with none.
fn explanation(full: bool) -> Explanation {
    let at = |boot_ms| full.then_some(stamp(boot_ms, 1_700_000_000_000));
    let index = if full { 5 } else { 0 };
    Explanation {
        status: status().names.remove(index),
        issued_at: at(1),
        refresh_at: at(300),
        next: "it is renewed 10 min before it expires".into(),
        failures: if full { 70_000 } else { 0 },
        forced_again_at: at(70_000),
        waiting: 3,
        watching: 251,
        chain_age: full.then_some(Millis(86_400_000)),
        logins: full.then_some(LoginQuota { attempts_left: 2, next_at: at(u64::MAX) }),
    }
}

fn renewed() -> Renewed {
    Renewed {
        fingerprint: Fingerprint::from_bytes(FINGERPRINT),
        expires_at: stamp(251, 252),
        refresh_at: stamp(250, i64::MIN),
    }
}

/// Every health, and every option both ways.
fn status() -> StatusPage {
    let full = NameStatus {
        label: Some("Acme".into()),
        kind: "classic".into(),
        fingerprint: Some(Fingerprint::from_bytes(FINGERPRINT)),
        expires_at: Some(stamp(1, 2)),
        next_at: Some(stamp(3, 4)),
        last_error: Some("the provider is down".into()),
        action: Some("create a token in the web UI, then tokenctl import".into()),
        chain: Some(ChainStatus {
            state: "lost".into(),
            rotated_at: Some(stamp(5, 6)),
            ends_at: Some(stamp(7, 8)),
            why: Some("Invalid refresh_token".into()),
        }),
        ..name_status("f", Health::ChainLost)
    };
    let unstarted = ChainStatus { state: "empty".into(), rotated_at: None, ends_at: None, why: None };
    StatusPage {
        version: "0.1.0".into(),
        notes: vec!["unit rules never match".into()],
        names: vec![
            name_status("a", Health::Good),
            name_status("b", Health::Failing),
            name_status("c", Health::Unavailable),
            name_status("d", Health::Rejected),
            name_status("e", Health::AwaitingLogin),
            full,
            NameStatus { chain: Some(unstarted), ..name_status("g", Health::ChainEmpty) },
        ],
        more: true,
    }
}

fn peer(unit: Option<&str>, pid: i32) -> Peer {
    Peer {
        uid: 1_000,
        gid: 100,
        groups: vec![100, 70_000],
        pid,
        unit: unit.map(str::to_owned),
        superuser: unit.is_none(),
        may_read: vec!["campus".into(), "msp/*".into()],
        may_admin: vec![],
    }
}

fn rights() -> Rights {
    let name =
        |name: &str, label: Option<&str>, admin| NameRights { name: name.into(), label: label.map(Into::into), admin };
    Rights {
        peer: peer(Some("exporter@campus.service"), 1_234),
        slices: vec!["system.slice".into(), "system-exporter.slice".into()],
        no_unit: None,
        names: vec![name("campus", None, true), name("msp/497f6eca62764993bfeb53cbbbba6f08", Some("Acme"), false)],
        more: true,
    }
}
