//! SIGTERM and SIGINT: a rotation on the wire is finished, peers get what they are owed, and the socket is gone.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use harness::{Daemon, Ran, World, until};
use nix::sys::signal::Signal;
use sandbox::{Endpoint, Fault, FaultRule, Lives};
use tokend_client::{Client, ErrorCode, TokenOptions};

/// Milliseconds that an answer is kept back: long enough to do something meanwhile.
const SLOW: u64 = 10_000;

/// Longer than any test: a request with it is never answered.
const NEVER: Fault = Fault::Delay(600_000);

fn refreshes(world: &World) -> u64 {
    world.provider().provider().count(Endpoint::ClassicRefresh)
}

fn accepted(world: &World, token: &str) -> bool {
    let now = world.provider().now();
    world.provider().provider().accepts(now, token)
}

/// A daemon with a chain whose refresh is on the wire, asked for by somebody who waits for it.
fn amid_a_rotation(world: &World) -> (Daemon, JoinHandle<Ran>) {
    world.configure("", &[world.central("campus"), world.classic("legacy")]);
    let daemon = world.start();
    assert!(!world.ctl().token("campus").is_empty());
    let file = world.download_token("token.json");
    let ran = world.ctl().run(&["import", "legacy", file.to_str().unwrap()]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    world.provider().provider().add_fault(FaultRule::new(Fault::Delay(SLOW)).at(Endpoint::ClassicRefresh));
    let ctl = world.ctl();
    let refreshing = thread::spawn(move || ctl.run(&["refresh", "legacy"]));
    until("the refresh token is on the wire", || (refreshes(world) == 2).then_some(()));
    (daemon, refreshing)
}

fn finishes_the_rotation(world: &World, signal: Signal) {
    let (mut daemon, refreshing) = amid_a_rotation(world);
    let old = world.ctl().token("campus");
    daemon.signal(signal);
    until("it has heard the signal", || daemon.log().contains(&format!("because of {signal}")).then_some(()));
    assert_eq!(world.ctl().token("campus"), old, "reads are served meanwhile");
    let classic = world.ctl().run(&["get", "legacy"]);
    assert_eq!(classic.status, 0, "the chain's old token too, after a moment: {}", classic.stderr);
    assert!(daemon.is_running(), "the answer is not there yet");
    assert_eq!(world.ctl().status_of("legacy")["chain"]["state"], "in flight");

    let refreshed = refreshing.join().unwrap();
    assert_eq!(refreshed.status, 0, "who waited for the rotation has its answer: {}", refreshed.stderr);
    let log = daemon.log();
    assert!(daemon.ended().success());
    assert!(!world.socket().exists(), "the socket is removed");
    println!("{signal}: {}", log.lines().last().unwrap_or_default());
    assert_eq!(world.ctl().run(&["get", "campus"]).status, 3);

    let _daemon = world.start();
    let token = world.ctl().token("legacy");
    assert!(accepted(world, &token), "the new pair was stored");
    assert_eq!(world.ctl().status_of("legacy")["chain"]["state"], "settled");
    assert_eq!(refreshes(world), 2, "no further request was needed");
    let ran = world.ctl().run(&["refresh", "legacy"]);
    assert_eq!(ran.status, 0, "the stored refresh token works too: {}", ran.stderr);
}

#[test]
fn sigterm_finishes_a_rotation_on_the_wire() {
    finishes_the_rotation(&World::new(1001), Signal::SIGTERM);
}

#[test]
fn sigint_finishes_a_rotation_on_the_wire() {
    finishes_the_rotation(&World::new(1002), Signal::SIGINT);
}

#[test]
fn an_idle_daemon_ends_at_once_though_peers_are_connected() {
    let world = World::new(1003);
    world.configure("", &[world.central("campus")]);
    let daemon = world.start();
    assert!(!world.ctl().token("campus").is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(Client::connect(world.socket())).unwrap();
    let token = runtime.block_on(client.token("campus")).unwrap();
    assert!(daemon.terminate().success());
    assert!(!world.socket().exists());

    let _daemon = world.start();
    let again = runtime.block_on(client.token("campus")).unwrap();
    assert_ne!(again.fingerprint(), token.fingerprint(), "the client has found the new daemon, which asked again");
}

#[test]
fn a_waiting_peer_gets_its_answer_before_the_end() {
    let world = World::new(1004);
    let slow = FaultRule::new(NEVER).at(Endpoint::CentralToken).forever();
    world.provider().provider().add_fault(slow);
    world.configure("", &[world.central("campus")]);
    let daemon = world.start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(async {
        let client = Client::connect(world.socket()).await.unwrap();
        let options = TokenOptions { wait: Some(Duration::from_secs(2)), ..TokenOptions::default() };
        let asking = client.token_with("campus", options);
        let signalling = async {
            // The same connection: the daemon has the question before it answers this.
            client.ping().await.unwrap();
            daemon.signal(Signal::SIGTERM);
        };
        tokio::join!(asking, signalling).0.unwrap_err()
    });
    assert_eq!(error.code(), Some(ErrorCode::Unavailable), "{error}");
    println!("{error}");
    assert!(daemon.ended().success(), "the request on the wire is not waited for: nothing is lost by it");
}

#[test]
fn a_login_on_the_wire_is_finished_too() {
    let world = World::new(1005);
    let slow = FaultRule::new(Fault::Delay(3_000)).at(Endpoint::Login).forever();
    world.provider().provider().add_fault(slow);
    world.configure("", &[world.classic_with_login("legacy")]);
    let daemon = world.start();
    let count = |endpoint| world.provider().provider().count(endpoint);
    until("it logs in", || (count(Endpoint::Login) == 1).then_some(()));
    assert!(daemon.terminate().success());
    assert_eq!(count(Endpoint::ClassicCode), 1, "all three steps were made");

    let _daemon = world.start();
    assert!(accepted(&world, &world.ctl().token("legacy")));
    assert_eq!((count(Endpoint::Login), refreshes(&world)), (1, 0), "the chain was stored");
}

#[test]
fn a_rotation_that_is_never_answered_does_not_keep_the_daemon_for_ever() {
    let world = World::new(1006);
    world.provider().provider().set_lives(Lives::default().access_tokens(6));
    world.configure("", &[world.classic("legacy")]);
    let daemon = world.start();
    let file = world.download_token("token.json");
    assert_eq!(world.ctl().run(&["import", "legacy", file.to_str().unwrap()]).status, 0);
    for fault in [Fault::Reset, NEVER] {
        world.provider().provider().add_fault(FaultRule::new(fault).at(Endpoint::ClassicRefresh));
    }
    until("the refresh token is on the wire", || (refreshes(&world) == 2).then_some(()));
    assert!(daemon.terminate().success());
    assert_eq!(refreshes(&world), 2, "nothing new is begun while it ends");

    let _daemon = world.start();
    until("the refresh token is tried again", || (refreshes(&world) >= 3).then_some(()));
    let presented: Vec<_> = {
        let provider = world.provider().provider();
        provider.log().of(Endpoint::ClassicRefresh).map(|entry| entry.presented).collect()
    };
    assert_eq!(presented[1], presented[2], "the same one");
    assert!(accepted(&world, &world.ctl().token("legacy")));
}
