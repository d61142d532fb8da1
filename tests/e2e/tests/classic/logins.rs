//! The login of non-SSO users, and the thirty minutes between two of them.

use harness::until;
use sandbox::{Fault, FaultRule};
use serde_json::Value;

use super::*;

#[test]
fn a_dead_chain_is_replaced_by_a_login() {
    let world = world(631, SHORT);
    world.configure("", &[world.classic(NAME)]);
    let _daemon = world.start();
    begin_chain(&world, "token.json");
    world.configure("", &[world.classic_with_login(NAME)]);
    let reload = world.ctl().run(&["reload"]);
    assert_eq!(reload.status, 0, "{}", reload.stderr);
    assert_eq!(logins(&world), 0, "a healthy chain needs none");
    revoke(&world);
    until("it logs in", || (logins(&world) == 1).then_some(()));
    alive(&world);
    let before = refreshes(&world);
    until("the new chain rotates", || (refreshes(&world) > before).then_some(()));
    assert_eq!(logins(&world), 1);
}

/// What `get` says of a chain that waits for its login: the seconds until it is allowed.
fn awaits_login(world: &World) -> u64 {
    let ctl = world.ctl();
    let (ran, error) = until("get says that a login is awaited", || {
        let ran = ctl.run(&["get", NAME, "--wait", "1s", "--output", "json"]);
        let error: Value = serde_json::from_str(ran.stderr.trim_end()).ok()?;
        (error["error"]["code"] == "awaiting_login").then_some((ran, error))
    });
    assert_eq!((ran.status, ran.stdout.as_str()), (6, ""));
    assert!(error["error"]["message"].as_str().unwrap().contains("its next login is allowed in"), "{error}");
    println!("awaiting login: {}", error["error"]["message"]);
    let status = world.ctl().status_of(NAME);
    assert_eq!((&status["health"], &status["chain"]["state"]), (&"awaiting_login".into(), &"awaiting login".into()));
    assert!(status["next_at"].is_string(), "{status}");
    error["error"]["retry_after"].as_u64().unwrap()
}

#[test]
fn a_second_login_within_thirty_minutes_is_not_attempted_not_even_after_a_restart() {
    let world = world(632, SHORT);
    world.configure("", &[world.classic_with_login(NAME)]);
    let daemon = world.start();
    assert!(accepted(&world, &world.ctl().token(NAME)), "an empty chain logs in by itself");
    assert_eq!(logins(&world), 1);
    revoke(&world);
    let first = awaits_login(&world);
    assert!((1500..=1800).contains(&first), "{first}");

    daemon.kill();
    let daemon = world.start();
    let second = awaits_login(&world);
    assert!(second <= first, "{second} after {first}");
    assert!(daemon.terminate().success());
    let _daemon = world.start();
    assert!(awaits_login(&world) <= second);
    assert_eq!(logins(&world), 1, "one login in all");

    begin_chain(&world, "token.json");
    assert!(accepted(&world, &world.ctl().token(NAME)), "an import does not wait");
    assert_eq!(logins(&world), 1);
}

#[test]
fn a_provider_in_trouble_never_leads_to_a_login() {
    let world = world(633, SHORT);
    world.configure("", &[world.classic_with_login(NAME)]);
    let _daemon = world.start();
    let _ = world.ctl().token(NAME);
    world.provider().provider().clear_log();
    for fault in [
        Fault::Status { status: 503, retry_after: None },
        Fault::Status { status: 500, retry_after: None },
        Fault::Reset,
        Fault::Html,
    ] {
        world.provider().provider().add_fault(FaultRule::new(fault).at(Endpoint::ClassicRefresh));
    }
    until("each fault has struck and the chain goes on", || {
        let provider = world.provider().provider();
        let log = provider.log().of(Endpoint::ClassicRefresh);
        let (faulty, good): (Vec<_>, Vec<_>) = log.partition(|entry| entry.fault.is_some());
        (faulty.len() == 4 && good.len() >= 2).then_some(())
    });
    assert_eq!(logins(&world), 0);
    alive(&world);
}

#[test]
fn a_refused_password_is_not_tried_again_until_it_has_changed() {
    let world = world(634, LONG);
    world.secret("password", "not-the-password");
    world.configure("", &[world.classic_with_login(NAME)]);
    let daemon = world.start();
    let refused = || {
        let ran = world.ctl().run(&["get", NAME, "--wait", "30s"]);
        assert_eq!((ran.status, ran.stdout.as_str()), (7, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("login"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("not-the-password"), "{}", ran.stderr);
    };
    refused();
    let reload = || assert_eq!(world.ctl().run(&["reload"]).status, 0);
    reload();
    refused();
    assert_eq!(logins(&world), 1, "the same password is refused without asking");

    let password = world.population.password.clone();
    world.secret("password", &password);
    reload();
    assert!(accepted(&world, &world.ctl().token(NAME)));
    assert_eq!(logins(&world), 2);
    let log = daemon.log();
    assert!(!log.contains("not-the-password") && !log.contains(&password), "no password in the log");
    assert!(daemon.terminate().success());
}
