//! Lists of tenants that cannot be right, and lists of several pages.

use harness::until;
use sandbox::OffsetCounts;

use super::*;

/// A workspace with so many tenants more.
fn world_with(seed: u64, tenants: usize) -> World {
    let world = World::new(seed);
    for n in 0..tenants {
        world.provider().provider().add_tenant(&world.population.workspace, &format!("Tenant {n}")).unwrap();
    }
    world.configure("", &[world.glp("msp", &[])]);
    world
}

/// Asks for the list again and again while the requests for it are counted.
fn asks(world: &World) {
    for _ in 0..3 {
        let ran = world.ctl().run(&["tenants", "msp"]);
        println!("{}: {}", ran.status, ran.stderr.trim_end());
    }
}

#[test]
fn a_list_that_cannot_be_completed_is_not_asked_for_without_a_pause() {
    each([(841, Odd::TotalTooLarge), (842, Odd::EmptyPage)], |(seed, odd)| {
        let world = world_with(seed, 3);
        world.provider().provider().add_fault(FaultRule::new(Fault::Odd(odd)).at(Endpoint::MspTenants).forever());
        let _daemon = world.start();
        asks(&world);
        stays_below(&world, 16, Endpoint::MspTenants);
        assert!(count(&world, Endpoint::WorkspaceToken) <= 2, "{odd:?}");
    });
}

#[test]
fn pages_that_bring_nothing_new_are_not_asked_for_without_a_pause() {
    let world = world_with(844, 8);
    quirks(&world, Quirks { largest_page: 3, offset_counts: OffsetCounts::Nothing, ..Quirks::default() });
    let _daemon = world.start();
    asks(&world);
    stays_below(&world, 24, Endpoint::MspTenants);
}

#[test]
fn a_list_of_several_pages_is_listed_whole_also_without_a_total_that_can_be_believed() {
    let world = world_with(845, 8);
    quirks(&world, Quirks { largest_page: 4, ..Quirks::default() });
    let _daemon = world.start();
    let listed = || {
        let ran = world.ctl().run(&["tenants", "msp"]);
        (ran.status == 0).then(|| ran.stdout.lines().filter(|line| line.contains("Tenant ")).count())
    };
    assert_eq!(until("the list", listed), 8);
    assert_eq!(count(&world, Endpoint::MspTenants), 3, "ten in pages of four");
}

#[test]
fn a_token_for_a_tenant_is_served_while_no_list_can_be_had() {
    let world = world_with(846, 0);
    world
        .provider()
        .provider()
        .add_fault(FaultRule::new(Fault::Odd(Odd::EmptyPage)).at(Endpoint::MspTenants).forever());
    let tenant = &world.population.tenants[0].0;
    world.configure("", &[world.glp("msp", &[tenant])]);
    let _daemon = world.start();
    let token = world.ctl().token(&format!("msp/{tenant}"));
    assert!(world.provider().provider().accepts(world.provider().now(), &token));
}
