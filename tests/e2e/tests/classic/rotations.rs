//! How a chain goes on, and how it ends when an answer is lost.

use std::collections::HashSet;

use harness::until;
use sandbox::{Fault, FaultRule};

use super::*;

#[test]
fn each_rotation_brings_a_new_pair_and_the_old_one_is_dead() {
    let world = world(611, SHORT);
    world.configure("", &[world.classic(NAME)]);
    let _daemon = world.start();
    begin_chain(&world, "token.json");
    let old = world.ctl().token(NAME);
    assert!(accepted(&world, &old));
    until("three rotations that nobody asked for", || (refreshes(&world) >= 4).then_some(()));
    let alive = || Some(world.ctl().token(NAME)).filter(|token| *token != old && accepted(&world, token));
    until("the new token is served and accepted", alive);
    assert!(!accepted(&world, &old));
    let sent = presented(&world);
    let distinct: HashSet<&Fingerprint> = sent.iter().collect();
    assert_eq!(distinct.len(), sent.len(), "no refresh token was sent twice");
    let provider = world.provider().provider();
    assert!(provider.log().of(Endpoint::ClassicRefresh).all(|entry| entry.status == Some(200)));
    assert_eq!(provider.chains(&world.population.classic.client_id).len(), 1, "it is one chain all the time");
}

#[test]
fn the_token_on_the_wire_is_retired_at_once_when_the_new_one_is_there() {
    let world = world(612, LONG);
    world.configure("", &[world.classic(NAME)]);
    let _daemon = world.start();
    begin_chain(&world, "token.json");
    let old = world.ctl().token(NAME);
    let ran = world.ctl().run(&["refresh", NAME]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let new = world.ctl().token(NAME);
    assert_ne!(new, old);
    assert!(accepted(&world, &new) && !accepted(&world, &old));
}

#[test]
fn a_refresh_whose_answer_was_lost_is_tried_again_and_then_the_chain_is_lost() {
    let world = world(613, SHORT);
    world.configure("", &[world.classic(NAME)]);
    let _daemon = world.start();
    begin_chain(&world, "token.json");
    let fault = FaultRule::new(Fault::Reset).at(Endpoint::ClassicRefresh).after_handling();
    world.provider().provider().add_fault(fault);
    let ran = get_until(&world, 7);
    assert!(
        ran.stderr.contains("an earlier refresh spent it and its reply was an error, never arrived, or came"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("tokenctl import legacy FILE"), "{}", ran.stderr);
    println!("answer lost: {}", ran.stderr.trim_end());
    let sent = presented(&world);
    assert_eq!(sent.len(), 3, "the import, the refresh, and the same once more");
    assert_eq!(sent[1], sent[2]);
    until("that is stored", || (chain_state(&world) == "lost").then_some(()));
    assert_eq!(logins(&world), 0);
}

#[test]
fn a_refresh_that_never_arrived_is_tried_again_and_the_chain_goes_on() {
    let world = world(614, LONG);
    world.configure("", &[world.classic(NAME)]);
    let _daemon = world.start();
    begin_chain(&world, "token.json");
    let fault = FaultRule::new(Fault::Reset).at(Endpoint::ClassicRefresh);
    world.provider().provider().add_fault(fault);
    let ran = world.ctl().run(&["refresh", NAME]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let sent = presented(&world);
    assert_eq!(sent[1], sent[2], "the same one: only the provider knows whether it was spent");
    assert!(accepted(&world, &world.ctl().token(NAME)));
    assert_eq!(chain_state(&world), "settled");
}

#[test]
fn a_token_of_a_lost_chain_that_a_peer_rejects_is_status_7() {
    let world = world(615, LONG);
    world.configure("", &[world.classic(NAME)]);
    let _daemon = world.start();
    begin_chain(&world, "token.json");
    let token = world.ctl().token(NAME);
    revoke(&world);
    let refused = |ran: Ran| {
        assert_eq!((ran.status, ran.stdout.as_str()), (7, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("tokenctl import legacy FILE"), "{}", ran.stderr);
    };
    for _ in 0..3 {
        refused(world.ctl().run_with(&["reject", NAME, "--token-stdin"], &token));
    }
    until("that is stored", || (chain_state(&world) == "lost").then_some(()));
    assert_eq!(refreshes(&world), 2, "one request, however often it is said");
}
