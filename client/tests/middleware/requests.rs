//! What the API sees, and what the caller gets.

use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, reqwest};
use tokend_client::{BearerToken, Error, Fingerprint, Secret};
use tokend_proto::{ErrorCode, ErrorReply, Reply, Request};

use crate::api::{Api, Seen};
use crate::peer::{Peer, token};

fn http(middleware: BearerToken) -> ClientWithMiddleware {
    // The first of these tests does it for all.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    ClientBuilder::new(client).with(middleware).build()
}

fn with(token: &str, body: &str) -> Seen {
    (Some(format!("Bearer {token}")), body.to_owned())
}

/// Gives out `old`, and for a complaint about it this.
async fn daemon(peer: &Peer, replacement: Reply) {
    let mut connection = peer.accept().await;
    let asked = connection.next().await;
    assert!(matches!(asked.request(), Request::Get { name: "campus", .. }), "{:?}", asked.request());
    connection.reply(asked.id, &token("old")).await;
    let asked = connection.next().await;
    let Request::Reject { name: "campus", fingerprint, .. } = asked.request() else { panic!("{:?}", asked.request()) };
    assert_eq!(fingerprint, Fingerprint::of(&Secret::from("old")));
    connection.reply(asked.id, &replacement).await;
    assert!(!peer.is_called().await);
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_and_the_request_sent_once_more() {
    let (peer, api) = (Peer::new(), Api::taking("new").await);
    let http = http(BearerToken::new(peer.client(), "campus"));
    let (response, ()) = tokio::join!(http.post(&api.url).body("hello").send(), daemon(&peer, token("new")));
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(api.seen(), [with("old", "hello"), with("new", "hello")]);
}

#[tokio::test]
async fn the_second_refusal_is_the_answer() {
    let (peer, api) = (Peer::new(), Api::taking("another").await);
    let http = http(BearerToken::new(peer.client(), "campus"));
    let (response, ()) = tokio::join!(http.get(&api.url).send(), daemon(&peer, token("new")));
    assert_eq!(response.unwrap().status(), 401);
    assert_eq!(api.seen(), [with("old", ""), with("new", "")]);
}

#[tokio::test]
async fn without_another_token_the_refusal_is_the_answer() {
    let throttled = ErrorReply { code: ErrorCode::Throttled, message: "too fast".into(), retry_after: None };
    for replacement in [Reply::Error(throttled), token("old")] {
        let (peer, api) = (Peer::new(), Api::taking("new").await);
        let http = http(BearerToken::new(peer.client(), "campus"));
        let (response, ()) = tokio::join!(http.get(&api.url).send(), daemon(&peer, replacement));
        assert_eq!(response.unwrap().status(), 401);
        assert_eq!(api.seen(), [with("old", "")]);
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_sent_twice_is_sent_once_and_the_daemon_is_told_all_the_same() {
    let (peer, api) = (Peer::new(), Api::taking("new").await);
    let http = http(BearerToken::new(peer.client(), "campus"));
    let stream = reqwest::Body::wrap(http_body_util::Full::new(bytes::Bytes::from_static(b"hello")));
    let request = http.post(&api.url).body(stream);
    assert!(request.try_clone().is_none());
    // `daemon` waits for the complaint.
    let (response, ()) = tokio::join!(request.send(), daemon(&peer, token("new")));
    assert_eq!(response.unwrap().status(), 401);
    assert_eq!(api.seen(), [with("old", "hello")]);
}

#[tokio::test]
async fn a_good_token_is_sent_once() {
    let (peer, api) = (Peer::new(), Api::taking("good").await);
    let http = http(BearerToken::new(peer.client(), "campus").host("127.0.0.1"));
    let script = async {
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        connection.reply(asked.id, &token("good")).await;
    };
    let (response, ()) = tokio::join!(http.get(&api.url).send(), script);
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(api.seen(), [with("good", "")]);
}

#[tokio::test]
async fn another_host_and_a_request_with_a_token_of_its_own_are_left_alone() {
    let (peer, api) = (Peer::new(), Api::taking("good").await);
    let elsewhere = http(BearerToken::new(peer.client(), "campus").host("api.example.net"));
    assert_eq!(elsewhere.get(&api.url).send().await.unwrap().status(), 401);
    let here = http(BearerToken::new(peer.client(), "campus"));
    assert_eq!(here.get(&api.url).bearer_auth("good").send().await.unwrap().status(), 200);
    assert_eq!(api.seen(), [(None, String::new()), with("good", "")]);
    assert!(!peer.is_called().await);
}

#[tokio::test]
async fn a_daemon_that_is_not_there_is_the_callers_error_and_nothing_is_sent() {
    let (peer, api) = (Peer::absent(), Api::taking("good").await);
    let http = http(BearerToken::new(peer.client(), "campus"));
    let Err(reqwest_middleware::Error::Middleware(error)) = http.get(&api.url).send().await else { panic!() };
    assert!(matches!(error.downcast_ref(), Some(Error::Connect(_))), "{error:?}");
    assert_eq!(api.seen(), []);
}
