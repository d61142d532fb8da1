//! Many peers asking at once for a name that has no token: one request at the provider, and a token for each of them.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::time::Duration;

use harness::{PATIENCE, World};
use sandbox::{Endpoint, Fault, FaultRule};
use tokend_client::{Client, Error, Token, TokenOptions};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const PEERS: usize = 200;

/// Has so many peers, each with a connection of its own, ask for a name of which the provider gives nothing before all
/// of them wait. Says how often each endpoint was asked.
fn all_at_once(world: &World, name: &'static str) -> BTreeMap<Endpoint, u64> {
    // No request is handled while this is held, so there can be no token yet.
    let held = world.provider().provider();
    let daemon = world.start();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (waits, mut waiting) = mpsc::unbounded_channel();
    let mut peers = JoinSet::new();
    for _ in 0..PEERS {
        let (socket, waits) = (world.socket(), waits.clone());
        peers.spawn_on(
            async move { ask(Client::builder().socket(socket).build(), name, waits).await },
            runtime.handle(),
        );
    }
    runtime.block_on(async {
        for _ in 0..PEERS {
            tokio::time::timeout(PATIENCE, waiting.recv()).await.expect("every peer is heard").unwrap();
        }
    });
    drop(held);

    let tokens = runtime.block_on(peers.join_all());
    let tokens: Vec<Token> = tokens.into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(tokens.len(), PEERS);
    assert!(tokens.iter().all(|token| token.secret() == tokens[0].secret()), "they were given different tokens");
    let provider = world.provider().provider();
    assert!(provider.accepts(world.provider().now(), tokens[0].secret()));
    let counts = provider.log().counts().clone();
    println!("{name}: {PEERS} peers, requests at the provider: {counts:?}");
    drop(provider);
    assert!(daemon.terminate().success());
    counts
}

/// Asks for a token, and says so once the daemon has taken the question: requests of a connection are taken in their
/// order, so that an answer to the ping means that the one before it waits.
async fn ask(client: Client, name: &str, waits: mpsc::UnboundedSender<()>) -> Result<Token, Error> {
    let options = TokenOptions { wait: Some(PATIENCE), ..TokenOptions::default() };
    let ping = async {
        client.ping().await.expect("the daemon is there");
        waits.send(()).expect("the test waits for it");
    };
    let (token, ()) = tokio::join!(biased; client.token_with(name, options), ping);
    token
}

#[test]
fn two_hundred_peers_ask_at_once_and_central_is_asked_once() {
    let world = World::new(31);
    world.configure("", &[world.central("campus")]);
    assert_eq!(all_at_once(&world, "campus"), BTreeMap::from([(Endpoint::CentralToken, 1)]));
}

#[test]
fn two_hundred_peers_ask_at_once_for_a_tenant_by_name_and_everything_is_asked_once() {
    let world = World::new(32);
    world.configure("", &[world.glp("msp", &[])]);
    let once = [Endpoint::WorkspaceToken, Endpoint::MspTenants, Endpoint::TenantExchange].map(|it| (it, 1));
    assert_eq!(all_at_once(&world, "msp/Globex"), BTreeMap::from(once));
}

#[test]
fn two_hundred_peers_ask_at_once_for_an_empty_chain_and_there_is_one_login() {
    let world = World::new(33);
    world.configure("", &[world.classic_with_login("onprem")]);
    let once = [Endpoint::Login, Endpoint::Authorize, Endpoint::ClassicCode].map(|it| (it, 1));
    assert_eq!(all_at_once(&world, "onprem"), BTreeMap::from(once));
}

#[test]
fn two_hundred_peers_share_the_fate_of_one_request_that_fails_and_of_the_next_that_does_not() {
    let world = World::new(34);
    world.configure("", &[world.central("campus")]);
    let rule = FaultRule::new(Fault::Status { status: 500, retry_after: None }).at(Endpoint::CentralToken).times(2);
    world.provider().provider().add_fault(rule);
    let slow = FaultRule::new(Fault::Delay(500)).at(Endpoint::CentralToken).forever();
    world.provider().provider().add_fault(slow);
    assert_eq!(all_at_once(&world, "campus"), BTreeMap::from([(Endpoint::CentralToken, 3)]));
}

#[test]
fn peers_that_do_not_wait_are_told_so_and_cost_no_request_of_their_own() {
    let world = World::new(35);
    world.configure("", &[world.central("campus")]);
    world.provider().provider().add_fault(FaultRule::new(Fault::Delay(5_000)).at(Endpoint::CentralToken));
    let daemon = world.start();
    let asked = |provider: &sandbox::Provider| provider.count(Endpoint::CentralToken) == 1;
    assert!(world.provider().wait_until(PATIENCE, asked));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let impatient = TokenOptions { wait: Some(Duration::ZERO), ..TokenOptions::default() };
    let answers = runtime.block_on(async {
        let mut peers = JoinSet::new();
        for _ in 0..PEERS {
            let client = Client::builder().socket(world.socket()).build();
            peers.spawn(async move { client.token_with("campus", impatient).await });
        }
        peers.join_all().await
    });
    let refused = answers.iter().filter(|answer| answer.is_err()).count();
    for error in answers.into_iter().filter_map(Result::err) {
        assert_eq!(error.code(), Some(tokend_client::ErrorCode::Unavailable), "{error}");
        assert_eq!(error.to_string(), "campus has no good token yet; its request is under way");
    }
    println!("{refused} of {PEERS} were told that the request is under way");
    assert!(refused > 0, "the provider was too fast for this test to say anything");
    assert!(!world.ctl().token("campus").is_empty());
    assert_eq!(world.provider().provider().count(Endpoint::CentralToken), 1);
    assert!(daemon.terminate().success());
}
