//! The connection breaks, the daemon restarts or is not there.
//!
//! Where time is paused it passes as soon as all wait for it alone: nobody waits for the seconds that are slept here.

use std::io::ErrorKind;
use std::time::Duration;

use tokend_client::{Client, Error, Fingerprint, Secret};
use tokend_proto::{ErrorCode, ErrorReply, Millis, Renewed, Reply, Request, Stamp};
use tokio::net::UnixStream;
use tokio::time::Instant;

use crate::peer::{Connection, Peer, fetched, greeted, pong, token};

#[tokio::test(start_paused = true)]
async fn a_read_in_flight_is_asked_again_with_the_wait_that_is_left() {
    let peer = Peer::new();
    let client = peer.client();
    let script = async {
        let mut connection = peer.accept().await;
        let Request::Get { wait: Millis(first), .. } = connection.next().await.request() else { panic!() };
        tokio::time::sleep(Duration::from_secs(3)).await;
        drop(connection);
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        let Request::Get { wait: Millis(second), .. } = asked.request() else { panic!() };
        assert!(second <= first - 3_000, "{first} {second}");
        connection.reply(asked.id, &token("abc")).await;
    };
    assert_eq!(tokio::join!(client.token("campus"), script).0.unwrap().secret(), "abc");
}

#[tokio::test]
async fn a_rejection_is_safe_to_repeat_and_is_repeated() {
    let peer = Peer::new();
    let client = peer.client();
    let mut connection = greeted(&client, &peer).await;
    let rejected = fetched(&client, &mut connection, "old").await;
    let script = async {
        let first = connection.next().await;
        assert!(matches!(first.request(), Request::Reject { .. }));
        drop(connection);
        let mut connection = peer.accept().await;
        let second = connection.next().await;
        assert_eq!(second.request(), first.request());
        connection.reply(second.id, &token("new")).await;
    };
    assert_eq!(tokio::join!(client.reject(&rejected), script).0.unwrap().secret(), "new");
}

#[tokio::test]
async fn what_may_have_happened_is_not_asked_twice() {
    let peer = Peer::new();
    let client = peer.client();
    let secret = Secret::from("RT-1");
    for call in 0..3 {
        let ask = async {
            match call {
                0 => client.refresh("campus").await.map(drop),
                1 => client.import("legacy", &secret).await.map(drop),
                _ => client.reload().await.map(drop),
            }
        };
        let script = async {
            let mut connection = peer.accept().await;
            connection.next().await;
        };
        let (result, ()) = tokio::join!(ask, script);
        assert!(matches!(result, Err(Error::Disconnected)), "{result:?}");
        assert!(!peer.is_called().await);
    }
}

#[tokio::test]
async fn what_was_never_sent_is_sent_over_the_next_connection_whatever_it_is() {
    let peer = Peer::new();
    let client = peer.client();
    // The daemon ends while nothing is asked.
    drop(greeted(&client, &peer).await);
    let stamp = Stamp::default();
    let fingerprint = Fingerprint::of(&Secret::from("abc"));
    let script = async {
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        connection
            .reply(asked.id, &Reply::Renewed(Renewed { fingerprint, expires_at: stamp, refresh_at: stamp }))
            .await;
    };
    assert_eq!(tokio::join!(client.refresh("campus"), script).0.unwrap().fingerprint, fingerprint);
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_the_daemon_is_waited_out() {
    let mut peer = Peer::new();
    let client = peer.client();
    drop(greeted(&client, &peer).await);
    peer.stop();
    let script = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        peer.listen();
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        connection.reply(asked.id, &token("abc")).await;
    };
    let start = Instant::now();
    assert_eq!(tokio::join!(client.token("campus"), script).0.unwrap().secret(), "abc");
    // The longest step of the backoff is 2 s.
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_takes_too_long_is_the_error_it_is_and_comes_when_the_wait_is_over() {
    let mut peer = Peer::new();
    let client = peer.client();
    drop(greeted(&client, &peer).await);
    peer.stop();
    let start = Instant::now();
    let error = client.token("campus").await.unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
    let took = start.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_secs(15)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_was_never_there_is_an_error_at_once_unless_it_is_to_be_waited_for() {
    let mut peer = Peer::absent();
    let start = Instant::now();
    let error = peer.client().token("campus").await.unwrap_err();
    assert!(matches!(error, Error::Connect(_)) && error.is_retryable(), "{error:?}");
    assert_eq!(start.elapsed(), Duration::ZERO);

    let client = Client::builder().socket(peer.path()).wait_for_daemon(true).build();
    let script = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        peer.listen();
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        connection.reply(asked.id, &pong()).await;
    };
    assert_eq!(tokio::join!(client.ping(), script).0.unwrap(), "1.2.3");
}

#[tokio::test(start_paused = true)]
async fn a_backlog_that_is_full_is_waited_out_by_a_first_call_too() {
    let peer = Peer::absent();
    let socket = tokio::net::UnixSocket::new_stream().unwrap();
    socket.bind(peer.path()).unwrap();
    let listener = socket.listen(0).unwrap();
    let _first = UnixStream::connect(peer.path()).await.unwrap();
    assert_eq!(UnixStream::connect(peer.path()).await.unwrap_err().kind(), ErrorKind::WouldBlock);
    let client = peer.client();
    let script = async {
        // By then the call has met the full backlog and waits.
        tokio::time::sleep(Duration::from_secs(1)).await;
        listener.accept().await.unwrap();
        let mut connection = Connection::new(listener.accept().await.unwrap().0);
        let asked = connection.next().await;
        connection.reply(asked.id, &pong()).await;
    };
    assert_eq!(tokio::join!(client.ping(), script).0.unwrap(), "1.2.3");
}

fn full() -> Reply {
    let message = "64 connections of this user".to_owned();
    Reply::Error(ErrorReply { code: ErrorCode::TooManyConnections, message, retry_after: None })
}

#[tokio::test]
async fn a_refusal_of_the_whole_connection_is_every_callers_answer() {
    let peer = Peer::new();
    let client = peer.client();
    let script = async {
        let mut connection = peer.accept().await;
        connection.next().await;
        connection.next().await;
        connection.reply(0, &full()).await;
    };
    let (a, b, ()) = tokio::join!(client.token("a"), client.refresh("b"), script);
    assert_eq!(a.unwrap_err().code(), Some(ErrorCode::TooManyConnections));
    assert_eq!(b.unwrap_err().code(), Some(ErrorCode::TooManyConnections));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_heard_also_when_the_daemon_hangs_up_without_listening() {
    let peer = Peer::new();
    let client = peer.client();
    for _ in 0..20 {
        let script = async { peer.accept().await.reply(0, &full()).await };
        let (result, ()) = tokio::join!(client.refresh("b"), script);
        assert_eq!(result.unwrap_err().code(), Some(ErrorCode::TooManyConnections));
    }
}
