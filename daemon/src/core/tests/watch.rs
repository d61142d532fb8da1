//! Names that are watched.

use tokend_proto::Health;

use super::*;
use crate::core::provider::TenantPage;

const COLD: &str = "msp/000000000000000000000000000000c0";

impl Rig {
    fn watch(&mut self, name: &str) -> WaiterId {
        self.ask(Question::Watch { name: token_name(name) })
    }

    /// What watchers were told since this was last asked.
    fn heard(&mut self) -> Vec<(String, Health)> {
        self.told.drain(..).map(|report| (report.name, report.health)).collect()
    }
}

/// With the workspace's token, and `COLD` watched and fetched.
fn watched_tenant() -> (Rig, WaiterId) {
    let mut rig = Rig::new(&[fixture::glp("msp", &[])]);
    rig.grant(900);
    let watch = rig.watch(COLD);
    let items = vec![("000000000000000000000000000000c0".parse().expect("an id"), "Cold Inc".to_owned())];
    rig.answer(Answer::Tenants(TenantPage { total: 1, received: 1, items }));
    rig.grant(900);
    (rig, watch)
}

#[test]
fn a_watcher_hears_how_its_name_is_and_whenever_that_changes() {
    let mut rig = Rig::new(&[fixture::central("campus")]);
    let watch = rig.watch("campus");
    let one = |health| vec![("campus".to_owned(), health)];
    assert_eq!(rig.heard(), one(Health::Unavailable));
    rig.fail(FailureKind::Transient);
    assert!(rig.told[0].last_error.is_some());
    assert_eq!(rig.heard(), one(Health::Unavailable), "now with the reason");
    rig.provider_is_up(secs(60), 7199);
    assert_eq!(rig.heard(), one(Health::Good));
    rig.pass(secs(4_700));
    assert_eq!(rig.heard(), [], "a step of time is nothing new");
    rig.provider_is_up(secs(600), 7199);
    assert_eq!(rig.heard(), [], "nor is a renewal");
    rig.pass(secs(5_300));
    rig.fail(FailureKind::Transient);
    assert_eq!(rig.heard(), one(Health::Failing));
    rig.pass(secs(1));
    rig.fail(FailureKind::Transient);
    assert_eq!(rig.heard(), [], "it still fails");
    rig.pass(secs(10_000));
    assert_eq!(rig.heard(), one(Health::Unavailable), "its token has expired");
    assert!(rig.is_waiting(watch));
    rig.handle(Input::Leave(watch));
    rig.provider_is_up(secs(60), 7199);
    assert_eq!(rig.heard(), [], "nobody listens");
    assert_eq!(rig.core.sizes().waiters, 0);
}

#[test]
fn a_watcher_that_comes_later_hears_it_too() {
    let mut rig = Rig::new(&[fixture::central("campus")]);
    rig.grant(7199);
    rig.watch("campus");
    rig.watch("campus");
    assert_eq!(rig.heard().len(), 2);
}

#[test]
fn a_watched_tenant_is_kept_fresh_and_let_go_afterwards() {
    let (mut rig, watch) = watched_tenant();
    assert_eq!(rig.heard().last(), Some(&(COLD.to_owned(), Health::Good)));
    for _ in 0..100 {
        rig.provider_is_up(secs(60), 900);
        assert!(rig.token_cache(COLD).is_some());
    }
    assert_eq!(rig.heard(), []);
    rig.handle(Input::Leave(watch));
    rig.provider_is_up(secs(3_000), 900);
    assert_eq!(rig.token_cache(COLD), None);
    assert_eq!(rig.core.names.len(), 1);
}

#[test]
fn a_watched_tenant_without_a_token_is_tried_for_ever() {
    let (mut rig, _watch) = watched_tenant();
    for _ in 0..4_000 {
        while !rig.sent.is_empty() {
            rig.fail(FailureKind::Transient);
        }
        rig.pass(secs(1));
    }
    assert_eq!(rig.heard().last().map(|(_, health)| *health), Some(Health::Unavailable));
    rig.provider_is_up(secs(60), 900);
    assert_eq!(rig.heard().last().map(|(_, health)| *health), Some(Health::Good));
}

#[test]
fn a_tenant_whose_workspace_is_in_trouble_says_so() {
    let (mut rig, _watch) = watched_tenant();
    rig.heard();
    // Both tokens come to the end of their lives, and only the workspace's request fails.
    rig.pass(secs(595));
    while rig.now.boot < START.boot + secs(2_000) {
        while !rig.sent.is_empty() {
            rig.fail(FailureKind::Transient);
        }
        rig.pass(secs(1));
    }
    let told: Vec<Health> = rig.heard().into_iter().map(|(_, health)| health).collect();
    assert_eq!(told.first(), Some(&Health::Failing), "{told:?}");
    assert_eq!(told.last(), Some(&Health::Unavailable), "{told:?}");
}

#[test]
fn a_watch_ends_with_its_name() {
    let mut rig = Rig::new(&[fixture::central("campus"), fixture::central("other")]);
    let (campus, other) = (rig.watch("campus"), rig.watch("other"));
    let unknown = rig.watch("nobody");
    assert_eq!(rig.code(unknown), ErrorCode::NoSuchName);
    rig.configure(&[fixture::central("other")]);
    assert_eq!(rig.code(campus), ErrorCode::NoSuchName);
    assert!(rig.is_waiting(other));
    rig.handle(Input::Leave(campus));
    assert_eq!(rig.core.sizes().waiters, 1);
}

#[test]
fn a_tenant_that_is_not_listed_cannot_be_watched() {
    let mut rig = Rig::new(&[fixture::glp("msp", &[])]);
    rig.grant(900);
    let watch = rig.watch(COLD);
    rig.answer(Answer::Tenants(TenantPage { total: 0, received: 0, items: vec![] }));
    assert_eq!(rig.code(watch), ErrorCode::NoSuchName);
    assert_eq!(rig.core.sizes().waiters, 0);
}
