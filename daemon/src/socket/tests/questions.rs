//! What goes to the core and comes back.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{
    ErrorCode, ErrorReply, Fingerprint, Flags, Imported, Millis, Reloaded, Renewed, Reply, Request, Secret, SecretStr,
    Stamp, limits,
};

use super::harness::{Daemon, get, rule, token_name};
use super::lists::whole;
use crate::core::effect::Outcome;
use crate::core::input::Question;
use crate::core::issued::ReadMode;
use crate::core::query::View;
use crate::socket::{Limits, Message};

const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn unavailable() -> ErrorReply {
    ErrorReply { code: ErrorCode::Unavailable, message: "no token".into(), retry_after: Some(Millis(7)) }
}

#[test]
fn a_name_that_is_not_on_the_board_is_asked_of_the_core() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send(3, &Request::Get { name: "campus", min_ttl: Millis(1_500), wait: Millis(u64::MAX) });
    let (_, question, reply) = daemon.question();
    match question {
        Question::Get { name, min_ttl, wait } => {
            assert_eq!(name, token_name("campus"));
            assert_eq!((min_ttl, wait), (Duration::from_millis(1_500), limits::MAX_WAIT));
        }
        other => panic!("{other:?}"),
    }
    reply.send(Outcome::Token { token: daemon.issue("s3cret", HOUR), flags: Flags::RENEWING });
    let (flags, token) = peer.token(3);
    assert_eq!((flags, token.access_token.expose()), (Flags::RENEWING, "s3cret"));
}

#[test]
fn answers_overtake_each_other() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    for id in 1..=3 {
        peer.send(id, &get("campus"));
    }
    let questions: Vec<_> = (0..3).map(|_| daemon.question()).collect();
    peer.send(4, &Request::Ping);
    assert!(matches!(peer.reply_to(4), Reply::Pong { .. }), "a ping does not wait for the core");
    for ((_, _, reply), id) in questions.into_iter().zip([1, 2, 3]).rev() {
        reply.send(Outcome::Error(unavailable()));
        assert_eq!(peer.error(id), unavailable());
    }
}

#[test]
fn two_hundred_waiting_peers_get_the_token_that_was_published_for_them() {
    let mut daemon = Daemon::start();
    let mut peers: Vec<_> = (0..200).map(|_| daemon.connect()).collect();
    for peer in &mut peers {
        peer.send(1, &get("campus"));
    }
    let waiting: Vec<_> = (0..200).map(|_| daemon.question()).collect();
    let token = daemon.publish("campus", "s3cret", HOUR);
    let mut waiters: Vec<_> = waiting.iter().map(|(waiter, ..)| *waiter).collect();
    for (_, _, reply) in waiting {
        reply.send(Outcome::Token { token: Arc::clone(&token), flags: Flags::NONE });
    }
    for peer in &mut peers {
        assert_eq!(peer.token(1).1.access_token.expose(), "s3cret");
    }
    waiters.sort_unstable();
    waiters.dedup();
    assert_eq!(waiters.len(), 200, "each is its own waiter");
}

#[test]
fn a_token_that_expired_on_its_way_is_not_handed_out() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send(1, &get("campus"));
    let (_, _, reply) = daemon.question();
    let token = daemon.issue("s3cret", HOUR);
    daemon.clock.advance(HOUR);
    reply.send(Outcome::Token { token, flags: Flags::NONE });
    assert_eq!(peer.error(1).code, ErrorCode::Unavailable);
}

#[test]
fn a_token_that_aged_below_what_was_asked_for_says_so() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send(1, &Request::Get { name: "campus", min_ttl: Millis(3_600_000), wait: Millis(0) });
    let (_, _, reply) = daemon.question();
    let token = daemon.issue("s3cret", HOUR);
    daemon.token_cache.publish(
        &token_name("campus"),
        &token,
        ReadMode::Serve,
        super::super::Clock::now(&*daemon.clock),
    );
    daemon.clock.advance(Duration::from_secs(1));
    reply.send(Outcome::Token { token, flags: Flags::NONE });
    assert_eq!(peer.token(1).0, Flags::FALLS_SHORT);
}

#[test]
fn a_right_that_was_taken_away_meanwhile_is_gone() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect_as(1_000);
    peer.send(1, &get("campus"));
    let (_, _, reply) = daemon.question();
    daemon.set_rules(vec![rule(&["other"], 1_000)]);
    let token = daemon.issue("s3cret", HOUR);
    reply.send(Outcome::Token { token, flags: Flags::NONE });
    assert_eq!(peer.error(1).code, ErrorCode::Denied);
}

#[test]
fn a_peer_that_goes_leaves_its_questions() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send(1, &get("campus"));
    peer.send(2, &get("legacy"));
    let (first, second) = (daemon.question(), daemon.question());
    drop(peer);
    match daemon.message() {
        Message::Leave(mut waiters) => {
            waiters.sort_unstable();
            assert_eq!(waiters, [first.0, second.0]);
        }
        other => panic!("{other:?}"),
    }
    // Too late, and no harm done.
    first.2.send(Outcome::Error(unavailable()));
    assert!(daemon.connect().is_served());
}

#[test]
fn leaving_gets_through_a_full_queue() {
    let mut daemon = Daemon::with(Limits::default(), 1);
    let mut peer = daemon.connect();
    peer.send(1, &get("campus"));
    let (waiter, _, _reply) = daemon.question();
    // The queue is full of somebody else's question as the peer goes.
    let mut other = daemon.connect_as(1_000);
    other.send(1, &get("legacy"));
    assert!(other.refused(&get("legacy")) == ErrorCode::Busy);
    drop(peer);
    daemon.wait_for_connections(1);
    assert!(matches!(daemon.message(), Message::Ask { .. }));
    match daemon.message() {
        Message::Leave(waiters) => assert_eq!(waiters, [waiter]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_core_that_forgets_a_question_does_not_leave_its_peer_waiting() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send(1, &get("campus"));
    drop(daemon.question());
    assert_eq!(peer.error(1).code, ErrorCode::Internal);
}

#[test]
fn an_answer_to_another_question_is_an_internal_error() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send(1, &get("campus"));
    daemon.question().2.send_view(Ok(View::Status(whole(Vec::new()))));
    assert_eq!(peer.error(1).code, ErrorCode::Internal);
}

#[test]
fn a_core_that_has_ended_is_said_to_be_stopping() {
    let mut daemon = Daemon::start();
    daemon.core.close();
    daemon.publish("campus", "s3cret", HOUR);
    let mut peer = daemon.connect();
    assert_eq!(peer.refused(&get("legacy")), ErrorCode::Busy);
    peer.send(1, &get("campus"));
    assert_eq!(peer.token(1).1.access_token.expose(), "s3cret", "the token cache is still served");
}

#[test]
fn refresh_reject_and_import_are_passed_on_and_answered() {
    let mut daemon = Daemon::start();
    // Of the daemon's own user: it may do everything.
    let mut peer = daemon.connect();
    let fingerprint = Fingerprint::from_bytes([7; 16]);

    peer.send(1, &Request::Reject { name: "campus", fingerprint, min_ttl: Millis(5) });
    let (_, question, reply) = daemon.question();
    assert!(matches!(question, Question::Reject { fingerprint: f, min_ttl, .. }
        if f == fingerprint && min_ttl == Duration::from_millis(5)));
    reply.send(Outcome::Token { token: daemon.issue("other", HOUR), flags: Flags::NONE });
    assert_eq!(peer.token(1).1.access_token.expose(), "other");

    let renewed = Renewed { fingerprint, expires_at: Stamp::default(), refresh_at: Stamp::default() };
    peer.send(2, &Request::Refresh { name: "campus" });
    let (_, question, reply) = daemon.question();
    assert!(matches!(question, Question::Refresh { name } if name == token_name("campus")));
    reply.send(Outcome::Renewed(renewed.clone()));
    assert_eq!(peer.reply_to(2), Reply::Renewed(renewed));

    let imported = Imported { changed: true, message: "done".into() };
    let refresh_token = Secret::from("r3fresh");
    peer.send(3, &Request::Import { name: "legacy", refresh_token: SecretStr::new(&refresh_token) });
    let (_, question, reply) = daemon.question();
    assert!(matches!(question, Question::Import { profile, refresh_token: r }
        if profile.as_str() == "legacy" && r == refresh_token));
    reply.send(Outcome::Imported(imported.clone()));
    assert_eq!(peer.reply_to(3), Reply::Imported(imported));
}

#[test]
fn a_reload_is_answered_with_its_warnings_or_its_error() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    let reloaded = Reloaded { warnings: vec!["odd".into()] };
    for result in [Ok(reloaded.clone()), Err(unavailable())] {
        peer.send(1, &Request::Reload);
        match daemon.message() {
            Message::Reload { reply } => reply.send(result.clone()),
            other => panic!("{other:?}"),
        }
        match result {
            Ok(reloaded) => assert_eq!(peer.reply_to(1), Reply::Reloaded(reloaded)),
            Err(error) => assert_eq!(peer.error(1), error),
        }
    }
}

#[test]
fn a_refresh_token_without_text_or_too_long_is_refused() {
    let daemon = Daemon::start();
    let mut peer = daemon.connect();
    for length in [0, limits::MAX_REFRESH_TOKEN + 1] {
        let refresh_token = Secret::new("r".repeat(length));
        let request = Request::Import { name: "legacy", refresh_token: SecretStr::new(&refresh_token) };
        assert_eq!(peer.refused(&request), ErrorCode::InvalidArgument);
    }
}
