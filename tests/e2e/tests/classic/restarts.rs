//! What a restart, a crash, and a crash in the middle of a rotation leave behind.

use std::thread;

use harness::until;
use sandbox::{Fault, FaultRule};

use super::*;

/// Longer than any test: a request with it is answered by the end of the daemon only.
const NEVER: Fault = Fault::Delay(600_000);

#[test]
fn a_restart_between_rotations_serves_the_same_token_without_a_request() {
    let world = world(621, LONG);
    world.configure("", &[world.classic(NAME)]);
    let daemon = world.start();
    begin_chain(&world, "token.json");
    let token = world.ctl().token(NAME);
    let seen = world.provider().provider().log().seen();

    assert!(daemon.terminate().success());
    let daemon = world.start();
    assert_eq!(world.ctl().token(NAME), token);
    daemon.kill();
    let _daemon = world.start();
    assert_eq!(world.ctl().token(NAME), token);
    assert!(accepted(&world, &token));
    assert_eq!(chain_state(&world), "settled");
    assert_eq!(world.provider().provider().log().seen(), seen, "nothing was asked of the provider");
    println!("the same token after SIGTERM and after SIGKILL, {seen} requests before and after");
}

/// Kills a daemon whose refresh is on the wire, with nobody to ever answer it.
fn crash_amid_a_rotation(world: &World, more: Option<Fault>) {
    let daemon = world.start();
    begin_chain(world, "token.json");
    hang_the_next_refresh(world, more);
    until("the refresh token is on the wire", || (refreshes(world) == 2).then_some(()));
    assert_eq!(chain_state(world), "in flight");
    daemon.kill();
}

fn hang_the_next_refresh(world: &World, more: Option<Fault>) {
    let mut provider = world.provider().provider();
    for fault in more.into_iter().chain([NEVER]) {
        provider.add_fault(FaultRule::new(fault).at(Endpoint::ClassicRefresh));
    }
}

#[test]
fn a_crash_before_the_provider_acted_costs_nothing() {
    let world = world(622, SHORT);
    world.configure("", &[world.classic(NAME)]);
    crash_amid_a_rotation(&world, Some(Fault::Reset));

    let _daemon = world.start();
    until("it is sent again", || (refreshes(&world) >= 3).then_some(()));
    let sent = presented(&world);
    assert_eq!(sent[1], sent[2], "the same refresh token");
    alive(&world);
    assert_ne!(chain_state(&world), "lost");
}

#[test]
fn a_crash_after_the_provider_acted_is_found_out_and_named() {
    let world = world(623, SHORT);
    world.configure("", &[world.classic(NAME)]);
    crash_amid_a_rotation(&world, None);

    let _daemon = world.start();
    let ran = get_until(&world, 7);
    assert!(ran.stderr.contains("the daemon stopped before it could be stored"), "{}", ran.stderr);
    assert!(ran.stderr.contains("tokenctl import legacy FILE"), "{}", ran.stderr);
    println!("crash amid a rotation: {}", ran.stderr.trim_end());
    let sent = presented(&world);
    assert_eq!(sent.len(), 3, "the import, the rotation, and the same once more");
    assert_eq!(sent[1], sent[2]);
    begin_chain(&world, "second.json");
    assert!(accepted(&world, &world.ctl().token(NAME)));
}

#[test]
fn a_crash_after_the_provider_acted_is_mended_by_a_login_where_there_is_one() {
    let world = world(624, SHORT);
    world.configure("", &[world.classic(NAME)]);
    crash_amid_a_rotation(&world, None);

    world.configure("", &[world.classic_with_login(NAME)]);
    let _daemon = world.start();
    until("it logs in", || (logins(&world) == 1).then_some(()));
    alive(&world);
    assert_eq!(presented(&world)[1], presented(&world)[2], "the refresh token was tried first");
}

#[test]
fn an_import_that_a_crash_interrupted_is_finished_after_it() {
    let world = world(625, LONG);
    world.configure("", &[world.classic(NAME)]);
    let daemon = world.start();
    let file = world.download_token("token.json");
    hang_the_next_refresh(&world, Some(Fault::Reset));
    let importer = thread::spawn({
        let (ctl, file) = (world.ctl(), file.to_str().unwrap().to_owned());
        move || ctl.run(&["import", NAME, &file])
    });
    until("it is on the wire", || (refreshes(&world) == 1).then_some(()));
    daemon.kill();
    assert_eq!(importer.join().unwrap().status, 3, "nobody knows what became of it");

    let _daemon = world.start();
    alive(&world);
    let again = import(&world, &file);
    assert_eq!(again.status, 0, "{}", again.stderr);
    assert!(again.stdout.contains("nothing was changed"), "{}", again.stdout);
}
