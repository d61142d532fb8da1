//! What is left behind in the daemon's memory: by connections and requests, and of secrets that were replaced.

#![allow(clippy::unwrap_used, reason = "a test")]

use harness::{Procfs, World};
use load::Soak;

/// A fifth of the promise's connections and a twentieth of its requests: `soak` of this package makes them all.
const CONNECTIONS: usize = 20_000;
const REQUESTS: usize = 500_000;

/// What allocators keep varies by some pages. 512 KiB are 26 bytes for each connection: the smallest thing that could
/// be forgotten about one is larger.
const MOST_KIB: i64 = 512;

#[test]
fn memory_does_not_grow_with_connections_and_requests() {
    let world = World::new(41);
    world.configure("", &[world.central("campus")]);
    let daemon = world.start();
    let _ = world.ctl().token("campus");
    let soak = Soak::run(&world.socket(), "campus", Procfs::of(daemon.pid()), CONNECTIONS, REQUESTS).unwrap();
    println!("{soak:?}");
    assert!(soak.growth_kib() <= MOST_KIB, "{} KiB more: {:?}", soak.growth_kib(), soak.resident_kib);
}
