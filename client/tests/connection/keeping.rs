//! Tokens that are kept in process.

use std::collections::BTreeMap;
use std::time::Duration;

use tokend_client::{Cache, Cached, CachedToken, Client, ErrorCode, Token, Watch};
use tokend_proto::{Flags, Request, codec};

use crate::peer::{Connection, Peer};
use crate::script::{boot_ms, lives_for};
use crate::watching::{error, token, watched};

/// Has the first token asked for, and then followed.
async fn kept(client: &Client, peer: &Peer) -> (Cached, Connection, u64) {
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
            tokio::task::yield_now().await;
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

/// Names that one client follows; README.md has the number.
const KEPT: usize = 192;

#[tokio::test]
async fn names_beyond_192_are_asked_for_each_time_and_a_further_client_has_room() {
    let peer = Peer::new();
    let cache = peer.client().cache();
    let names: Vec<String> = (0..=KEPT).map(|n| format!("name-{n:03}")).collect();
    let extra = names.last().unwrap();
    let calls = async {
        for name in &names {
            assert_eq!(cache.token(name).await.unwrap().secret(), *name);
        }
        until(|| names[..KEPT].iter().all(|name| cache.current(name).is_some())).await;
        for _ in 0..3 {
            for name in &names {
                assert_eq!(cache.token(name).await.unwrap().secret(), *name);
            }
            assert!(cache.current(extra).is_none());
        }
        // A client of its own has a connection of its own.
        let further = peer.client().cached(extra).unwrap();
        assert_eq!(further.token().await.unwrap().secret(), *extra);
        until(|| further.current().is_some()).await;
        further
    };
    let mut asked = BTreeMap::new();
    let script = async {
        let mut first = peer.accept().await;
        loop {
            tokio::select! {
                name = answered(&mut first) => *asked.entry(name).or_insert(0) += 1,
                mut second = peer.accept() => loop { answered(&mut second).await; },
            }
        }
    };
    let further = tokio::select! {
        further = calls => further,
        () = script => unreachable!("it has no end"),
    };
    assert!(further.current().is_some());
    let times = |name: &str| asked[name];
    assert!(names[..KEPT].iter().all(|name| times(name) == 2), "asked once, and watched: {asked:?}");
    assert_eq!(times(extra), 4, "asked each time, and not watched");
}

/// Answers a `Get` or a `Watch` with a token that is the name itself.
async fn answered(connection: &mut Connection) -> String {
    let asked = connection.next().await;
    let (Request::Get { name, .. } | Request::Watch { name }) = asked.request() else {
        panic!("{:?}", asked.request())
    };
    connection.reply(asked.id, &token(name)).await;
    name.to_owned()
}

#[tokio::test]
async fn a_token_of_a_cache_becomes_one_of_the_callers_own() {
    let peer = Peer::new();
    let client = peer.client();
    let (cached, mut connection, id) = kept(&client, &peer).await;
    let held = cached.current().unwrap();
    let own = Token::from(cached.current().unwrap());
    connection.reply(id, &token("rotated")).await;
    until(|| cached.current().is_some_and(|token| token.secret() == "rotated")).await;
    assert_eq!((own.secret(), held.secret()), ("kept", "kept"));
    assert_eq!(Token::from(held).secret(), "kept");
}

#[tokio::test]
async fn what_a_read_from_memory_waits_with_is_small() {
    let cached = Peer::absent().client().cached("campus").unwrap();
    // A task that keeps it across an await has it inside.
    assert!(size_of_val(&cached.token()) <= 32, "{}", size_of_val(&cached.token()));
    assert!(size_of::<CachedToken>() <= 16);
}

#[test]
fn handles_can_be_shared() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Cache>();
    shared::<Cached>();
    fn sent<T: Send>() {}
    sent::<Watch>();
    sent::<CachedToken>();
}

trait Ask {
    async fn token_of_the_daemon(&self, connection: &mut Connection) -> String;
}

impl Ask for Cached {
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
