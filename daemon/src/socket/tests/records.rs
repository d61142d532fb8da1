//! What is recorded of requests. How many, and how they are written, has its own tests.

use std::time::Duration;

use tokend_proto::{
    ErrorCode, ErrorReply, Fingerprint, Flags, Millis, Reloaded, Renewed, Request, Secret, SecretStr, Stamp,
};

use super::harness::{Daemon, get, rule};
use crate::access::policy::Rule;
use crate::access::unit::{NoUnit, PeerUnit};
use crate::audit::{Kind, Outcome, Record};
use crate::core::effect;
use crate::socket::Message;

const HOUR: Duration = Duration::from_secs(3_600);

/// What was recorded, without what is the same in all: a peer of uid 1000, this process, unit x.service.
fn recorded(daemon: &Daemon) -> Vec<(Kind, Option<String>, Outcome, Option<Fingerprint>)> {
    let pid = nix::unistd::getpid().as_raw();
    let of = |record: Record| {
        assert_eq!((record.uid, record.pid, record.unit.as_deref()), (1_000, pid, Some("x.service")));
        (record.kind, record.name, record.outcome, record.fingerprint)
    };
    daemon.records.take().into_iter().map(of).collect()
}

fn start() -> Daemon {
    let daemon = Daemon::start();
    daemon.set_unit(Some(Ok(PeerUnit { name: "x.service".into(), slices: Vec::new() })));
    daemon.set_rules(vec![rule(&["campus", "msp/*"], 1_000), Rule { admin: true, ..rule(&["legacy"], 1_000) }]);
    daemon
}

fn named(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn every_refusal_is_recorded_with_the_name_as_it_was_asked_for() {
    let daemon = start();
    daemon.audit.set_reads(false);
    daemon.publish("campus", "t", HOUR);
    daemon.publish("hidden", "t", HOUR);
    let mut peer = daemon.connect_as(1_000);
    peer.send(1, &get("campus"));
    peer.token(1);
    let fingerprint = Fingerprint::from_bytes([0; 16]);
    let secret = Secret::from("r");
    let refresh_token = SecretStr::new(&secret);
    let requests = [
        (get("hidden"), Kind::of_peer("get"), named("hidden")),
        (get("no-such"), Kind::of_peer("get"), named("no-such")),
        (get("glp/Acme\nCorp"), Kind::of_peer("get"), named("glp/Acme\nCorp")),
        (Request::Reject { name: "hidden", fingerprint, min_ttl: Millis(0) }, Kind::of_peer("reject"), named("hidden")),
        (Request::Status { name: Some("hidden"), after: None }, Kind::of_peer("status"), named("hidden")),
        (Request::Tenants { profile: "glp", after: None }, Kind::of_peer("tenants"), named("glp")),
        (Request::Refresh { name: "campus" }, Kind::of_admin("refresh"), named("campus")),
        (Request::Import { name: "campus", refresh_token }, Kind::of_admin("import"), named("campus")),
        (Request::Reload, Kind::of_admin("reload"), None),
    ];
    for (request, kind, name) in requests {
        assert_eq!(peer.refused(&request), ErrorCode::Denied, "{request:?}");
        assert_eq!(recorded(&daemon), [(kind, name, Outcome::Refused, None)], "{request:?}");
    }
    // What is wrong in itself was not refused by the rules.
    assert_eq!(peer.refused(&get("a b")), ErrorCode::InvalidArgument);
    assert!(peer.is_served());
    assert_eq!(recorded(&daemon), []);
}

#[test]
fn every_token_that_is_given_out_is_recorded_by_its_fingerprint() {
    let mut daemon = start();
    let token = daemon.publish("campus", "t", HOUR);
    let served = |kind, name: &str| [(kind, named(name), Outcome::Served, Some(token.fingerprint))];
    let mut peer = daemon.connect_as(1_000);
    for _ in 0..3 {
        peer.send(1, &get("campus"));
        peer.token(1);
        assert_eq!(recorded(&daemon), served(Kind::of_peer("get"), "campus"));
    }
    let fingerprint = Fingerprint::from_bytes([0; 16]);
    let requests = [
        (get("legacy"), Kind::of_peer("get")),
        (Request::Reject { name: "legacy", fingerprint, min_ttl: Millis(0) }, Kind::of_peer("reject")),
    ];
    for (request, kind) in requests {
        peer.send(2, &request);
        let (_, _, reply) = daemon.question();
        assert_eq!(recorded(&daemon), [], "not before it is known what comes of it");
        reply.send(effect::Outcome::Token { token: token.clone(), flags: Flags::NONE });
        peer.token(2);
        assert_eq!(recorded(&daemon), served(kind, "legacy"));
    }
    daemon.audit.set_reads(false);
    peer.send(3, &get("campus"));
    peer.token(3);
    assert_eq!(recorded(&daemon), []);
}

#[test]
fn a_token_that_new_rules_keep_back_is_recorded_as_refused() {
    let mut daemon = start();
    let token = daemon.issue("t", HOUR);
    let mut peer = daemon.connect_as(1_000);
    peer.send(1, &get("campus"));
    let (_, _, reply) = daemon.question();
    daemon.set_rules(vec![rule(&["campus"], 1_001)]);
    reply.send(effect::Outcome::Token { token, flags: Flags::NONE });
    assert_eq!(peer.error(1).code, ErrorCode::Denied);
    assert_eq!(recorded(&daemon), [(Kind::of_peer("get"), named("campus"), Outcome::Refused, None)]);
}

#[test]
fn what_admins_do_is_recorded_whatever_comes_of_it() {
    let mut daemon = start();
    daemon.audit.set_reads(false);
    let mut peer = daemon.connect_as(1_000);
    let fingerprint = Fingerprint::from_bytes([7; 16]);
    let stamp = Stamp::default();
    let renewed = Renewed { fingerprint, expires_at: stamp, refresh_at: stamp };
    let error = ErrorReply { code: ErrorCode::Throttled, message: "later".into(), retry_after: None };
    let outcomes = [
        (effect::Outcome::Renewed(renewed), Outcome::Done, Some(fingerprint)),
        (effect::Outcome::Error(error), Outcome::Failed(ErrorCode::Throttled), None),
    ];
    for (answer, outcome, fingerprint) in outcomes {
        peer.send(1, &Request::Refresh { name: "legacy" });
        let (_, _, reply) = daemon.question();
        reply.send(answer);
        peer.reply_to(1);
        assert_eq!(recorded(&daemon), [(Kind::of_admin("refresh"), named("legacy"), outcome, fingerprint)]);
    }
    // Of an import nothing is known when its peer does not wait.
    let secret = Secret::from("r");
    peer.send(2, &Request::Import { name: "legacy", refresh_token: SecretStr::new(&secret) });
    let (_, _, _reply) = daemon.question();
    drop(peer);
    assert!(matches!(daemon.message(), Message::Leave(_)));
    assert_eq!(recorded(&daemon), [(Kind::of_admin("import"), named("legacy"), Outcome::Unknown, None)]);

    let mut superuser = daemon.connect();
    superuser.send(3, &Request::Reload);
    match daemon.message() {
        Message::Reload { reply } => reply.send(Ok(Reloaded { warnings: Vec::new() })),
        other => panic!("{other:?}"),
    }
    superuser.reply_to(3);
    let records = daemon.records.take();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].kind, records[0].outcome), (Kind::of_admin("reload"), Outcome::Done));
}

#[test]
fn without_a_unit_the_record_says_so() {
    let daemon = start();
    daemon.set_unit(Some(Err(NoUnit::NotInOne)));
    assert_eq!(daemon.connect_as(1_000).refused(&get("hidden")), ErrorCode::Denied);
    assert_eq!(daemon.records.take()[0].unit, None);
}
