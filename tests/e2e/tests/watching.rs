//! Names that are watched, and tokens that are kept in a process: followed through renewals and restarts of the daemon.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::time::Duration;

use harness::{PATIENCE, World, boot_ms};
use sandbox::Lives;
use tokend_client::{Change, Client, ErrorCode, Fingerprint, Health, Watch};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn client(world: &World) -> Client {
    Client::builder().socket(world.socket()).build()
}

async fn next(watch: &mut Watch) -> Change {
    timeout(PATIENCE, watch.next()).await.expect("a change in time").expect("the watch goes on")
}

/// The next token other than this one.
async fn other_than(watch: &mut Watch, old: Fingerprint) -> Fingerprint {
    loop {
        if let Change::Token(token) = next(watch).await
            && token.fingerprint() != old
        {
            return token.fingerprint();
        }
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("it did not come to: {what}"));
}

#[test]
fn a_renewal_reaches_a_hundred_watchers_and_what_is_kept_in_process() {
    let world = World::new(71);
    world.configure("", &[world.central("campus"), world.classic("legacy")]);
    let daemon = world.start();
    let file = world.download_token("download.json");
    assert_eq!(world.ctl().run(&["import", "legacy", file.to_str().unwrap()]).status, 0);
    for name in ["campus", "legacy"] {
        let _ = world.ctl().token(name);
        runtime().block_on(async {
            let client = client(&world);
            let mut watches: Vec<Watch> = (0..100).map(|_| client.watch(name).unwrap()).collect();
            let cached = client.cached(name).unwrap();
            let old = cached.token().await.unwrap().fingerprint();
            until("the token is kept", || cached.current().is_some()).await;
            for watch in &mut watches {
                loop {
                    match next(watch).await {
                        Change::Health(report) => break assert_eq!(report.health, Health::Good),
                        Change::Token(token) => assert_eq!(token.fingerprint(), old),
                        other => panic!("{other:?}"),
                    }
                }
            }
            let renewed = client.refresh(name).await.unwrap().fingerprint;
            until("the new one is kept", || cached.current().is_some_and(|it| it.fingerprint() == renewed)).await;
            for watch in &mut watches {
                assert_eq!(other_than(watch, old).await, renewed);
            }
        });
    }
    assert!(daemon.terminate().success());
}

#[test]
fn a_restart_of_the_daemon_ends_nothing() {
    let world = World::new(72);
    world.configure("", &[world.central("campus")]);
    let daemon = world.start();
    runtime().block_on(async {
        let client = client(&world);
        let mut watch = client.watch("campus").unwrap();
        let old = loop {
            if let Change::Token(token) = next(&mut watch).await {
                break token.fingerprint();
            }
        };
        let cached = client.cached("campus").unwrap();
        let _ = cached.token().await.unwrap();
        until("the token is kept", || cached.current().is_some()).await;

        assert!(daemon.terminate().success(), "and a watch does not hold up its end");
        loop {
            if let Change::Interrupted(_) = next(&mut watch).await {
                break;
            }
        }
        assert_eq!(cached.current().map(|it| it.fingerprint()), Some(old), "a good token is given out meanwhile");
        // Without a service manager tokens do not survive a restart: there will be another one.
        let daemon = world.start();
        let new = other_than(&mut watch, old).await;
        until("the new one is kept", || cached.current().is_some_and(|it| it.fingerprint() == new)).await;
        assert!(daemon.terminate().success());
    });
}

#[test]
fn what_is_kept_is_never_past_its_time_and_there_is_always_a_token() {
    let world = World::new(73);
    world.provider().provider().set_lives(Lives::default().access_tokens(6));
    world.configure("[providers]\nmax_requests_per_second = 100", &[world.central("campus")]);
    let daemon = world.start();
    let _ = world.ctl().token("campus");
    runtime().block_on(async {
        let cache = client(&world).cache();
        let mut seen = BTreeSet::new();
        let mut from_memory = 0;
        while seen.len() < 4 {
            let before = boot_ms();
            let kept = cache.current("campus");
            let token = cache.token("campus").await.expect("a good token, or a new one in time");
            assert!(before < token.expires_at().boot_ms, "it had expired");
            if let Some(kept) = kept {
                from_memory += 1;
                assert!(before < kept.refresh_at().boot_ms, "it should have been renewed");
            }
            seen.insert(token.fingerprint());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(from_memory > 100, "{from_memory}");
    });
    assert!(daemon.terminate().success());
}

#[test]
fn a_name_that_goes_away_ends_its_watch_and_a_tenant_that_is_watched_is_kept() {
    let world = World::new(74);
    world.provider().provider().set_lives(Lives::default().access_tokens(6));
    let glp = world.glp("msp", &[]);
    world.configure("[providers]\nmax_requests_per_second = 100", &[world.central("campus"), glp.clone()]);
    let daemon = world.start();
    let _ = world.ctl().token("campus");
    runtime().block_on(async {
        let client = client(&world);
        let mut campus = client.watch("campus").unwrap();
        assert!(matches!(next(&mut campus).await, Change::Token(_)));

        // Nobody reads it; it is renewed all the same.
        let name = format!("msp/{}", world.population.tenants[1].0);
        let mut tenant = client.watch(&name).unwrap();
        let mut seen = BTreeSet::new();
        while seen.len() < 4 {
            match next(&mut tenant).await {
                Change::Token(token) => drop(seen.insert(token.fingerprint())),
                Change::Health(_) => {}
                other => panic!("{other:?}"),
            }
        }

        world.configure("[providers]\nmax_requests_per_second = 100", &[glp]);
        client.reload().await.unwrap();
        let end = async {
            loop {
                if let Err(error) = campus.next().await {
                    return error;
                }
            }
        };
        assert_eq!(timeout(PATIENCE, end).await.unwrap().code(), Some(ErrorCode::NoSuchName));
        let unknown = client.watch("nobody").unwrap().next().await;
        assert_eq!(unknown.unwrap_err().code(), Some(ErrorCode::NoSuchName));
    });
    assert!(daemon.terminate().success());
}

#[test]
fn explain_says_why_a_name_is_as_it_is() {
    let world = World::new(75);
    world.configure("", &[world.central("campus"), world.classic("legacy")]);
    let daemon = world.start();
    let _ = world.ctl().token("campus");
    let ran = world.ctl().run(&["explain", "campus"]);
    assert!(ran.status == 0 && ran.stdout.contains("% of its life"), "{ran:?}");
    let ran = world.ctl().run(&["explain", "legacy", "--output", "json"]);
    assert!(ran.status == 0 && ran.stdout.contains("until somebody imports"), "{ran:?}");
    assert_eq!(world.ctl().run(&["explain", "nobody"]).status, 5);
    assert!(daemon.terminate().success());
}

#[test]
fn tokenctl_goes_on_showing_what_is_new_through_a_restart_until_nobody_reads() {
    let world = World::new(76);
    world.provider().provider().set_lives(Lives::default().access_tokens(6));
    world.configure("[providers]\nmax_requests_per_second = 100", &[world.central("campus")]);
    let daemon = world.start();
    let _ = world.ctl().token("campus");
    let (watch, status) = (world.ctl().start(&["watch", "campus"]), world.ctl().start(&["status", "--watch"]));
    let mut tokens = BTreeSet::new();
    let mut new_token = || loop {
        let line = watch.line();
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["token", fingerprint, _, _] => {
                assert!(tokens.insert(fingerprint.to_owned()), "told twice: {line}");
                return fingerprint.to_owned();
            }
            ["health", ..] => {}
            _ => panic!("{line}"),
        }
    };
    let shown = || {
        let line = status.line();
        assert!(line.starts_with("campus\tcentral\t"), "{line}");
        line
    };
    let mut before = shown();
    for _ in 0..2 {
        assert!(new_token().parse::<Fingerprint>().is_ok());
        let now = shown();
        assert_ne!(now, before, "it has changed, or is no line");
        before = now;
    }
    assert!(daemon.terminate().success());
    let daemon = world.start();
    let (_, _) = (new_token(), shown());
    for mut running in [watch, status] {
        running.hang_up();
        let ran = running.ended();
        assert_eq!(ran.status, 0, "a closed pipe is success: {ran:?}");
    }
    assert!(daemon.terminate().success());
}
