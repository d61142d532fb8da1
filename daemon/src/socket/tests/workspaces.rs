//! Tenants by workspace name.

use std::time::Duration;

use tokend_proto::{ErrorCode, ErrorReply, Flags, Millis, ProfileName, Request};

use super::harness::{Daemon, Peer, get, rule, token_name};
use crate::core::effect::Outcome;
use crate::core::input::Question;
use crate::socket::Message;

const HOUR: Duration = Duration::from_secs(3_600);
const ACME: &str = "msp/497f6eca62764993bfeb53cbbbba6f08";

fn no_such_name() -> Outcome {
    Outcome::Error(ErrorReply { code: ErrorCode::NoSuchName, message: "no tenant".into(), retry_after: None })
}

fn know_acme(daemon: &Daemon) {
    let profile: ProfileName = "msp".parse().unwrap();
    daemon.token_cache.set_directory(&profile, vec![("Acme".into(), token_name(ACME).tenant.unwrap())]);
}

/// Asks for a workspace name that has to be resolved.
fn resolve(daemon: &mut Daemon, peer: &mut Peer, wait: u64) -> super::super::ReplyTo {
    peer.send(1, &Request::Get { name: "msp/Acme", min_ttl: Millis(0), wait: Millis(wait) });
    match daemon.question() {
        (_, Question::Resolve { profile, workspace_name }, reply) => {
            assert_eq!((profile.as_str(), &*workspace_name), ("msp", "Acme"));
            reply
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_spelling_is_read_from_the_board() {
    let mut daemon = Daemon::start();
    know_acme(&daemon);
    daemon.publish(ACME, "s3cret", HOUR);
    let mut peer = daemon.connect();
    for name in [ACME, "msp/Acme", "msp/497F6ECA-6276-4993-BFEB-53CBBBBA6F08"] {
        peer.send(1, &get(name));
        assert_eq!(peer.token(1).1.access_token.expose(), "s3cret");
    }
    assert!(daemon.nothing_was_asked());
}

#[test]
fn a_known_workspace_name_without_a_token_is_asked_for_by_its_id() {
    let mut daemon = Daemon::start();
    know_acme(&daemon);
    daemon.connect().send(1, &get("msp/Acme"));
    assert!(matches!(daemon.question().1, Question::Get { name, .. } if name == token_name(ACME)));
}

#[test]
fn an_unknown_workspace_name_is_resolved_and_fetched_within_one_wait() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    let reply = resolve(&mut daemon, &mut peer, 10_000);
    daemon.clock.advance(Duration::from_secs(4));
    reply.send(Outcome::Resolved(token_name(ACME)));
    let (_, question, reply) = daemon.question();
    match question {
        Question::Get { name, wait, .. } => {
            assert_eq!(name, token_name(ACME));
            assert!(wait <= Duration::from_secs(6) && wait > Duration::ZERO, "{wait:?}");
        }
        other => panic!("{other:?}"),
    }
    reply.send(Outcome::Token { token: daemon.issue("s3cret", HOUR), flags: Flags::NONE });
    assert_eq!(peer.token(1).1.access_token.expose(), "s3cret");
}

#[test]
fn a_resolved_name_that_is_on_the_board_is_read_from_there() {
    let mut daemon = Daemon::start();
    daemon.publish(ACME, "s3cret", HOUR);
    let mut peer = daemon.connect();
    resolve(&mut daemon, &mut peer, 0).send(Outcome::Resolved(token_name(ACME)));
    assert_eq!(peer.token(1).1.access_token.expose(), "s3cret");
}

#[test]
fn a_list_that_does_not_arrive_in_the_wait_is_said_and_the_question_left() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    let _reply = resolve(&mut daemon, &mut peer, 0);
    assert_eq!(peer.error(1).code, ErrorCode::Unavailable);
    assert!(matches!(daemon.message(), Message::Leave(waiters) if waiters.len() == 1));
    assert!(peer.is_served());
}

#[test]
fn a_peer_without_any_tenant_is_denied_before_anything_is_looked_up() {
    let mut daemon = Daemon::start();
    daemon.set_rules(vec![rule(&["msp", "campus"], 1_000)]);
    let mut peer = daemon.connect_as(1_000);
    assert_eq!(peer.refused(&get("msp/Acme")), ErrorCode::Denied);
    assert_eq!(peer.refused(&Request::Refresh { name: "msp/Acme" }), ErrorCode::Denied);
    assert_eq!(peer.refused(&Request::Tenants { profile: "msp", after: None }), ErrorCode::Denied);
    assert!(daemon.nothing_was_asked());
}

#[test]
fn a_peer_with_some_tenants_does_not_learn_whether_others_exist() {
    let mut daemon = Daemon::start();
    daemon.set_rules(vec![rule(&["msp/11111111111111111111111111111111"], 1_000)]);
    let mut peer = daemon.connect_as(1_000);
    let mut errors = Vec::new();
    for outcome in [Outcome::Resolved(token_name(ACME)), no_such_name()] {
        resolve(&mut daemon, &mut peer, 0).send(outcome);
        errors.push(peer.error(1));
    }
    assert_eq!(errors[0].code, ErrorCode::Denied);
    assert_eq!(errors[0], errors[1]);
}

#[test]
fn a_peer_with_all_tenants_is_told_that_there_is_no_such_name() {
    let mut daemon = Daemon::start();
    daemon.set_rules(vec![rule(&["msp/*"], 1_000)]);
    let mut peer = daemon.connect_as(1_000);
    resolve(&mut daemon, &mut peer, 0).send(no_such_name());
    assert_eq!(peer.error(1).code, ErrorCode::NoSuchName);
}
