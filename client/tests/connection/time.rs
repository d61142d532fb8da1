//! Nothing is waited for without end.

use std::time::Duration;

use tokend_client::{Error, TokenOptions};
use tokio::time::Instant;

use crate::peer::{Peer, fetched, greeted};

#[tokio::test(start_paused = true)]
async fn a_daemon_that_does_not_answer_is_given_up_soon_after_the_wait() {
    let peer = Peer::new();
    let client = peer.client();
    let options = TokenOptions { wait: Some(Duration::from_secs(20)), ..TokenOptions::default() };
    let start = Instant::now();
    let (result, _open) = tokio::join!(client.token_with("campus", options), peer.accept());
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Timeout(_)) && error.is_retryable(), "{error:?}");
    let took = start.elapsed();
    assert!((Duration::from_secs(20)..=Duration::from_secs(25)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_first_call_waits_for_no_timer() {
    let peer = Peer::new();
    // Timers go off at whole milliseconds: between two of them, one that is due is still waited for.
    tokio::time::advance(Duration::from_micros(300)).await;
    let start = Instant::now();
    greeted(&peer.client(), &peer).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_is_answered_is_replaced() {
    let peer = Peer::new();
    let client = peer.client();
    let (result, mut stuck) = tokio::join!(client.ping(), peer.accept());
    assert!(matches!(result, Err(Error::Timeout(_))));
    stuck.next().await;
    stuck.closed().await;
    greeted(&client, &peer).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_let_go_before_the_daemon_does_it() {
    let peer = Peer::new();
    let client = peer.client();
    let mut connection = greeted(&client, &peer).await;
    assert_eq!(fetched(&client, &mut connection, "abc").await.secret(), "abc");
    let start = Instant::now();
    connection.closed().await;
    let took = start.elapsed();
    assert!(took > Duration::from_secs(3 * 60) && took < tokend_proto::limits::IDLE_TIME, "{took:?}");
    greeted(&client, &peer).await;
}
