//! A provider that gives the same token again, or one that lives for a second: it is not asked again and again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use harness::until;
use sandbox::Saying;

use super::*;

fn same_token() -> Quirks {
    Quirks { same_token: true, ..Quirks::default() }
}

fn refused(world: &World, endpoint: Endpoint) {
    let rule = FaultRule::new(Fault::Says(Saying::InvalidToken)).at(endpoint).forever();
    world.provider().provider().add_fault(rule);
}

#[test]
fn the_same_workspace_token_again_and_an_exchange_that_refuses_it_make_few_requests() {
    let world = World::new(831);
    quirks(&world, same_token());
    refused(&world, Endpoint::TenantExchange);
    world.configure("", &[world.glp("msp", &["Acme Corp", "Globex"])]);
    let _daemon = world.start();
    until("an exchange was refused", || (count(&world, Endpoint::TenantExchange) > 0).then_some(()));
    stays_below(&world, 4, Endpoint::WorkspaceToken);
    assert!(count(&world, Endpoint::TenantExchange) <= 12, "{}", count(&world, Endpoint::TenantExchange));
    assert_eq!(world.ctl().run(&["get", "msp"]).status, 0, "the workspace's own token is served");
}

#[test]
fn the_same_workspace_token_again_and_a_listing_that_refuses_it_make_few_requests() {
    let world = World::new(832);
    quirks(&world, same_token());
    refused(&world, Endpoint::MspTenants);
    world.configure("", &[world.glp("msp", &["Acme Corp"])]);
    let _daemon = world.start();
    let _ = world.ctl().run(&["tenants", "msp"]);
    stays_below(&world, 4, Endpoint::WorkspaceToken);
    assert!(count(&world, Endpoint::MspTenants) <= 8, "{}", count(&world, Endpoint::MspTenants));
}

#[test]
fn a_complaint_about_a_token_that_comes_again_makes_few_requests() {
    let world = World::new(833);
    quirks(&world, same_token());
    world.configure("", &[world.central("campus")]);
    let _daemon = world.start();
    let token = world.ctl().token("campus");
    for _ in 0..5 {
        let _ = world.ctl().run_with(&["reject", "campus", "--token-stdin"], &token);
    }
    stays_below(&world, 3, Endpoint::CentralToken);
}

#[test]
fn a_complaint_about_a_classic_token_that_comes_again_makes_few_rotations() {
    let world = World::new(834);
    quirks(&world, Quirks { reuse_refresh_token: true, ..same_token() });
    let chain = Chain::new(&world, "legacy");
    world.configure("", &[chain.profile(&world)]);
    let _daemon = world.start();
    chain.begin(&world).unwrap();
    let token = world.ctl().token("legacy");
    for _ in 0..5 {
        let _ = world.ctl().run_with(&["reject", "legacy", "--token-stdin"], &token);
    }
    stays_below(&world, 3, Endpoint::ClassicRefresh);
    assert_eq!(world.ctl().token("legacy"), token);
}

#[test]
fn a_token_that_lives_for_a_second_is_not_renewed_every_second() {
    let world = World::new(835);
    for endpoint in [Endpoint::CentralToken, Endpoint::WorkspaceToken, Endpoint::TenantExchange] {
        let rule = FaultRule::new(Fault::Odd(Odd::ExpiresOne)).at(endpoint).forever();
        world.provider().provider().add_fault(rule);
    }
    world.configure("", &[world.central("campus"), world.glp("msp", &["Acme Corp"])]);
    let _daemon = world.start();
    stays_below(&world, 8, Endpoint::CentralToken);
    for endpoint in [Endpoint::WorkspaceToken, Endpoint::TenantExchange] {
        assert!(count(&world, endpoint) <= 9, "{endpoint:?}: {}", count(&world, endpoint));
    }
}

#[test]
fn a_classic_token_that_lives_for_a_second_is_not_rotated_every_second() {
    let world = World::new(836);
    let chain = Chain::new(&world, "legacy");
    world.configure("", &[chain.profile(&world)]);
    let _daemon = world.start();
    let rule = FaultRule::new(Fault::Odd(Odd::ExpiresOne)).at(Endpoint::ClassicRefresh).forever();
    world.provider().provider().add_fault(rule);
    let _ = chain.begin(&world);
    stays_below(&world, 3, Endpoint::ClassicRefresh);
}

#[test]
fn an_import_whose_client_secret_cannot_be_read_does_not_read_it_all_the_time() {
    let world = World::new(837);
    let chain = Chain::new(&world, "legacy");
    let (script, reads) = (world.path("secret.sh"), world.path("reads"));
    fs::write(&script, format!("#!/bin/sh\necho once >> '{}'\nexit 1\n", reads.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let readable = chain.profile(&world);
    let file = format!("file = \"{}\"", world.path(&format!("classic-{}.secret", chain.client.client_id)).display());
    let unreadable = ProfileText(readable.0.replace(&file, &format!("command = [\"{}\"]", script.display())));
    assert_ne!(readable, unreadable);
    // A start and a reload want a secret that can be read: it is lost afterwards.
    let good = format!("#!/bin/sh\necho '{}'\n", chain.client.client_secret);
    let bad = fs::read_to_string(&script).unwrap();
    fs::write(&script, good).unwrap();
    world.configure("", &[unreadable]);
    let _daemon = world.start();
    fs::write(&script, bad).unwrap();
    // The daemon reads it again when the provider refuses the text before.
    world.provider().provider().reset_credentials(&chain.client.client_id).unwrap();
    let begun = chain.begin(&world);
    println!("import: {begun:?}");
    let many = || fs::read_to_string(&reads).unwrap_or_default().lines().count();
    let over = within(WATCHED, Duration::from_millis(100), || (many() > 12).then_some(()));
    println!("{} readings in {WATCHED:?}", many());
    assert!(over.is_none(), "more than 12 readings: {}", many());
}
