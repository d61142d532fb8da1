//! The connection breaks, the daemon restarts or is not there.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::unistd::{Pid, gettid};
use socket2::{Domain, SockAddr, Socket, Type};
use tokend_client::blocking::Client;
use tokend_client::{Error, ErrorCode, Fingerprint, Secret, TokenOptions};
use tokend_proto::{ErrorReply, Renewed, Reply, Request, Stamp};

use crate::peer::{Peer, greeted, pong, token};
use crate::script::STEP;

#[test]
fn a_read_in_flight_is_asked_again() {
    let mut peer = Peer::new();
    let client = peer.client();
    let script = |peer: &mut Peer| {
        let mut connection = peer.accept();
        let first = connection.next();
        let Request::Get { wait: first_wait, .. } = first.request() else { panic!() };
        drop(connection);
        let mut connection = peer.accept();
        let second = connection.next();
        let Request::Get { name: "campus", wait, .. } = second.request() else { panic!() };
        assert!(wait < first_wait, "{wait:?} {first_wait:?}");
        connection.reply(second.id, &token("abc"));
    };
    assert_eq!(peer.play(script, || client.token("campus")).0.unwrap().secret(), "abc");
}

#[test]
fn a_rejection_is_safe_to_repeat_and_is_repeated() {
    let mut peer = Peer::new();
    let client = peer.client();
    let rejected = Fingerprint::of(&Secret::from("old"));
    let script = |peer: &mut Peer| {
        let mut connection = peer.accept();
        let first = connection.next();
        assert!(matches!(first.request(), Request::Reject { .. }));
        drop(connection);
        let mut connection = peer.accept();
        let second = connection.next();
        assert_eq!(second.request(), first.request());
        connection.reply(second.id, &token("new"));
    };
    let call = || client.reject_fingerprint("campus", rejected, Duration::ZERO);
    assert_eq!(peer.play(script, call).0.unwrap().secret(), "new");
}

#[test]
fn what_may_have_happened_is_not_asked_twice() {
    let mut peer = Peer::new();
    let client = peer.client();
    let secret = Secret::from("RT-1");
    for call in 0..3 {
        let ask = || match call {
            0 => client.refresh("campus").map(drop),
            1 => client.import("legacy", &secret).map(drop),
            _ => client.reload().map(drop),
        };
        let (result, ()) = peer.play(|peer| drop(peer.accept().next()), ask);
        assert!(matches!(result, Err(Error::Disconnected)), "{result:?}");
        assert!(!peer.is_called());
    }
}

#[test]
fn what_was_never_sent_is_sent_over_the_next_connection_whatever_it_is() {
    let mut peer = Peer::new();
    let client = peer.client();
    // The daemon ends while nothing is asked.
    drop(greeted(&client, &mut peer));
    let stamp = Stamp::default();
    let fingerprint = Fingerprint::of(&Secret::from("abc"));
    let renewed = Reply::Renewed(Renewed { fingerprint, expires_at: stamp, refresh_at: stamp });
    let (result, ()) = peer.play(|peer| peer.accept().answer(&renewed), || client.refresh("campus"));
    assert_eq!(result.unwrap().fingerprint, fingerprint);
}

/// Waits until the calling thread sleeps: it has found nobody, and is going to look again.
fn has_found_nobody(caller: Pid) {
    let sleeps = || {
        // proc_pid_stat(5): the state stands behind the name in parentheses.
        let stat = std::fs::read_to_string(format!("/proc/self/task/{caller}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.starts_with('S')
    };
    // A millisecond from one look to the next, and a bound in the end.
    let looks = STEP.as_millis();
    assert!((0..looks).any(|_| sleeps() || {
        std::thread::sleep(Duration::from_millis(1));
        false
    }));
}

#[test]
fn a_restart_of_the_daemon_is_waited_out_and_no_longer_than_the_wait() {
    let mut peer = Peer::new();
    let client = peer.client();
    drop(greeted(&client, &mut peer));
    peer.stop();
    let soon = TokenOptions { wait: Some(Duration::from_millis(200)), ..TokenOptions::default() };
    let error = client.token_with("campus", soon).unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
    let caller = gettid();
    let script = |peer: &mut Peer| {
        has_found_nobody(caller);
        peer.listen();
        peer.accept().answer(&token("abc"));
    };
    assert_eq!(peer.play(script, || client.token("campus")).0.unwrap().secret(), "abc");
}

#[test]
fn a_daemon_that_was_never_there_is_an_error_at_once_unless_it_is_to_be_waited_for() {
    let mut peer = Peer::absent();
    let patient = TokenOptions { wait: Some(Duration::from_secs(600)), ..TokenOptions::default() };
    let error = peer.client().token_with("campus", patient).unwrap_err();
    assert!(matches!(error, Error::Connect(_)) && error.is_retryable(), "{error:?}");

    let client = Client::builder().socket(peer.path()).wait_for_daemon(true).build_blocking();
    let caller = gettid();
    let script = |peer: &mut Peer| {
        has_found_nobody(caller);
        peer.listen();
        peer.accept().answer(&pong());
    };
    assert_eq!(peer.play(script, || client.ping()).0.unwrap(), "1.2.3");
}

/// Listens with room for one caller, and that caller.
fn full_backlog(peer: &Peer) -> (Socket, UnixStream) {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::unix(peer.path()).unwrap()).unwrap();
    socket.listen(0).unwrap();
    (socket, UnixStream::connect(peer.path()).unwrap())
}

#[test]
fn a_backlog_that_is_full_is_waited_for_no_longer_than_the_wait() {
    let peer = Peer::absent();
    let _full = full_backlog(&peer);
    let soon = TokenOptions { wait: Some(Duration::from_millis(50)), ..TokenOptions::default() };
    let error = peer.client().token_with("campus", soon).unwrap_err();
    assert!(matches!(error, Error::Connect(_)) && error.is_retryable(), "{error:?}");
}

fn full() -> Reply {
    let message = "64 connections of this user".to_owned();
    Reply::Error(ErrorReply { code: ErrorCode::TooManyConnections, message, retry_after: None })
}

#[test]
fn a_refusal_of_the_whole_connection_is_the_callers_answer_also_when_nobody_listens() {
    let mut peer = Peer::new();
    let client = peer.client();
    for _ in 0..20 {
        let (result, ()) = peer.play(|peer| peer.accept().reply(0, &full()), || client.refresh("b"));
        assert_eq!(result.unwrap_err().code(), Some(ErrorCode::TooManyConnections));
    }
}
