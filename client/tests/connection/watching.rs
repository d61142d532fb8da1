//! Watches and what is kept in process.

use std::time::Duration;

use tokend_client::{Change, Client, Error, ErrorCode, Health, HealthReport, Watch};
use tokend_proto::{ErrorReply, Fingerprint, Flags, Reply, Request, Secret, Stamp, Token, Unsupported, codec};

use crate::peer::{Asked, Connection, Peer, fetched, greeted, pong};

fn boot_ms() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).unwrap();
    now.tv_sec() as u64 * 1_000 + now.tv_nsec() as u64 / 1_000_000
}

fn lives_for(text: &str, life: Duration) -> Reply {
    let access_token = Secret::from(text);
    let at = |boot_ms| Stamp { boot_ms, unix_ms: 0 };
    let end = boot_ms() + life.as_millis() as u64;
    Reply::Token(Token {
        fingerprint: Fingerprint::of(&access_token),
        access_token,
        token_type: "Bearer".into(),
        issued_at: at(0),
        expires_at: at(end + 3_600_000),
        refresh_at: at(end),
    })
}

fn token(text: &str) -> Reply {
    lives_for(text, Duration::from_secs(3_600))
}

fn health(health: Health) -> Reply {
    Reply::Health(HealthReport { name: "campus".into(), health, last_error: None, action: None })
}

fn error(code: ErrorCode) -> Reply {
    Reply::Error(ErrorReply { code, message: "so it is".into(), retry_after: None })
}

async fn watched(connection: &mut Connection) -> Asked {
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

#[tokio::test]
async fn a_watch_goes_on_when_the_daemon_was_restarted() {
    let mut peer = Peer::new();
    let client = peer.client();
    let (mut watch, connection, _) = begun(&client, &peer).await;
    drop(connection);
    peer.stop();
    assert!(matches!(watch.next().await.unwrap(), Change::Interrupted(_)));
    let script = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
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
    assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_daemon_that_was_never_there_is_not_waited_for() {
    let peer = Peer::absent();
    let refused = peer.client().watch("campus").unwrap().next().await;
    assert!(matches!(refused, Err(Error::Connect { .. })), "{refused:?}");
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
    assert!(matches!(client.watch("no name"), Err(Error::InvalidName { .. })));
}

/// Has the first token asked for, and then followed.
async fn kept(client: &Client, peer: &Peer) -> (tokend_client::Cached, Connection, u64) {
    let cached = client.cached("campus").unwrap();
    let script = async {
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        assert_eq!(asked.name(), "campus");
        connection.reply(asked.id, &token("asked")).await;
        let id = watched(&mut connection).await.id;
        connection.reply(id, &token("kept")).await;
        (connection, id)
    };
    let first = async {
        assert_eq!(cached.token().await.unwrap().secret(), "asked");
        until(|| cached.current().is_some()).await;
    };
    let ((), (connection, id)) = tokio::join!(first, script);
    (cached, connection, id)
}

async fn until(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it comes to it");
}

#[tokio::test]
async fn after_the_first_call_nothing_is_asked_and_rotations_are_followed() {
    let peer = Peer::new();
    let client = peer.client();
    let (cached, mut connection, id) = kept(&client, &peer).await;
    for _ in 0..1_000 {
        assert_eq!(cached.token().await.unwrap().secret(), "kept");
    }
    connection.reply(id, &token("rotated")).await;
    until(|| cached.current().is_some_and(|token| token.secret() == "rotated")).await;
    // Nothing was asked but the end of it.
    drop(cached);
    assert_eq!(connection.next().await.request(), Request::Unwatch { watch: id });
}

#[tokio::test]
async fn a_token_past_its_refresh_is_not_given_out_and_the_daemon_is_asked() {
    let peer = Peer::new();
    let client = peer.client();
    let (cached, mut connection, id) = kept(&client, &peer).await;
    connection.reply(id, &lives_for("short", Duration::from_millis(300))).await;
    until(|| cached.current().is_none_or(|token| token.secret() == "short")).await;
    while let Some(token) = cached.current() {
        let refresh = token.refresh_at().boot_ms;
        assert!(boot_ms() < refresh + 60_000, "it is given out for ever");
        tokio::task::yield_now().await;
    }
    assert_eq!(cached.token_of_the_daemon(&mut connection).await, "asked-again");
}

#[tokio::test]
async fn a_token_that_is_about_to_die_is_not_given_out() {
    let peer = Peer::new();
    let client = peer.client();
    let (cached, mut connection, id) = kept(&client, &peer).await;
    connection.send(&codec::encode_reply(id, Flags::RENEWING, &token("kept")).unwrap()).await;
    until(|| cached.current().is_none()).await;
    assert_eq!(cached.token_of_the_daemon(&mut connection).await, "asked-again");
    connection.reply(id, &token("new")).await;
    until(|| cached.current().is_some_and(|token| token.secret() == "new")).await;
}

#[tokio::test]
async fn who_may_not_read_any_more_is_given_nothing_out_of_memory() {
    let peer = Peer::new();
    let client = peer.client();
    let (cached, mut connection, id) = kept(&client, &peer).await;
    connection.reply(id, &error(ErrorCode::Denied)).await;
    until(|| cached.current().is_none()).await;
    let script = async {
        let asked = connection.next().await;
        connection.reply(asked.id, &error(ErrorCode::Denied)).await;
    };
    let (refused, ()) = tokio::join!(cached.token(), script);
    assert_eq!(refused.unwrap_err().code(), Some(ErrorCode::Denied));
}

#[tokio::test]
async fn a_cache_keeps_names_that_there_are() {
    let peer = Peer::new();
    let cache = peer.client().cache();
    let script = async {
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        connection.reply(asked.id, &error(ErrorCode::NoSuchName)).await;
        let asked = connection.next().await;
        connection.reply(asked.id, &token("asked")).await;
        let id = watched(&mut connection).await.id;
        connection.reply(id, &token("kept")).await;
        connection
    };
    let calls = async {
        assert_eq!(cache.token("nobody").await.unwrap_err().code(), Some(ErrorCode::NoSuchName));
        assert_eq!(cache.token("campus").await.unwrap().secret(), "asked");
        until(|| cache.current("campus").is_some()).await;
        assert_eq!(cache.clone().token("campus").await.unwrap().secret(), "kept");
        assert!(cache.current("nobody").is_none());
    };
    let ((), _connection) = tokio::join!(calls, script);
}

#[test]
fn a_runtime_that_ended_leaves_nothing_that_nobody_follows() {
    let peer = Peer::absent();
    let client = peer.client();
    let mut peer = peer;
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let cached = {
        let _entered = first.enter();
        peer.listen();
        first.block_on(kept(&client, &peer)).0
    };
    drop(first);
    assert!(cached.current().is_none());
}

#[test]
fn handles_can_be_shared() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<tokend_client::Cache>();
    shared::<tokend_client::Cached>();
    fn sent<T: Send>() {}
    sent::<Watch>();
    sent::<tokend_client::CachedToken>();
}

trait Ask {
    async fn token_of_the_daemon(&self, connection: &mut Connection) -> String;
}

impl Ask for tokend_client::Cached {
    async fn token_of_the_daemon(&self, connection: &mut Connection) -> String {
        let script = async {
            let asked = connection.next().await;
            assert_eq!(asked.name(), "campus");
            connection.reply(asked.id, &token("asked-again")).await;
        };
        let (token, ()) = tokio::join!(self.token(), script);
        token.unwrap().secret().to_owned()
    }
}
