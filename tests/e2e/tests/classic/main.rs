//! Classic chains with a real daemon: how they begin, rotate, survive restarts, die, and come back.

#![allow(clippy::unwrap_used, reason = "a test")]

mod imports;
mod logins;
mod restarts;
mod rotations;

use std::fs;
use std::path::Path;

use harness::{Ran, World, until};
use sandbox::{Endpoint, Lives};
use serde_json::Value;
use tokend_proto::Fingerprint;

/// Long enough that nothing is renewed while a test runs.
const LONG: u64 = 7200;

/// Access tokens that live this long are renewed after two thirds of it.
const SHORT: u64 = 6;

/// The one profile of these tests.
const NAME: &str = "legacy";

/// A world whose Classic access tokens live for so many seconds.
fn world(seed: u64, life: u64) -> World {
    let world = World::new(seed);
    world.provider().provider().set_lives(Lives::default().access_tokens(life));
    world
}

fn count(world: &World, endpoint: Endpoint) -> u64 {
    world.provider().provider().count(endpoint)
}

fn refreshes(world: &World) -> u64 {
    count(world, Endpoint::ClassicRefresh)
}

/// Logins that were begun: first steps.
fn logins(world: &World) -> u64 {
    count(world, Endpoint::Login)
}

/// The refresh tokens that were sent, oldest first.
fn presented(world: &World) -> Vec<Fingerprint> {
    world.provider().provider().log().of(Endpoint::ClassicRefresh).filter_map(|entry| entry.presented).collect()
}

/// Whether the provider's API would take this token now.
fn accepted(world: &World, token: &str) -> bool {
    let now = world.provider().now();
    world.provider().provider().accepts(now, token)
}

/// Revokes whatever chain the client has, as in the web interface.
fn revoke(world: &World) {
    let client = &world.population.classic.client_id;
    let mut provider = world.provider().provider();
    let chains = provider.chains(client);
    assert!(!chains.is_empty(), "there is a chain to revoke");
    for chain in chains {
        provider.revoke(chain).unwrap();
    }
}

fn field(file: &Path, name: &str) -> String {
    let value: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    value[name].as_str().unwrap().to_owned()
}

fn import(world: &World, file: &Path) -> Ran {
    world.ctl().run(&["import", NAME, file.to_str().unwrap()])
}

/// Imports a new Download Token.
fn begin_chain(world: &World, file: &str) {
    let file = world.download_token(file);
    let ran = import(world, &file);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}

fn chain_state(world: &World) -> String {
    world.ctl().status_of(NAME)["chain"]["state"].as_str().unwrap().to_owned()
}

/// Waits until the served token is one that the provider accepts.
fn alive(world: &World) -> String {
    let ctl = world.ctl();
    until("a token that the provider accepts is served", || {
        let ran = ctl.run(&["get", NAME, "--wait", "1s"]);
        Some(ran.stdout.trim_end().to_owned()).filter(|token| ran.status == 0 && accepted(world, token))
    })
}

/// Asks until the answer has this exit status; a token that is served meanwhile is let expire.
fn get_until(world: &World, status: i32) -> Ran {
    let ctl = world.ctl();
    until(&format!("get ends with {status}"), || {
        Some(ctl.run(&["get", NAME, "--wait", "1s"])).filter(|ran| ran.status == status)
    })
}
