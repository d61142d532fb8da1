//! A client secret that the provider refuses, and one that is rolled over.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use harness::reading::Stop;
use harness::{PATIENCE, ProfileText, World, timed, until};
use nix::sys::signal::Signal;
use sandbox::Endpoint;

fn count(world: &World, endpoint: Endpoint) -> u64 {
    world.provider().provider().count(endpoint)
}

fn accepted(world: &World, token: &str) -> bool {
    let now = world.provider().now();
    world.provider().provider().accepts(now, token)
}

fn reload(world: &World) {
    let ran = world.ctl().run(&["reload"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}

/// Asks with a long wait, which the refusal must not take.
fn refused(world: &World, name: &str) -> String {
    let (ran, took) = timed(|| world.ctl().run(&["get", name, "--wait", "2m"]));
    assert_eq!((ran.status, ran.stdout.as_str()), (7, ""), "{name}: {}", ran.stderr);
    assert!(took < PATIENCE, "not at once: {took:?}");
    assert!(ran.stderr.contains("tokenctl reload"), "it says what to do: {}", ran.stderr);
    ran.stderr
}

#[test]
fn a_wrong_secret_is_status_7_at_once_and_the_provider_is_asked_once() {
    let world = World::new(701);
    world.secret("central", "wrong-secret-1");
    world.secret("glp", "wrong-secret-2");
    world.configure("", &[world.central("campus"), world.glp("msp", &["Acme Corp"])]);
    let daemon = world.start();
    println!("{}", refused(&world, "campus").trim_end());
    for _ in 0..30 {
        for name in ["campus", "msp", "msp/Acme Corp"] {
            assert!(!refused(&world, name).contains("wrong-secret"));
        }
    }
    assert_eq!(count(&world, Endpoint::CentralToken), 1);
    assert_eq!(count(&world, Endpoint::WorkspaceToken), 1);
    let provider = world.provider().provider();
    println!("91 refusals, requests at the provider: {:?}", provider.log().counts());
    assert_eq!(provider.log().seen(), 2, "neither a listing nor an exchange was tried");
    drop(provider);
    assert_eq!(world.ctl().status_of("campus")["health"], "rejected");
    let log = daemon.log();
    assert!(!log.contains("wrong-secret"), "no secret in the log");
}

#[test]
fn the_right_secret_works_after_a_reload_and_a_wrong_one_is_asked_for_once_more() {
    let world = World::new(702);
    world.secret("central", "wrong");
    world.configure("", &[world.central("campus")]);
    let _daemon = world.start();
    refused(&world, "campus");
    reload(&world);
    until("the reload is a reason to ask again", || (count(&world, Endpoint::CentralToken) == 2).then_some(()));
    (0..10).for_each(|_| drop(refused(&world, "campus")));
    assert_eq!(count(&world, Endpoint::CentralToken), 2);

    world.secret("central", &world.population.central.client_secret);
    reload(&world);
    assert!(accepted(&world, &world.ctl().token("campus")));
    assert_eq!(count(&world, Endpoint::CentralToken), 3);
    assert_eq!(world.ctl().status_of("campus")["health"], "good");
}

#[test]
fn the_right_secret_works_after_sighup() {
    let world = World::new(703);
    world.secret("glp", "wrong");
    world.configure("", &[world.glp("msp", &["Acme Corp"])]);
    let daemon = world.start();
    refused(&world, "msp/Acme Corp");
    world.secret("glp", &world.population.glp.client_secret);
    daemon.signal(Signal::SIGHUP);
    for name in ["msp", "msp/Acme Corp"] {
        let token = until("the refusal is over", || {
            let ran = world.ctl().run(&["get", name]);
            (ran.status == 0).then(|| ran.stdout.trim_end().to_owned())
        });
        assert!(accepted(&world, &token), "{name}");
    }
    assert_eq!(count(&world, Endpoint::WorkspaceToken), 2);
}

#[test]
fn a_wrong_secret_of_a_classic_application_costs_no_refresh_token() {
    let world = World::new(704);
    world.secret("classic", "wrong");
    world.configure("", &[world.classic("legacy")]);
    let _daemon = world.start();
    let file = world.download_token("token.json");
    let import = || world.ctl().run(&["import", "legacy", file.to_str().unwrap()]);
    let ran = import();
    assert_eq!(ran.status, 7, "{}", ran.stderr);
    world.secret("classic", &world.population.classic.client_secret);
    let ran = import();
    assert_eq!(ran.status, 0, "the same file, now that the secret is right: {}", ran.stderr);
    assert!(accepted(&world, &world.ctl().token("legacy")));
}

/// A `central` profile whose secret is a list of these files.
fn with_secrets(world: &World, names: &[&str]) -> ProfileText {
    let source = |name: &&str| format!("{{ file = \"{}\" }}", world.path(&format!("{name}.secret")).display());
    let list: Vec<String> = names.iter().map(source).collect();
    let one = source(&"central");
    ProfileText(world.central("campus").0.replace(&one, &format!("[{}]", list.join(", "))))
}

#[test]
fn a_secret_is_rolled_over_without_a_gap() {
    let world = World::new(705);
    world.configure("", &[with_secrets(&world, &["central"])]);
    let _daemon = world.start();
    let old = world.ctl().token("campus");
    let (stop, reads, failures) = (Stop::default(), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.is_set() {
                let ran = world.ctl().run(&["get", "campus"]);
                let counter = if ran.status == 0 { &reads } else { &failures };
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        // Else the reader would go on for ever when something here fails.
        let stop = stop.on_drop();
        let read_on = || {
            let before = reads.load(Ordering::Relaxed);
            until("the reader reads on", || (reads.load(Ordering::Relaxed) > before).then_some(()));
        };
        read_on();
        let new = world.provider().provider().reset_credentials(&world.population.central.client_id).unwrap();
        world.secret("new", &new.client_secret);
        world.configure("", &[with_secrets(&world, &["central", "new"])]);
        reload(&world);
        read_on();
        let ran = world.ctl().run_with(&["reject", "campus", "--token-stdin"], &old);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        let token = world.ctl().token("campus");
        assert!(token != old && accepted(&world, &token));
        read_on();

        fs::remove_file(world.path("central.secret")).unwrap();
        world.configure("", &[with_secrets(&world, &["new"])]);
        reload(&world);
        read_on();
        drop(stop);
    });
    println!("{} reads without a failure", reads.load(Ordering::Relaxed));
    assert_eq!(failures.load(Ordering::Relaxed), 0);
    assert!(accepted(&world, &world.ctl().token("campus")));
}

#[test]
fn the_secret_that_worked_last_is_tried_first() {
    let world = World::new(706);
    world.secret("old", "an-old-secret");
    world.provider().provider().set_lives(sandbox::Lives::default().access_tokens(3));
    world.configure("", &[with_secrets(&world, &["old", "central"])]);
    let _daemon = world.start();
    assert!(!world.ctl().token("campus").is_empty());
    let seen = || {
        let provider = world.provider().provider();
        provider.log().of(Endpoint::CentralToken).map(|entry| entry.status == Some(200)).collect::<Vec<bool>>()
    };
    until("three renewals", || (seen().len() >= 5).then_some(()));
    let seen = seen();
    assert!(!seen[0] && seen[1..].iter().all(|good| *good), "refused once, then never tried again: {seen:?}");
}
