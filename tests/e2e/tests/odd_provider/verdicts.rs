//! What is a verdict and what is not: of a login's last step, of a token that is imported, of an error with 200.

use harness::until;
use sandbox::Saying;

use super::*;

#[test]
fn a_login_whose_last_step_has_an_unknown_outcome_is_not_followed_by_another_one() {
    let cases = [
        (821, Fault::Status { status: 503, retry_after: None }),
        (822, Fault::Says(Saying::RequestTimeout)),
        (823, Fault::Says(Saying::ClientClosed)),
    ];
    each(cases, |(seed, fault)| {
        let world = World::new(seed);
        world.provider().provider().add_fault(FaultRule::new(fault.clone()).at(Endpoint::ClassicCode).after_handling());
        world.configure("", &[world.classic_with_login("legacy")]);
        let _daemon = world.start();
        until("the last step", || (count(&world, Endpoint::ClassicCode) == 1).then_some(()));
        let again = world.provider().wait_until(SOON, |provider| provider.count(Endpoint::Login) > 1);
        assert!(!again, "{fault:?}: a token was minted, and the next one may come half an hour later");
    });
}

#[test]
fn a_refresh_with_an_unknown_outcome_is_said_to_be_one_when_the_chain_is_lost() {
    let cases = [
        (824, Fault::Status { status: 503, retry_after: None }),
        (825, Fault::Says(Saying::RequestTimeout)),
        (826, Fault::Says(Saying::ClientClosed)),
    ];
    each(cases, |(seed, fault)| {
        let world = World::new(seed);
        let chain = Chain::new(&world, "legacy");
        world.configure("", &[chain.profile(&world)]);
        let _daemon = world.start();
        chain.begin(&world).unwrap();
        world
            .provider()
            .provider()
            .add_fault(FaultRule::new(fault.clone()).at(Endpoint::ClassicRefresh).after_handling());
        let _ = chain.refresh(&world);
        let state = || world.ctl().status_of("legacy")["chain"]["state"].clone();
        until("the provider has refused what it spent", || (state() == "lost").then_some(()));
        let ran = world.ctl().run(&["explain", "legacy"]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("an earlier refresh spent it"), "{fault:?}: {said}");
    });
}

#[test]
fn one_invalid_client_does_not_cost_an_imported_token() {
    let world = World::new(827);
    let chain = Chain::new(&world, "legacy");
    world.configure("", &[chain.profile(&world)]);
    let _daemon = world.start();
    let rule = FaultRule::new(Fault::Says(Saying::InvalidClient)).at(Endpoint::ClassicRefresh);
    world.provider().provider().add_fault(rule);
    let now = world.provider().now();
    let token = world.provider().provider().download_token(now, &chain.client.client_id).unwrap();
    let ran = world.ctl().run_with(&["import", "legacy", "-"], &serde_json::to_string(&token).unwrap());
    println!("import: {} {}", ran.status, ran.stderr);
    assert!(world.provider().provider().can_refresh(now, &token.refresh_token), "nothing was spent");
    // Nobody imports it again: an operator who says that the client is good is enough.
    let ran = world.ctl().run(&["reload"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let served = until("it is tried again", || {
        let ran = world.ctl().run(&["get", "legacy", "--wait", "1s"]);
        (ran.status == 0).then(|| ran.stdout.trim_end().to_owned())
    });
    assert!(world.provider().provider().accepts(world.provider().now(), &served));
}

#[test]
fn one_invalid_client_does_not_cost_a_chain() {
    let world = World::new(828);
    let chain = Chain::new(&world, "legacy");
    world.configure("", &[chain.profile(&world)]);
    let _daemon = world.start();
    chain.begin(&world).unwrap();
    let rule = FaultRule::new(Fault::Says(Saying::InvalidClient)).at(Endpoint::ClassicRefresh);
    world.provider().provider().add_fault(rule);
    let _ = chain.refresh(&world);
    assert_eq!(world.ctl().run(&["reload"]).status, 0);
    until("the chain goes on", || chain.goes_on(&world).is_ok().then_some(()));
}

#[test]
fn a_dead_refresh_token_is_dead_also_where_the_provider_says_so_with_200() {
    let world = World::new(829);
    let chain = Chain::new(&world, "legacy");
    world.configure("", &[chain.profile(&world)]);
    let _daemon = world.start();
    chain.begin(&world).unwrap();
    {
        let mut provider = world.provider().provider();
        for id in provider.chains(&chain.client.client_id) {
            provider.revoke(id).unwrap();
        }
        provider.add_fault(FaultRule::new(Fault::Odd(Odd::StatusOk)).forever());
    }
    let _ = chain.refresh(&world);
    let state = || world.ctl().status_of("legacy")["chain"]["state"].clone();
    until("the chain is lost", || (state() == "lost").then_some(()));
    assert_eq!(count(&world, Endpoint::ClassicRefresh), 2, "the import and one refusal");
}
