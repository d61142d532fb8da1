//! Watches: what they bring, and what ends them.

use std::time::Duration;

use tokend_client::{Change, Client, Error, ErrorCode, Health, HealthReport, Watch};
use tokend_proto::{ErrorReply, Reply, Request, Unsupported};

use crate::peer::{Asked, Connection, Peer, fetched, greeted, pong};
use crate::script::lives_for;

pub(crate) fn token(text: &str) -> Reply {
    lives_for(text, Duration::from_secs(3_600))
}

fn health(health: Health) -> Reply {
    Reply::Health(HealthReport { name: "campus".into(), health, last_error: None, action: None })
}

pub(crate) fn error(code: ErrorCode) -> Reply {
    Reply::Error(ErrorReply { code, message: "so it is".into(), retry_after: None })
}

pub(crate) async fn watched(connection: &mut Connection) -> Asked {
    let asked = connection.next().await;
    assert_eq!(asked.request(), Request::Watch { name: "campus" });
    asked
}

async fn next_token(watch: &mut Watch) -> String {
    match watch.next().await.unwrap() {
        Change::Token(token) => token.secret().to_owned(),
        other => panic!("{other:?}"),
    }
}

async fn next_health(watch: &mut Watch) -> Health {
    match watch.next().await.unwrap() {
        Change::Health(report) => report.health,
        other => panic!("{other:?}"),
    }
}

/// A watch that has begun.
async fn begun(client: &Client, peer: &Peer) -> (Watch, Connection, u64) {
    let mut connection = greeted(client, peer).await;
    let mut watch = client.watch("campus").unwrap();
    let script = async {
        let id = watched(&mut connection).await.id;
        connection.reply(id, &token("first")).await;
        (connection, id)
    };
    let (first, (connection, id)) = tokio::join!(next_token(&mut watch), script);
    assert_eq!(first, "first");
    (watch, connection, id)
}

#[tokio::test]
async fn a_watch_tells_each_token_and_each_health_beside_other_calls() {
    let peer = Peer::new();
    let client = peer.client();
    let (mut watch, mut connection, id) = begun(&client, &peer).await;
    connection.reply(id, &health(Health::Good)).await;
    assert_eq!(next_health(&mut watch).await, Health::Good);
    assert_eq!(fetched(&client, &mut connection, "abc").await.secret(), "abc");
    connection.reply(id, &token("second")).await;
    assert_eq!(next_token(&mut watch).await, "second");
}

#[tokio::test]
async fn who_does_not_look_finds_the_newest() {
    let peer = Peer::new();
    let client = peer.client();
    let (mut watch, mut connection, id) = begun(&client, &peer).await;
    for n in 0..100 {
        connection.reply(id, &token(&format!("token-{n}"))).await;
        connection.reply(id, &health(Health::Failing)).await;
    }
    connection.reply(id, &health(Health::Good)).await;
    // An answer to what was asked after all that.
    fetched(&client, &mut connection, "abc").await;
    assert_eq!(next_token(&mut watch).await, "token-99");
    assert_eq!(next_health(&mut watch).await, Health::Good);
}

// Time passes where all wait for it alone: nobody waits for these seconds.
#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_when_the_daemon_was_restarted() {
    let mut peer = Peer::new();
    let client = peer.client();
    let (mut watch, connection, _) = begun(&client, &peer).await;
    drop(connection);
    peer.stop();
    assert!(matches!(watch.next().await.unwrap(), Change::Interrupted(_)));
    let script = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        peer.listen();
        let mut connection = peer.accept().await;
        let id = watched(&mut connection).await.id;
        // The token that is known is nothing new.
        connection.reply(id, &token("first")).await;
        connection.reply(id, &token("second")).await;
        connection
    };
    let (next, _connection) = tokio::join!(
        async {
            loop {
                match watch.next().await.unwrap() {
                    Change::Token(token) if token.secret() == "second" => return,
                    // Another moment of expiry, so another token.
                    Change::Token(token) => assert_eq!(token.secret(), "first"),
                    other => panic!("told once: {other:?}"),
                }
            }
        },
        script
    );
    let () = next;
}

#[tokio::test]
async fn a_daemon_that_stops_is_watched_again_and_one_that_refuses_is_not() {
    let peer = Peer::new();
    let client = peer.client();
    let (mut watch, mut connection, id) = begun(&client, &peer).await;
    connection.reply(id, &error(ErrorCode::Busy)).await;
    assert!(matches!(watch.next().await.unwrap(), Change::Interrupted(error) if error.code() == Some(ErrorCode::Busy)));
    let script = async {
        let id = watched(&mut connection).await.id;
        connection.reply(id, &error(ErrorCode::Denied)).await;
        connection
    };
    let (refused, mut connection) = tokio::join!(watch.next(), script);
    assert_eq!(refused.unwrap_err().code(), Some(ErrorCode::Denied));
    drop(watch);
    let older = Reply::Unsupported(Unsupported { versions: vec![1], message: "unknown request number 10".into() });
    let mut watch = client.watch("campus").unwrap();
    let script = async {
        let id = watched(&mut connection).await.id;
        connection.reply(id, &older).await;
    };
    let (refused, ()) = tokio::join!(watch.next(), script);
    assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");
}

#[tokio::test]
async fn a_daemon_that_was_never_there_is_not_waited_for() {
    let peer = Peer::absent();
    let refused = peer.client().watch("campus").unwrap().next().await;
    assert!(matches!(refused, Err(Error::Connect(_))), "{refused:?}");
}

#[tokio::test]
async fn a_watch_that_is_dropped_is_ended_at_the_daemon() {
    let peer = Peer::new();
    let client = peer.client();
    let (watch, mut connection, id) = begun(&client, &peer).await;
    drop(watch);
    let asked = connection.next().await;
    assert_eq!(asked.request(), Request::Unwatch { watch: id });
    // What was on its way harms nobody.
    connection.reply(id, &token("late")).await;
    connection.reply(asked.id, &Reply::Unwatched).await;
    assert_eq!(fetched(&client, &mut connection, "abc").await.secret(), "abc");
}

#[tokio::test]
async fn an_answer_that_is_no_news_ends_it() {
    let peer = Peer::new();
    let client = peer.client();
    let (mut watch, mut connection, id) = begun(&client, &peer).await;
    connection.reply(id, &pong()).await;
    assert!(matches!(watch.next().await, Err(Error::Protocol(_))));
    assert_eq!(connection.next().await.request(), Request::Unwatch { watch: id });
}

#[tokio::test]
async fn so_many_names_are_watched_that_calls_have_room() {
    let peer = Peer::new();
    let client = peer.client();
    let watches: Vec<Watch> = (0..192).map(|_| client.watch("campus").unwrap()).collect();
    assert!(matches!(client.watch("campus"), Err(Error::TooManyWatches(192))));
    drop(watches);
    client.watch("campus").unwrap();
    assert!(matches!(client.watch("no name"), Err(Error::InvalidName(_))));
}
