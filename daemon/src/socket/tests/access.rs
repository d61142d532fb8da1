//! Who may do what. The rules themselves have their own tests.

use std::time::Duration;

use tokend_proto::{ErrorCode, Fingerprint, Millis, Reloaded, Reply, Request, Secret, SecretStr};

use super::harness::{DAEMON_UID, Daemon, get, rule};
use crate::access::policy::Rule;
use crate::socket::Message;

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_name_one_may_not_read_is_denied_whether_or_not_it_exists() {
    let mut daemon = Daemon::start();
    daemon.publish("legacy", "t", HOUR);
    daemon.publish("campus", "t", HOUR);
    daemon.set_rules(vec![rule(&["campus"], 1_000)]);
    let mut peer = daemon.connect_as(1_000);
    let fingerprint = Fingerprint::from_bytes([0; 16]);
    for name in ["legacy", "nothing"] {
        assert_eq!(peer.refused(&get(name)), ErrorCode::Denied);
        assert_eq!(peer.refused(&Request::Reject { name, fingerprint, min_ttl: Millis(0) }), ErrorCode::Denied);
        assert_eq!(peer.refused(&Request::Status { name: Some(name), after: None }), ErrorCode::Denied);
    }
    assert!(daemon.nothing_was_asked());
    peer.send(1, &get("campus"));
    peer.token(1);
}

#[test]
fn new_rules_hold_for_the_next_request_of_an_old_connection() {
    let daemon = Daemon::start();
    daemon.publish("campus", "t", HOUR);
    let mut peer = daemon.connect_as(1_000);
    for _ in 0..2 {
        peer.send(1, &get("campus"));
        peer.token(1);
    }
    daemon.set_rules(vec![rule(&["campus"], 1_001)]);
    assert_eq!(peer.refused(&get("campus")), ErrorCode::Denied);
    daemon.set_rules(vec![rule(&["campus"], 1_000)]);
    peer.send(1, &get("campus"));
    peer.token(1);
}

#[test]
fn refresh_and_import_need_admin_and_reload_more_than_that() {
    let mut daemon = Daemon::start();
    daemon.set_rules(vec![rule(&["campus"], 1_000), Rule { admin: true, ..rule(&["legacy"], 1_000) }]);
    let mut peer = daemon.connect_as(1_000);
    let refresh_token = Secret::from("r");
    let refresh_token = SecretStr::new(&refresh_token);
    assert_eq!(peer.refused(&Request::Refresh { name: "campus" }), ErrorCode::Denied);
    assert_eq!(peer.refused(&Request::Import { name: "campus", refresh_token }), ErrorCode::Denied);
    assert_eq!(peer.refused(&Request::Reload), ErrorCode::Denied);
    assert!(daemon.nothing_was_asked());
    peer.send(1, &Request::Refresh { name: "legacy" });
    daemon.question();
    peer.send(1, &Request::Import { name: "legacy", refresh_token });
    daemon.question();
    for uid in [0, DAEMON_UID] {
        let mut superuser = daemon.connect_as(uid);
        superuser.send(1, &Request::Reload);
        match daemon.message() {
            Message::Reload { reply } => reply.send(Ok(Reloaded { warnings: Vec::new() })),
            other => panic!("{other:?}"),
        }
        assert!(matches!(superuser.reply_to(1), Reply::Reloaded(_)));
    }
}

#[test]
fn whoami_says_what_the_daemon_sees() {
    let daemon = Daemon::start();
    daemon.set_rules(vec![rule(&["campus", "msp/*"], 1_000), Rule { admin: true, ..rule(&["legacy"], 1_000) }]);
    match daemon.connect_as(1_000).ask(&Request::WhoAmI) {
        Reply::Peer(peer) => {
            assert_eq!((peer.uid, peer.superuser), (1_000, false));
            assert_eq!(peer.pid, nix::unistd::getpid().as_raw());
            assert_eq!(peer.may_read, ["campus", "msp/*", "legacy"]);
            assert_eq!(peer.may_admin, ["legacy"]);
        }
        other => panic!("{other:?}"),
    }
    match daemon.connect().ask(&Request::WhoAmI) {
        Reply::Peer(peer) => assert!(peer.superuser),
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_that_is_no_name_is_an_invalid_argument() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    let long = "x".repeat(400);
    for name in ["", "-x", "a b", "msp/", "/x", long.as_str()] {
        assert_eq!(peer.refused(&get(name)), ErrorCode::InvalidArgument, "{name}");
    }
    assert_eq!(peer.refused(&Request::Tenants { profile: "a/b", after: None }), ErrorCode::InvalidArgument);
    assert_eq!(peer.refused(&Request::Status { name: None, after: Some("msp/A") }), ErrorCode::InvalidArgument);
    assert!(daemon.nothing_was_asked());
}
