//! The end: who is owed an answer gets it.

use std::time::Duration;

use tokend_proto::{ErrorCode, Request};

use super::harness::{Daemon, Peer, get};
use crate::core::effect::Outcome;
use crate::socket::{Limits, SocketThread};

fn drain(thread: SocketThread) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = async { tokio::time::timeout(Duration::from_secs(60), thread.drain()).await };
    runtime.block_on(done).expect("drained in time");
}

#[test]
fn draining_closes_idle_peers_and_answers_the_others() {
    let mut daemon = Daemon::start();
    let (mut idle, mut waiting) = (daemon.connect(), daemon.connect());
    assert!(idle.is_served());
    waiting.send(1, &get("campus"));
    let (_, _, reply) = daemon.question();
    let thread = daemon.thread;
    std::thread::scope(|scope| {
        let draining = scope.spawn(|| drain(thread));
        assert!(idle.is_closed());
        assert!(std::os::unix::net::UnixStream::connect(&daemon.path).is_err(), "nobody new");
        assert!(!daemon.path.exists());
        assert_eq!(waiting.refused(&get("legacy")), ErrorCode::Busy, "nothing new");
        assert!(!draining.is_finished());
        reply.send(Outcome::Error(super::questions::unavailable()));
        assert_eq!(waiting.error(1).code, ErrorCode::Unavailable);
        assert!(waiting.is_closed());
    });
}

#[test]
fn draining_does_not_wait_for_ever() {
    let mut daemon = Daemon::with_limits(Limits { drain_time: Duration::from_millis(50), ..Limits::default() });
    let mut waiting = daemon.connect();
    waiting.send(1, &get("campus"));
    let _unanswered = daemon.question();
    drain(daemon.thread);
    assert!(waiting.is_closed());
}

#[test]
fn a_peer_in_the_middle_of_a_frame_does_not_hold_up_the_end() {
    let daemon = Daemon::start();
    let mut peer = daemon.connect();
    assert!(peer.is_served());
    peer.send_bytes(&[0, 0, 0]);
    drain(daemon.thread);
    assert!(peer.is_closed());
}

#[test]
fn dropping_the_thread_ends_it_at_once() {
    let mut daemon = Daemon::start();
    let mut peer: Peer = daemon.connect();
    peer.send(1, &Request::Ping);
    peer.reply_to(1);
    peer.send(2, &get("campus"));
    let _unanswered = daemon.question();
    drop(daemon.thread);
    assert!(peer.is_closed());
    assert!(!daemon.path.exists());
}
