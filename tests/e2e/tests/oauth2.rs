//! Profiles of kind "oauth2": token endpoints of other vendors, in each way to authenticate.

#![allow(clippy::unwrap_used, reason = "a test")]

use harness::{ProfileText, World, until};
use sandbox::{Endpoint, Lives};

const CLEARPASS: &str = "/api/oauth";
const STRICT: &str = "/oauth2/v1/token";

fn strict(world: &World, life: &str) -> ProfileText {
    let more =
        format!("auth = \"basic\"\nscope = \"read write\"\naudience = \"https://api.example.net\"\nlife = {life:?}");
    world.oauth2("strict", STRICT, &more)
}

/// Whether ClearPass's API takes it.
fn works(world: &World, token: &str) -> bool {
    let now = world.provider().now();
    world.provider().provider().accepts(now, token)
}

#[test]
fn each_way_to_authenticate_brings_a_token() {
    let world = World::new(2_701);
    world.configure(
        "",
        &[
            world.oauth2("form", CLEARPASS, ""),
            world.oauth2("json", CLEARPASS, "auth = \"json\""),
            strict(&world, "8h"),
        ],
    );
    let _daemon = world.start();
    for name in ["form", "json", "strict"] {
        let token = world.ctl().token(name);
        assert!(works(&world, &token), "{name}");
        let status = world.ctl().status_of(name);
        assert_eq!((&status["kind"], &status["health"]), (&"oauth2".into(), &"good".into()), "{name}");
    }
    let provider = world.provider().provider();
    assert_eq!((provider.count(Endpoint::ClearpassToken), provider.count(Endpoint::StrictToken)), (2, 1));
}

#[test]
fn a_refusal_of_the_client_is_told_and_not_tried_in_a_loop() {
    let world = World::new(2_702);
    world.secret("central", "wrong-secret");
    world.configure("", &[world.oauth2("clearpass", CLEARPASS, ""), strict(&world, "8h")]);
    let _daemon = world.start();
    for name in ["clearpass", "strict"] {
        for _ in 0..5 {
            let ran = world.ctl().run(&["get", name, "--wait", "30s"]);
            assert_eq!((ran.status, ran.stdout.as_str()), (7, ""), "{name}: {}", ran.stderr);
            assert!(ran.stderr.contains("tokenctl reload") && !ran.stderr.contains("wrong-secret"), "{}", ran.stderr);
        }
    }
    let provider = world.provider().provider();
    assert_eq!((provider.count(Endpoint::ClearpassToken), provider.count(Endpoint::StrictToken)), (1, 1));
}

#[test]
fn the_configured_life_counts_where_the_answer_has_none() {
    let world = World::new(2_703);
    world.provider().provider().set_lives(Lives { other: 3_600, ..Lives::default() });
    world.configure("", &[strict(&world, "10s")]);
    let _daemon = world.start();
    let _ = world.ctl().token("strict");
    // In two thirds of 10 s, and not of the hour that the provider means.
    let renewed = |world: &World| world.provider().provider().count(Endpoint::StrictToken) >= 2;
    until("it is renewed in the life that was configured", || renewed(&world).then_some(()));
    assert!(works(&world, &world.ctl().token("strict")));
}

#[test]
fn another_audience_is_another_token() {
    let world = World::new(2_704);
    world.configure("", &[strict(&world, "8h")]);
    let _daemon = world.start();
    let before = world.ctl().token("strict");
    let more = "auth = \"basic\"\nscope = \"read write\"\naudience = \"https://other.example.net\"";
    world.configure("", &[world.oauth2("strict", STRICT, more)]);
    assert_eq!(world.ctl().run(&["reload"]).status, 0);
    until("the other token is there", || (world.ctl().token("strict") != before).then_some(()));
}
