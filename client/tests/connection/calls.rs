//! What is asked and what comes back, while all is well.

use std::time::Duration;

use tokend_client::{Client, Error, ErrorCode, Secret, TokenOptions};
use tokend_proto::limits::MAX_IN_FLIGHT;
use tokend_proto::{ErrorReply, Flags, Header, Imported, Millis, Reply, Request, Unsupported, codec};

use crate::peer::{Peer, fetched, pong, token};
use crate::script::frame;

#[tokio::test]
async fn replies_reach_their_callers_in_any_order_over_one_connection() {
    let peer = Peer::new();
    let client = peer.client();
    let script = async {
        let mut connection = peer.accept().await;
        let mut asked = [connection.next().await, connection.next().await, connection.next().await];
        asked.sort_by(|a, b| b.name().cmp(a.name()));
        for one in &asked {
            connection.reply(one.id, &token(&format!("token-of-{}", one.name()))).await;
        }
    };
    let (a, b, c, ()) = tokio::join!(client.token("a"), client.token("b"), client.token("c"), script);
    assert_eq!([a, b, c].map(|it| it.unwrap().secret().to_owned()), ["token-of-a", "token-of-b", "token-of-c"]);
    assert!(!peer.is_called().await);
}

#[tokio::test]
async fn wishes_reach_the_daemon_and_flags_the_caller() {
    let peer = Peer::new();
    let client = peer.client();
    let options = TokenOptions { min_ttl: Duration::from_secs(90), wait: Some(Duration::ZERO) };
    let script = async {
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        assert_eq!(asked.request(), Request::Get { name: "campus", min_ttl: Millis(90_000), wait: Millis(0) });
        let flags = Flags::FALLS_SHORT;
        connection.send(&codec::encode_reply(asked.id, flags, &token("abc")).unwrap()).await;
        // A complaint about the token keeps its wish.
        let asked = connection.next().await;
        let Request::Reject { name: "campus", min_ttl: Millis(90_000), .. } = asked.request() else {
            panic!("{:?}", asked.request())
        };
        connection.reply(asked.id, &token("def")).await;
    };
    let calls = async {
        let token = client.token_with("campus", options).await.unwrap();
        assert!(token.falls_short() && !token.renewing());
        client.reject(&token).await.unwrap()
    };
    let (token, ()) = tokio::join!(calls, script);
    assert_eq!((token.secret(), token.name()), ("def", "campus"));
}

#[tokio::test]
async fn the_daemons_refusal_keeps_its_code_words_and_seconds() {
    let peer = Peer::new();
    let client = peer.client();
    let script = async {
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        let retry_after = Some(Millis(1_500));
        let refusal = ErrorReply { code: ErrorCode::Throttled, message: "too fast".into(), retry_after };
        connection.reply(asked.id, &Reply::Error(refusal)).await;
    };
    let (result, ()) = tokio::join!(client.token("campus"), script);
    let error = result.unwrap_err();
    assert_eq!(
        (error.code(), error.is_retryable(), error.to_string()),
        (Some(ErrorCode::Throttled), true, "too fast".into())
    );
    let Error::Daemon(refusal) = error else { panic!("{error:?}") };
    assert_eq!(refusal.retry_after, Some(Duration::from_millis(1_500)));
}

#[tokio::test]
async fn another_version_is_told_and_the_connection_goes_on() {
    let peer = Peer::new();
    let client = peer.client();
    let script = async {
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        let reply = Unsupported { versions: vec![2, 3], message: "version 1".into() };
        connection.reply(asked.id, &Reply::Unsupported(reply)).await;
        let asked = connection.next().await;
        connection.send(&frame(Header { version: 9, ..Header::new(asked.id) }, b"\xff of the future")).await;
        let asked = connection.next().await;
        connection.reply(asked.id, &pong()).await;
    };
    let calls = async {
        for expected in [vec![2, 3], vec![9]] {
            let error = client.ping().await.unwrap_err();
            assert!(matches!(&error, Error::Unsupported(why) if why.versions == expected), "{error:?}");
        }
        client.ping().await.unwrap()
    };
    assert_eq!(tokio::join!(calls, script).0, "1.2.3");
}

#[tokio::test]
async fn a_reply_to_another_question_is_an_error_of_that_call() {
    let peer = Peer::new();
    let client = peer.client();
    let script = async {
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        connection.reply(asked.id, &pong()).await;
    };
    let (result, ()) = tokio::join!(client.token("campus"), script);
    assert!(matches!(result, Err(Error::Protocol(_))), "{result:?}");
}

#[tokio::test]
async fn what_can_be_no_name_is_refused_without_a_connection() {
    let peer = Peer::new();
    let client = peer.client();
    let secret = Secret::from("RT");
    assert!(matches!(client.token("a b").await, Err(Error::InvalidName(_))));
    assert!(matches!(client.status(Some("a/")).await, Err(Error::InvalidName(_))));
    assert!(matches!(client.tenants("a/b").await, Err(Error::InvalidName(_))));
    assert!(matches!(client.import("", &secret).await, Err(Error::InvalidName(_))));
    let long = Secret::new("x".repeat(70_000));
    assert!(matches!(client.import("legacy", &long).await, Err(Error::TooLong(_))));
    assert!(!peer.is_called().await);
}

#[tokio::test]
async fn a_refresh_token_reaches_the_daemon_whole() {
    let peer = Peer::new();
    let client = peer.client();
    // Longer than one write, should the socket take less.
    let secret = Secret::new("r".repeat(8 * 1024));
    let script = async {
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        let Request::Import { name: "legacy", refresh_token } = asked.request() else { panic!() };
        assert_eq!(refresh_token.to_secret(), secret);
        connection.reply(asked.id, &Reply::Imported(Imported { changed: true, message: "new".into() })).await;
    };
    assert!(tokio::join!(client.import("legacy", &secret), script).0.unwrap().changed);
}

#[tokio::test]
async fn no_more_requests_are_in_flight_than_the_daemon_takes() {
    let peer = Peer::new();
    let client = peer.client();
    let more = 40;
    let calls: Vec<_> = (0..MAX_IN_FLIGHT + more)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.token("campus").await })
        })
        .collect();
    let mut connection = peer.accept().await;
    let mut asked = Vec::new();
    for _ in 0..MAX_IN_FLIGHT {
        asked.push(connection.next().await.id);
    }
    let one_too_many = tokio::time::timeout(Duration::from_millis(100), connection.next()).await;
    assert!(one_too_many.is_err());
    for id in asked {
        connection.reply(id, &token("abc")).await;
    }
    for _ in 0..more {
        let asked = connection.next().await;
        connection.reply(asked.id, &token("abc")).await;
    }
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_late_answer_to_a_call_that_was_given_up_harms_nobody() {
    let peer = Peer::new();
    let client = peer.client();
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.token("slow").await }
    });
    let mut connection = peer.accept().await;
    let given_up = connection.next().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    connection.reply(given_up.id, &token("late")).await;
    assert_eq!(fetched(&client, &mut connection, "abc").await.secret(), "abc");
}

#[tokio::test]
async fn connect_has_spoken_with_the_daemon() {
    let peer = Peer::new();
    let script = async {
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        assert_eq!(asked.request(), Request::Ping);
        connection.reply(asked.id, &pong()).await;
    };
    assert!(tokio::join!(Client::connect(peer.path()), script).0.is_ok());
}

#[test]
fn a_client_outlives_the_runtime_of_its_first_call() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, dir) = {
        let peer = Peer::absent();
        (peer.client(), peer)
    };
    for _ in 0..2 {
        runtime().block_on(async {
            let listener = tokio::net::UnixListener::bind(dir.path()).unwrap();
            let script = async {
                let mut connection = crate::peer::Connection::new(listener.accept().await.unwrap().0);
                let asked = connection.next().await;
                connection.reply(asked.id, &pong()).await;
            };
            assert_eq!(tokio::join!(client.ping(), script).0.unwrap(), "1.2.3");
        });
        std::fs::remove_file(dir.path()).unwrap();
    }
}
