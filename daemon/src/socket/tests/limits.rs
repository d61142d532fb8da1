//! What one peer may use up, and that the others do not notice.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{ErrorCode, Reply, Request, codec, limits};

use super::harness::{Daemon, Peer, get, rule};
use super::lists::whole;
use crate::core::effect::Outcome;
use crate::core::query::View;
use crate::socket::admission::MAX_LISTS_PER_UID;
use crate::socket::connection::COSTLY;
use crate::socket::{Limits, Message};

const HOUR: Duration = Duration::from_secs(3_600);
const SOON: Duration = Duration::from_millis(50);
/// Longer than a peer of these tests may be held up between its connection and its first request.
const IDLE: Duration = Duration::from_secs(2);

#[test]
fn half_a_frame_and_then_nothing_is_answered_and_closed() {
    let daemon = Daemon::with_limits(Limits { frame_time: SOON, ..Limits::default() });
    let whole = codec::encode_request(1, &get("campus")).unwrap();
    for part in [1, 4, 14, whole.len() - 1] {
        let mut peer = daemon.connect();
        peer.send_bytes(&whole[..part]);
        assert_eq!(peer.error(0).code, ErrorCode::FrameTimeout);
        assert!(peer.is_closed());
    }
}

#[test]
fn half_a_frame_after_a_whole_one_is_timed_by_itself() {
    let daemon = Daemon::with_limits(Limits { frame_time: SOON, ..Limits::default() });
    let mut peer = daemon.connect();
    let ping = codec::encode_request(1, &Request::Ping).unwrap();
    peer.send_bytes(&[&ping[..], &ping[..5]].concat());
    peer.reply_to(1);
    assert_eq!(peer.error(0).code, ErrorCode::FrameTimeout);
    assert!(peer.is_closed());
}

#[test]
fn an_idle_connection_is_closed_and_one_that_waits_for_an_answer_is_not() {
    let mut daemon = Daemon::with_limits(Limits { idle_time: IDLE, ..Limits::default() });
    let mut waiting = daemon.connect();
    waiting.send(1, &get("campus"));
    let (_, _, reply) = daemon.question();
    for _ in 0..2 {
        assert!(daemon.connect().is_closed());
    }
    reply.send(Outcome::Error(super::questions::unavailable()));
    assert_eq!(waiting.error(1).code, ErrorCode::Unavailable);
    assert!(waiting.is_closed(), "now it is idle");
}

#[test]
fn a_peer_that_never_reads_is_closed_and_the_others_are_served_meanwhile() {
    let daemon = Daemon::with_limits(Limits { frame_time: Duration::from_millis(300), ..Limits::default() });
    daemon.publish("campus", &"x".repeat(1_500), HOUR);
    let deaf = daemon.connect();
    let mut other = daemon.connect();
    let closed = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let closed = &closed;
        scope.spawn(move || {
            let mut deaf = deaf;
            let request = codec::encode_request(1, &get("campus")).unwrap();
            // Blocks once the daemon stops reading, and fails when it closes.
            while std::io::Write::write_all(&mut deaf.stream, &request).is_ok() {}
            closed.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        while !closed.load(std::sync::atomic::Ordering::Relaxed) {
            assert!(other.is_served());
        }
    });
    assert!(other.is_served());
    daemon.wait_for_connections(1);
}

#[test]
fn replies_that_are_taken_late_but_in_time_all_arrive() {
    let daemon = Daemon::start();
    daemon.publish("campus", &"x".repeat(15_000), HOUR);
    let mut peer = daemon.connect();
    let requests = codec::encode_request(1, &get("campus")).unwrap().repeat(2_000);
    let mut writer = peer.stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        // 30 MB of replies to 60 KB of requests: read only after much was written.
        scope.spawn(move || std::io::Write::write_all(&mut writer, &requests).unwrap());
        for _ in 0..2_000 {
            assert_eq!(peer.token(1).1.access_token.expose().len(), 15_000);
        }
    });
    assert!(peer.is_served());
}

#[test]
fn one_request_too_many_is_refused_and_the_others_stand() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    let count = limits::MAX_IN_FLIGHT as u64;
    for id in 0..count {
        peer.send(id, &get("campus"));
    }
    assert_eq!(peer.refused(&get("campus")), ErrorCode::TooManyRequests);
    assert!(peer.is_served(), "what needs no waiting is answered");
    for id in 0..count {
        daemon.question().2.send(Outcome::Error(super::questions::unavailable()));
        peer.error(id);
    }
    peer.send(1, &get("campus"));
    daemon.question();
}

#[test]
fn lists_are_limited_for_each_user() {
    let mut daemon = Daemon::start();
    let status = Request::Status { name: None, after: None };
    let mut peers = [daemon.connect_as(1_000), daemon.connect_as(1_000)];
    for n in 0..MAX_LISTS_PER_UID {
        peers[n % 2].send(1, &status);
    }
    let open: Vec<_> = (0..MAX_LISTS_PER_UID).map(|_| daemon.query()).collect();
    for peer in &mut peers {
        assert_eq!(peer.refused(&status), ErrorCode::TooManyRequests);
    }
    let mut other = daemon.connect();
    other.send(1, &status);
    daemon.query();
    for (_, reply) in open {
        reply.send_view(Ok(View::Status(whole(Vec::new()))));
    }
    for peer in &mut peers {
        for _ in 0..MAX_LISTS_PER_UID / 2 {
            peer.reply_to(1);
        }
        peer.send(1, &status);
        daemon.query().1.send_view(Ok(View::Status(whole(Vec::new()))));
        peer.reply_to(1);
    }
}

#[test]
fn a_full_queue_is_answered_busy() {
    let daemon = Daemon::with(Limits::default(), 1);
    let mut peer = daemon.connect();
    peer.send(1, &get("campus"));
    assert_eq!(peer.refused(&get("campus")), ErrorCode::Busy);
    assert!(peer.is_served());
}

#[test]
fn a_user_that_fills_its_share_of_the_queue_holds_nobody_up() {
    let mut daemon = Daemon::with(Limits::default(), 320);
    let mut flooders = [daemon.connect_as(1_000), daemon.connect_as(1_000)];
    let mut taken = 0;
    'all: for flooder in &mut flooders {
        for id in 0..200 {
            flooder.send(id, &get("campus"));
            flooder.send(1_000, &Request::Ping);
            match flooder.receive().1 {
                Reply::Pong { .. } => taken += 1,
                Reply::Error(error) => {
                    assert_eq!(error.code, ErrorCode::Busy);
                    assert!(error.message.contains("150 requests of user 1000"), "{}", error.message);
                    break 'all;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(taken, 150, "half of what is not kept for root");
    let (mut other, mut root) = (daemon.connect_as(1_001), daemon.connect_as(0));
    other.send(1, &get("legacy"));
    root.send(1, &Request::Explain { name: "legacy" });
    assert!(other.is_served() && root.is_served(), "neither was refused");
    let mut users: Vec<u32> = (0..4)
        .map(|_| match daemon.message() {
            Message::Ask { asker, .. } | Message::Query { asker, .. } => asker.uid,
            other => panic!("{other:?}"),
        })
        .collect();
    users[1..3].sort_unstable();
    assert_eq!(users, [1_000, 0, 1_001, 1_000], "they take turns");
}

#[test]
fn a_user_gets_no_more_of_the_thread_by_opening_more_connections() {
    const CONNECTIONS: usize = 64;
    let mut daemon = Daemon::with(Limits::default(), 65_536);
    daemon.set_rules(vec![rule(&["campus"], 1_000), rule(&["campus"], 1_001)]);
    let mut flooders: Vec<Peer> = (0..CONNECTIONS).map(|_| daemon.connect_as(1_000)).collect();
    let mut other = daemon.connect_as(1_001);
    // The thread asks who its next peer is, and cannot go on.
    let unit = Arc::clone(&daemon.unit);
    let held = unit.lock().unwrap();
    let _next = daemon.connect();
    let explain = codec::encode_request(1, &Request::Explain { name: "campus" }).unwrap();
    for flooder in &mut flooders {
        flooder.send_bytes(&explain.repeat(limits::MAX_IN_FLIGHT));
    }
    other.send_bytes(&explain);
    drop(held);
    assert!(other.is_served(), "by now its question is with the core");
    let mut asked = Vec::new();
    while let Some(Message::Query { waiter, asker, .. }) = daemon.core.try_recv() {
        asked.push((waiter, asker.uid));
    }
    asked.sort_unstable();
    let before = asked.iter().position(|(_, uid)| *uid == 1_001).expect("its question");
    assert!(before <= COSTLY, "{before} questions of the other user's {CONNECTIONS} connections came first");
}

#[test]
fn the_last_connections_are_kept_for_the_daemons_user_and_root() {
    let daemon = Daemon::with_limits(Limits { max_connections: 6, ..Limits::default() });
    let mut ordinary: Vec<_> = (0..3).map(|_| daemon.connect_as(1_000)).collect();
    assert_eq!(daemon.turned_away(1_000).code, ErrorCode::TooManyConnections);
    assert_eq!(daemon.turned_away(1_001).code, ErrorCode::TooManyConnections);
    let _daemons_own = [daemon.connect_as(super::harness::DAEMON_UID), daemon.connect_as(super::harness::DAEMON_UID)];
    let _root = daemon.connect_as(0);
    assert_eq!(daemon.turned_away(0).code, ErrorCode::TooManyConnections);
    assert!(ordinary.iter_mut().all(|peer| peer.is_served()));
    drop(_root);
    daemon.wait_for_connections(5);
    let _root = daemon.connect_as(0);
}

#[test]
fn one_user_cannot_take_all_connections() {
    let daemon = Daemon::with_limits(Limits { max_connections_per_uid: 2, ..Limits::default() });
    let mut first = vec![daemon.connect_as(1_000), daemon.connect_as(1_000)];
    assert_eq!(daemon.turned_away(1_000).code, ErrorCode::TooManyConnections);
    let _another = daemon.connect_as(1_001);
    first.pop();
    daemon.wait_for_connections(2);
    first.push(daemon.connect_as(1_000));
    daemon.thread.set_connection_limits(4_096, 3);
    first.push(daemon.connect_as(1_000));
    assert_eq!(daemon.turned_away(1_000).code, ErrorCode::TooManyConnections);
}
