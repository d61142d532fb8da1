//! How a chain begins: a refresh token from the web interface.

use std::fs;
use std::thread;

use harness::until;
use sandbox::{Fault, FaultRule, Request};
use tokend_proto::Secret;

use super::*;

#[test]
fn a_download_token_begins_the_chain_and_its_own_access_token_is_never_served() {
    let world = world(601, LONG);
    world.configure("", &[world.classic(NAME)]);
    let _daemon = world.start();
    let empty = world.ctl().run(&["get", NAME, "--wait", "30s"]);
    assert_eq!((empty.status, empty.stdout.as_str()), (7, ""), "{}", empty.stderr);
    assert!(empty.stderr.contains("never started"), "{}", empty.stderr);
    assert!(empty.stderr.contains("Download Token") && empty.stderr.contains("tokenctl import legacy"));

    let file = world.download_token("token.json");
    let ran = import(&world, &file);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    println!("import: {}", ran.stdout.trim_end());
    let token = world.ctl().token(NAME);
    assert_ne!(token, field(&file, "access_token"));
    assert!(accepted(&world, &token));
    assert!(!accepted(&world, &field(&file, "access_token")), "refreshing has killed it");
    let now = world.provider().now();
    assert!(!world.provider().provider().can_refresh(now, &field(&file, "refresh_token")));
    assert_eq!((refreshes(&world), chain_state(&world).as_str()), (1, "settled"));
}

#[test]
fn any_json_with_a_refresh_token_is_taken_from_standard_input() {
    let world = world(602, LONG);
    world.configure("", &[world.classic(NAME)]);
    let _daemon = world.start();
    let refresh_token = field(&world.download_token("token.json"), "refresh_token");
    let ran = world
        .ctl()
        .run_with(&["import", NAME, "-"], &serde_json::json!({ "refresh_token": refresh_token }).to_string());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(accepted(&world, &world.ctl().token(NAME)));
}

#[test]
fn the_same_file_again_changes_nothing_and_says_so() {
    let world = world(603, LONG);
    world.configure("", &[world.classic(NAME)]);
    let daemon = world.start();
    let file = world.download_token("token.json");
    assert_eq!(import(&world, &file).status, 0);
    let token = world.ctl().token(NAME);
    let again = || {
        let ran = import(&world, &file);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains("imported before; nothing was changed"), "{}", ran.stdout);
        assert_eq!((refreshes(&world), world.ctl().token(NAME)), (1, token.clone()));
        ran.stdout
    };
    println!("again: {}", again().trim_end());
    daemon.kill();
    let _daemon = world.start();
    again();
}

#[test]
fn a_spent_token_is_refused_and_the_healthy_chain_goes_on() {
    let world = world(604, SHORT);
    world.configure("", &[world.classic(NAME)]);
    let _daemon = world.start();
    begin_chain(&world, "first.json");
    let other = world.download_token("other.json");
    let client = &world.population.classic;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &field(&other, "refresh_token"))];
    let request = Request::form("/oauth2/token", &fields).basic(&client.client_id, &client.client_secret);
    let now = world.provider().now();
    let spent = world.provider().provider().handle(now, &request).reply().unwrap();
    assert_eq!(spent.status, 200, "somebody else has used it");

    let ran = import(&world, &other);
    assert_eq!((ran.status, ran.stdout.as_str()), (7, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("the chain is as it was"), "{}", ran.stderr);
    println!("spent: {}", ran.stderr.trim_end());
    assert_ne!(chain_state(&world), "lost");
    let before = refreshes(&world);
    until("the chain rotates twice more", || (refreshes(&world) >= before + 2).then_some(()));
    alive(&world);
    assert_eq!(world.ctl().status_of(NAME)["health"], "good");
}

#[test]
fn what_is_no_token_is_a_usage_error_that_does_not_show_it() {
    let world = world(605, LONG);
    world.configure("", &[world.classic(NAME)]);
    let _daemon = world.start();
    for (text, says) in [
        ("hunter2", "is not JSON"),
        ("{\"refresh_token\": \"hunter2\"", "is not JSON"),
        ("{\"refresh_token\": {\"hunter2\": 1}}", "not a string"),
        ("{\"access_token\": \"hunter2\"}", "has no refresh_token"),
        ("\"hunter2\"", "not an object"),
        ("", "is empty"),
    ] {
        let file = world.path("garbage.json");
        fs::write(&file, text).unwrap();
        for ran in [import(&world, &file), world.ctl().run_with(&["import", NAME, "-"], text)] {
            assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{text}: {}", ran.stderr);
            assert!(ran.stderr.contains(says) && !ran.stderr.contains("hunter2"), "{text}: {}", ran.stderr);
        }
    }
    let missing = import(&world, &world.path("missing.json"));
    assert_eq!(missing.status, 2);
    assert!(missing.stderr.contains("missing.json"), "{}", missing.stderr);
    let kind = world.ctl().run_with(&["import", "nobody", "-"], "{\"refresh_token\": \"hunter2\"}");
    assert_eq!(kind.status, 5, "{}", kind.stderr);
    assert_eq!(refreshes(&world), 0, "nothing of it went to the provider");
}

#[test]
fn a_lost_chain_says_what_to_do_and_an_import_brings_it_back() {
    let world = world(606, SHORT);
    world.configure("", &[world.classic(NAME)]);
    let _daemon = world.start();
    begin_chain(&world, "first.json");
    revoke(&world);
    let ran = get_until(&world, 7);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("its chain is lost"), "{}", ran.stderr);
    assert!(ran.stderr.contains("create a token in the web UI"), "{}", ran.stderr);
    assert!(ran.stderr.contains("tokenctl import legacy FILE"), "{}", ran.stderr);
    println!("lost: {}", ran.stderr.trim_end());
    until("that is stored", || (chain_state(&world) == "lost").then_some(()));
    let status = world.ctl().status_of(NAME);
    assert_eq!(status["health"], "chain_lost");
    assert!(status["action"].as_str().unwrap().contains("tokenctl import legacy FILE"));
    assert!(status["chain"]["why"].as_str().unwrap().contains("revoked"));

    begin_chain(&world, "second.json");
    alive(&world);
    assert_ne!(chain_state(&world), "lost");
}

#[test]
fn an_import_waits_for_the_rotation_on_the_wire() {
    let world = world(607, LONG);
    world.configure("", &[world.classic(NAME)]);
    let _daemon = world.start();
    begin_chain(&world, "first.json");
    world.provider().provider().add_fault(FaultRule::new(Fault::Delay(3_000)).at(Endpoint::ClassicRefresh));
    let ctl = world.ctl();
    let refreshing = thread::spawn(move || ctl.run(&["refresh", NAME]));
    until("the rotation is on the wire", || (refreshes(&world) == 2).then_some(()));
    let file = world.download_token("second.json");
    let importing = thread::spawn({
        let (ctl, file) = (world.ctl(), file.to_str().unwrap().to_owned());
        move || ctl.run(&["import", NAME, &file])
    });
    let [refreshed, imported] = [refreshing, importing].map(|running| running.join().unwrap());
    assert_eq!(refreshed.status, 0, "{}", refreshed.stderr);
    assert_eq!(imported.status, 0, "{}", imported.stderr);
    let second = Fingerprint::of(&Secret::new(field(&file, "refresh_token")));
    assert_eq!(presented(&world)[2..], [second]);
    let (rotated, tried) = {
        let provider = world.provider().provider();
        let at: Vec<u64> = provider.log().of(Endpoint::ClassicRefresh).map(|entry| entry.at).collect();
        (at[1], at[2])
    };
    assert!(tried >= rotated + 3_000, "not before the rotation had its answer");
    assert!(accepted(&world, &world.ctl().token(NAME)));
    assert_eq!(chain_state(&world), "settled");
}
