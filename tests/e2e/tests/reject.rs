//! A peer's API call was answered 401, and it says so: what that costs the provider, and what it must not cost others.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::thread;
use std::time::Duration;

use harness::reading::{Stop, Tally, read_frames, read_with_client};
use harness::{Daemon, PATIENCE, Ran, World, boot_ms, until};
use sandbox::{Endpoint, Provider};
use serde_json::Value;
use tokend_client::{Client, Error, ErrorCode, Fingerprint, Secret, Token};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const PEERS: usize = 50;

/// A world with a token under `campus`, `msp`, its warm tenant, and `legacy`; nothing of it is due for renewal.
fn world(seed: u64) -> (World, Daemon) {
    let world = World::new(seed);
    world.configure("", &[world.central("campus"), world.glp("msp", &["Acme Corp"]), world.classic("legacy")]);
    let daemon = world.start();
    let file = world.download_token("download.json");
    let ran = world.ctl().run(&["import", "legacy", file.to_str().unwrap()]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    for name in ["campus", "msp", &warm(&world), "legacy"] {
        let _ = world.ctl().token(name);
    }
    world.provider().provider().clear_log();
    (world, daemon)
}

fn warm(world: &World) -> String {
    format!("msp/{}", world.population.tenants[0].0)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn client(world: &World) -> Client {
    Client::builder().socket(world.socket()).build()
}

fn tokens_issued(world: &World) -> u64 {
    let provider = world.provider().provider();
    let endpoints =
        [Endpoint::CentralToken, Endpoint::WorkspaceToken, Endpoint::TenantExchange, Endpoint::ClassicRefresh];
    endpoints.iter().map(|endpoint| provider.count(*endpoint)).sum()
}

fn throttled(error: &Error) -> Option<Duration> {
    match error {
        Error::Daemon(refusal) if refusal.code == ErrorCode::Throttled => refusal.retry_after,
        _ => None,
    }
}

/// Has so many peers complain about the same current token while the provider keeps the new one back.
fn complain_at_once(world: &World, name: &str, endpoint: Endpoint) {
    let runtime = runtime();
    let old = runtime.block_on(client(world).token(name)).unwrap();
    let held = world.provider().provider(); // no request is handled until this is let go
    let (waits, mut waiting) = mpsc::unbounded_channel();
    let mut peers = JoinSet::new();
    for _ in 0..PEERS {
        let (client, waits, old) = (client(world), waits.clone(), old.clone());
        peers.spawn_on(async move { complain(&client, &old, waits).await }, runtime.handle());
    }
    runtime.block_on(async {
        for _ in 0..PEERS {
            tokio::time::timeout(PATIENCE, waiting.recv()).await.expect("every peer is heard").unwrap();
        }
    });
    drop(held);
    let answers = runtime.block_on(peers.join_all());
    let tokens: Vec<Token> = answers.into_iter().collect::<Result<_, _>>().unwrap();
    assert!(tokens.iter().all(|token| token.fingerprint() == tokens[0].fingerprint()));
    assert_ne!(tokens[0].fingerprint(), old.fingerprint(), "another token, not the same again");
    let requests = {
        let provider = world.provider().provider();
        assert!(provider.accepts(world.provider().now(), tokens[0].secret()));
        provider.count(endpoint)
    };
    println!("{name}: {PEERS} peers complain about the current token: {requests} request");
    assert_eq!(requests, 1);

    // Those who come late with the same complaint get the current token, and so does one with a token never heard of.
    let again = runtime.block_on(client(world).reject(&old)).unwrap();
    assert_eq!(again.fingerprint(), tokens[0].fingerprint());
    let unknown = Fingerprint::of(&Secret::from("never issued"));
    let again = runtime.block_on(client(world).reject_fingerprint(name, unknown, Duration::ZERO)).unwrap();
    assert_eq!(again.fingerprint(), tokens[0].fingerprint());
    assert_eq!(world.provider().provider().count(endpoint), 1, "an old token costs no request");
}

/// Complains, and says so once the daemon has taken it: requests of a connection are taken in their order, so that an
/// answer to the ping means that the complaint waits.
async fn complain(client: &Client, old: &Token, waits: mpsc::UnboundedSender<()>) -> Result<Token, Error> {
    let ping = async {
        client.ping().await.expect("the daemon is there");
        waits.send(()).expect("the test waits for it");
    };
    tokio::join!(biased; client.reject(old), ping).0
}

#[test]
fn fifty_peers_that_complain_at_once_cost_one_request_and_late_ones_none() {
    let (world, daemon) = world(61);
    complain_at_once(&world, "campus", Endpoint::CentralToken);
    complain_at_once(&world, &warm(&world), Endpoint::TenantExchange);
    complain_at_once(&world, "msp", Endpoint::WorkspaceToken);
    complain_at_once(&world, "legacy", Endpoint::ClassicRefresh);
    assert_eq!(tokens_issued(&world), 4, "and no name's complaint costs another name anything");
    assert!(daemon.terminate().success());
}

/// What a peer that rejects each token it is given came to.
#[derive(Debug, Default)]
struct Quarrel {
    rejections: u64,
    replaced: u64,
    waits: Vec<Duration>,
}

/// Rejects every token of a name, without a pause, until told to stop.
fn quarrel(world: &World, name: &str, go_on: impl Fn(&Quarrel) -> bool) -> Quarrel {
    let (runtime, client) = (runtime(), client(world));
    let mut token = runtime.block_on(client.token(name)).unwrap();
    let mut quarrel = Quarrel::default();
    while go_on(&quarrel) {
        quarrel.rejections += 1;
        match runtime.block_on(client.reject(&token)) {
            Ok(other) => {
                assert_ne!(other.fingerprint(), token.fingerprint(), "{name}: the rejected token is given again");
                token = other;
                quarrel.replaced += 1;
            }
            Err(error) => {
                quarrel.waits.push(throttled(&error).unwrap_or_else(|| panic!("{name}: {error}: {error:?}")));
            }
        }
    }
    quarrel
}

#[test]
fn a_peer_that_rejects_every_token_is_throttled_and_nobody_else_loses_one() {
    let (world, daemon) = world(62);
    let (socket, stop) = (world.socket(), Stop::default());
    let names = ["campus".to_owned(), "legacy".to_owned(), warm(&world)];
    let began = boot_ms();
    let central = |provider: &Provider| provider.count(Endpoint::CentralToken);
    let (on_central, on_classic, on_tenant, tallies) = thread::scope(|scope| {
        let stop_now = stop.on_drop();
        let frames = scope.spawn(|| read_frames(&socket, &names, &stop, Some(&world)));
        let reader = scope.spawn(|| read_with_client(&socket, &names, Duration::from_millis(1), &stop, Some(&world)));
        // Until the second forced renewal has come, half a minute after the first, and been rejected too.
        let second_too = |quarrel: &Quarrel| quarrel.replaced < 2 || quarrel.waits.last().is_none_or(is_short);
        let patience = |quarrel: &Quarrel| boot_ms() - began < 50_000 && second_too(quarrel);
        let on_tenant = scope.spawn(|| quarrel(&world, &names[2], |_| !stop.is_set()));
        let on_classic = scope.spawn(|| quarrel(&world, "legacy", |_| !stop.is_set()));
        let on_central = quarrel(&world, "campus", patience);
        drop(stop_now);
        let (on_tenant, on_classic) = (on_tenant.join().unwrap(), on_classic.join().unwrap());
        (on_central, on_classic, on_tenant, [frames.join().unwrap(), reader.join().unwrap()])
    });
    let lasted = boot_ms() - began;
    for (name, quarrel) in [("campus", &on_central), ("tenant", &on_tenant), ("legacy", &on_classic)] {
        let Quarrel { rejections, replaced, waits } = quarrel;
        let longest = waits.iter().max().unwrap();
        println!("{name}: {rejections} rejections in {lasted} ms, {replaced} new tokens, told to wait {longest:?}");
    }
    // A reader gets the new token each time, and is never without one, nor with one that is dead unannounced.
    for (who, tally) in ["frames", "client"].iter().zip(&tallies) {
        tally.assert_well(who, 1);
        assert_no_more_tokens(tally, "legacy", 2);
    }
    let provider = world.provider().provider();
    assert_eq!((on_central.replaced, central(&provider)), (2, 2), "one in 30 s, the next not before");
    assert!(lasted >= 29_000, "the second came after {lasted} ms");
    assert!(on_central.waits[0] <= Duration::from_secs(30), "{:?}", on_central.waits[0]);
    let then = on_central.waits.last().unwrap();
    assert!(*then > Duration::from_secs(30) && *then <= Duration::from_secs(60), "doubled: {then:?}");
    assert_eq!((on_classic.replaced, provider.count(Endpoint::ClassicRefresh)), (1, 1), "one in 60 s");
    assert!(on_classic.waits[0] > Duration::from_secs(30) && on_classic.waits[0] <= Duration::from_secs(60));
    let of_tenant = provider.count(Endpoint::TenantExchange);
    assert!((1..=2).contains(&of_tenant) && of_tenant == on_tenant.replaced, "{of_tenant} exchanges");
    assert_eq!(provider.count(Endpoint::WorkspaceToken), 0, "a tenant's token is no complaint about its workspace's");
    drop(provider);
    assert!(daemon.terminate().success());
}

/// What the log says within the first half minute, before the interval doubles.
fn is_short(wait: &Duration) -> bool {
    *wait <= Duration::from_secs(30)
}

fn assert_no_more_tokens(tally: &Tally, name: &str, tokens: usize) {
    let seen = tally.names[name].tokens.len();
    assert!(seen <= tokens, "{name}: {seen} different tokens, so its chain was rotated too often");
}

/// The line that `reject` prints: name, fingerprint, expiry.
fn fingerprint_in(ran: &Ran, name: &str) -> Fingerprint {
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let fields: Vec<&str> = ran.stdout.trim_end().split('\t').collect();
    assert_eq!((fields.len(), fields[0]), (3, name), "{}", ran.stdout);
    fields[1].parse().unwrap()
}

#[test]
fn tokenctl_rejects_a_token_from_stdin_or_by_its_fingerprint_and_ends_with_6_when_throttled() {
    let (world, daemon) = world(63);
    let ctl = world.ctl();
    let old = ctl.token("campus");
    let old_fingerprint = Fingerprint::of(&Secret::from(old.as_str()));

    let ran = ctl.run_with(&["reject", "campus", "--token-stdin"], &format!("{old}\n"));
    let new = fingerprint_in(&ran, "campus");
    assert_ne!(new, old_fingerprint);
    assert!(!ran.stdout.contains(&old) && ran.stderr.is_empty(), "{}", ran.stderr);
    assert_eq!(Fingerprint::of(&Secret::new(ctl.token("campus"))), new);

    // The old one again, by either way: the current one, and no request.
    let ran = ctl.run(&["reject", "campus", "--fingerprint", &old_fingerprint.to_string()]);
    assert_eq!(fingerprint_in(&ran, "campus"), new);
    let ran = ctl.run_with(&["reject", "campus", "--token-stdin", "--output", "json"], &old);
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&json["name"], &json["fingerprint"]), (&"campus".into(), &new.to_string().into()));
    assert_eq!(tokens_issued(&world), 1);

    // The new one at once: throttled, and the token stays.
    let ran = ctl.run(&["reject", "campus", "--fingerprint", &new.to_string()]);
    println!("{}", ran.stderr.trim_end());
    assert_eq!((ran.status, ran.stdout.as_str()), (6, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("campus was renewed on demand a short while ago"), "{}", ran.stderr);
    let ran = ctl.run(&["reject", "campus", "--fingerprint", &new.to_string(), "--output", "json"]);
    assert_eq!(ran.status, 6);
    let told: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(told["error"]["code"], "throttled");
    assert!((1..=30).contains(&told["error"]["retry_after"].as_u64().unwrap()), "{told}");
    assert_eq!(Fingerprint::of(&Secret::new(ctl.token("campus"))), new);
    assert_eq!(tokens_issued(&world), 1);

    // A chain's token is rejected by its fingerprint.
    let old = Fingerprint::of(&Secret::new(ctl.token("legacy")));
    let new = fingerprint_in(&ctl.run(&["reject", "legacy", "--fingerprint", &old.to_string()]), "legacy");
    assert_ne!(new, old);
    assert!(daemon.terminate().success());
}

#[test]
fn a_token_that_was_revoked_at_the_provider_is_replaced_when_a_peer_says_so() {
    let (world, daemon) = world(64);
    let (ctl, runtime, client) = (world.ctl(), runtime(), client(&world));
    let accepts = |token: &str| world.provider().provider().accepts(world.provider().now(), token);
    for (name, client_id) in
        [("campus", &world.population.central.client_id), ("legacy", &world.population.classic.client_id)]
    {
        let dead = runtime.block_on(client.token(name)).unwrap();
        assert_eq!(world.provider().provider().kill_access_tokens(client_id), 1, "{name}");
        assert!(!accepts(&ctl.token(name)), "the daemon cannot know");
        let new = runtime.block_on(client.reject(&dead)).unwrap();
        assert!(accepts(new.secret()) && accepts(&ctl.token(name)), "{name}");
    }
    assert!(daemon.terminate().success());
}

#[test]
fn a_rejected_token_is_served_on_while_the_provider_is_down() {
    let (mut world, daemon) = world(65);
    let (runtime, client) = (runtime(), client(&world));
    let current = runtime.block_on(client.token("campus")).unwrap();
    let outage = world.provider_down();
    let error = runtime.block_on(client.reject(&current)).unwrap_err();
    println!("{error}");
    assert_eq!(error.code(), Some(ErrorCode::Unavailable), "{error}");
    assert_eq!(runtime.block_on(client.token("campus")).unwrap().fingerprint(), current.fingerprint());
    world.provider_up(outage);
    // The complaint is not forgotten.
    until("another token comes by itself", || {
        let token = runtime.block_on(client.token("campus")).unwrap();
        (token.fingerprint() != current.fingerprint()).then_some(())
    });
    assert!(daemon.terminate().success());
}
