//! What is handed on across a restart of the daemon.

use std::sync::Arc;

use super::*;
use crate::core::handoff::{Held, HeldName};
use crate::core::provider::TenantPage;
use crate::core::settings::Kind;

const WARM: &str = "msp/497f6eca62764993bfeb53cbbbba6f08";
const COLD: &str = "msp/000000000000000000000000000000c0";
const WARM_ID: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

fn profiles() -> Vec<Profile> {
    vec![fixture::central("campus"), fixture::glp("msp", &["Acme Corp"]), fixture::classic("legacy", false)]
}

/// With a token of each name: campus, the workspace, a tenant that is warm by its name, one on demand.
fn settled() -> Rig {
    let mut rig = Rig::new(&profiles());
    let mut listed = false;
    while !listed || !rig.sent.is_empty() {
        match rig.sent.first().map(|request| &request.grant) {
            Some(Grant::ListTenants { .. }) => {
                let tenants = [(WARM_ID, "Acme Corp"), ("000000000000000000000000000000c0", "Cold Inc")];
                let items = tenants.map(|(id, name)| (id.parse().expect("an id"), name.to_owned())).to_vec();
                rig.answer(Answer::Tenants(TenantPage { total: 2, received: 2, items }));
                listed = true;
            }
            Some(_) => drop(rig.grant(900)),
            None => rig.pass(secs(1)),
        }
    }
    rig.get(COLD);
    rig.grant(900);
    for name in ["campus", "msp", WARM, COLD] {
        assert!(rig.token_cache(name).is_some(), "{name}");
    }
    rig
}

/// Another daemon, `down` later in the same boot, which is given this.
fn start_with(held: Held, at: Now, profiles: &[Profile]) -> Rig {
    let mut rig = Rig::with_disk(&[], BTreeMap::new(), at, BootId([1; 16]));
    rig.tokens = 1000;
    rig.handle(Input::Restore(held));
    rig.configure(profiles);
    rig
}

fn restarted(rig: &Rig, down: Duration, profiles: &[Profile]) -> Rig {
    let wall = UnixTime(rig.now.wall.0 + i64::try_from(down.as_millis()).expect("short"));
    let at = Now { boot: rig.now.boot + down, wall };
    start_with(rig.core.held(rig.now.boot), at, profiles)
}

fn name<'a>(held: &'a mut Held, name: &str) -> &'a mut HeldName {
    let name = token_name(name);
    let profile = held.profiles.iter_mut().find(|held| held.binding.profile == name.profile).expect("held");
    profile.names.iter_mut().find(|held| held.tenant == name.tenant).expect("held")
}

#[test]
fn a_restart_costs_no_request_and_changes_no_token_and_no_moment() {
    let before = settled();
    let after = restarted(&before, secs(2), &profiles());
    assert_eq!(after.requests(), 0);
    for name in ["campus", "msp", WARM, COLD] {
        assert_eq!(after.token_cache.get(name), before.token_cache.get(name), "{name}");
    }
    assert_eq!(after.token_cache.len(), before.token_cache.len());
    let mut after = after;
    let waiter =
        after.ask(Question::Resolve { profile: "msp".parse().expect("one"), workspace_name: "Cold Inc".into() });
    assert!(matches!(after.outcome(waiter), Outcome::Resolved(name) if *name == token_name(COLD)));
    assert_eq!(after.requests(), 0, "the list of tenants was handed on too");
}

#[test]
fn what_was_handed_on_is_renewed_in_its_time() {
    let before = settled();
    let mut after = restarted(&before, secs(2), &profiles());
    let first = before.token_cache.values().map(|(token, _)| token.refresh).min().expect("four");
    after.pass(first.since(after.now.boot) - Duration::from_millis(1));
    assert_eq!(after.requests(), 0);
    after.pass(Duration::from_millis(1));
    assert_eq!(after.requests(), 1);
    after.provider_is_up(secs(2000), 900);
    for name in ["campus", "msp", WARM] {
        assert!(
            after.token_cache(name).is_some_and(|(token, _)| token.contains("-1")),
            "{name}: {:?}",
            after.token_cache(name)
        );
    }
}

#[test]
fn only_what_is_still_good_comes_back() {
    let before = settled();
    let after = restarted(&before, secs(900), &profiles());
    assert_eq!(after.token_cache.len(), 0);
    assert!(after.requests() > 0, "it begins from the beginning");

    for spoil in [
        (|token: &mut AccessToken| token.issued = BootTime(u64::MAX)) as fn(&mut AccessToken),
        |token| token.expires = BootTime(u64::MAX),
        |token| token.refresh = token.expires + secs(1),
        |token| token.access_token = Secret::from(""),
    ] {
        let mut held = before.core.held(before.now.boot);
        spoil(Arc::make_mut(&mut name(&mut held, "campus").token));
        let after = start_with(held, before.now, &profiles());
        assert_eq!((after.token_cache("campus"), after.requests()), (None, 1), "what cannot be is not believed");
    }
}

#[test]
fn tokens_of_another_boot_are_dropped() {
    let before = settled();
    let held = Held { boot_id: BootId([2; 16]), ..before.core.held(before.now.boot) };
    let after = start_with(held, before.now, &profiles());
    assert_eq!(after.token_cache.len(), 0);
}

#[test]
fn tokens_of_another_binding_are_dropped() {
    let before = settled();
    let other_client = |profile: &mut Profile| profile.client_id = "another".to_owned();
    let other_endpoint = |profile: &mut Profile| match &mut profile.kind {
        Kind::ClientCredentials(asked) => asked.token_endpoint.url.push('2'),
        Kind::Glp { base_url, .. } => base_url.url.push('2'),
        Kind::Classic { .. } => {}
    };
    let other_kind = |profile: &mut Profile| profile.kind = fixture::central("x").kind;
    let other_workspace = |profile: &mut Profile| {
        if let Kind::Glp { workspace, .. } = &mut profile.kind {
            *workspace = "00000000000000000000000000000002".parse().expect("an id");
        }
    };
    type Change = (usize, fn(&mut Profile));
    let changes: [Change; 5] =
        [(0, other_client), (0, other_endpoint), (1, other_client), (1, other_kind), (1, other_workspace)];
    for (index, change) in changes {
        let mut profiles = profiles();
        change(&mut profiles[index]);
        let after = restarted(&before, secs(1), &profiles);
        let gone = profiles[index].name.to_string();
        let names: Vec<&str> = ["campus", "msp", WARM, COLD].into_iter().filter(|n| !n.starts_with(&gone)).collect();
        assert_eq!(after.token_cache.keys().map(String::as_str).collect::<Vec<_>>(), sorted(names));
    }
}

fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

#[test]
fn tenants_that_are_not_allowed_any_more_and_profiles_that_are_gone_are_dropped() {
    let before = settled();
    let mut without = profiles();
    without.remove(0);
    if let Kind::Glp { tenants, .. } = &mut without[0].kind {
        *tenants = None;
    }
    let mut after = restarted(&before, secs(1), &without);
    assert_eq!(after.token_cache.keys().collect::<Vec<_>>(), ["msp"]);
    after.configure(&profiles());
    assert_eq!(after.token_cache.keys().collect::<Vec<_>>(), ["msp"], "what was dropped does not come back");
}

#[test]
fn a_rejected_token_is_renewed_at_once_and_its_throttle_goes_on() {
    let mut before = settled();
    let token = before.token_cache("campus").expect("one").0.to_owned();
    before.reject("campus", &token);
    let held = before.core.held(before.now.boot);
    let mut after = start_with(held, before.now, &profiles());
    assert_eq!(after.requests(), 1, "the renewal that was forced is still owed");
    after.grant(900);
    assert_ne!(after.token_cache("campus").expect("one").0, token);

    let mut last = restarted(&after, secs(1), &profiles());
    let forced = last.token_cache("campus").expect("one").0.to_owned();
    let waiter = last.reject("campus", &forced);
    assert_eq!(last.code(waiter), ErrorCode::Throttled);
    last.pass(secs(30));
    last.reject("campus", &forced);
    last.grant(900);
    let newest = last.token_cache("campus").expect("one").0.to_owned();
    let waiter = last.reject("campus", &newest);
    assert!(last.error(waiter).retry_after.expect("a time").0 > 30_000, "it doubles as without the restart");
}

#[test]
fn whatever_makes_a_token_bad_says_so_at_once() {
    let mut rig = settled();
    let condemned = |rig: &Rig| rig.condemned.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(condemned(&rig), [""; 0]);
    let campus = rig.token_cache["campus"].0.fingerprint.to_string();
    let version = rig.core.held_version();
    rig.reject("campus", "access-of-somebody-else");
    assert_eq!((condemned(&rig), rig.core.held_version()), (vec![], version), "of no token that there is");
    let token = rig.token_cache("campus").expect("one").0.to_owned();
    rig.reject("campus", &token);
    assert_eq!(condemned(&rig), [campus.as_str()]);
    assert!(rig.core.held_version() > version);
    rig.grant(900);

    let workspace = rig.token_cache["msp"].0.fingerprint.to_string();
    let tenant = rig.token_cache(WARM).expect("one").0.to_owned();
    rig.reject(WARM, &tenant);
    rig.fail(FailureKind::InvalidToken);
    assert_eq!(condemned(&rig).last(), Some(&workspace), "the exchange was refused for the workspace's token");
    let mut held = rig.core.held(rig.now.boot);
    assert!(name(&mut held, "msp").distrusted && name(&mut held, WARM).rejected);
    let after = start_with(held, rig.now, &profiles());
    assert!(matches!(after.sent[0].grant, Grant::ClientCredentials { .. }), "its tenants wait for another one");
    assert_eq!(after.sent.len(), 1);
}

#[test]
fn an_on_demand_tenant_is_renewed_ahead_once_more_and_then_only_if_it_is_read() {
    let before = settled();
    let mut after = restarted(&before, secs(1), &profiles());
    after.provider_is_up(secs(800), 900);
    assert!(
        after.token_cache(COLD).is_some_and(|(token, _)| token.contains("-1")),
        "nobody waits because of a restart"
    );
    after.provider_is_up(secs(2000), 900);
    assert_eq!(after.token_cache(COLD), None);
}

#[test]
fn chains_are_no_part_of_what_is_handed_on() {
    let mut rig = Rig::new(&[fixture::classic("legacy", false)]);
    rig.import("legacy", "refresh-0");
    rig.grant(7200);
    assert!(rig.token_cache("legacy").is_some());
    assert_eq!(rig.core.held_version(), 0);
    assert_eq!(rig.core.held(rig.now.boot).profiles, []);
}

#[test]
fn the_version_changes_when_what_is_handed_on_does() {
    let mut rig = settled();
    let mut last = (rig.core.held_version(), rig.core.held(rig.now.boot).profiles);
    for second in 0..2000 {
        rig.pass(secs(1));
        if second % 3 == 0 && !rig.sent.is_empty() {
            match rig.sent[0].grant {
                Grant::ListTenants { .. } => drop(rig.fail(FailureKind::Transient)),
                _ => drop(rig.grant(900)),
            }
        }
        let next = (rig.core.held_version(), rig.core.held(rig.now.boot).profiles);
        assert!(next.1 == last.1 || next.0 > last.0, "second {second}: changed without saying so");
        last = next;
    }
}

#[test]
fn the_summary_counts_each_name_once() {
    let mut rig = settled();
    let line = |rig: &Rig| rig.core.summary(rig.now.boot).to_string();
    let legacy = "1 in trouble (legacy: its chain of refresh tokens was never started)";
    assert_eq!(line(&rig), format!("5 names: 4 good, {legacy}"));
    let token = rig.token_cache("campus").expect("one").0.to_owned();
    rig.reject("campus", &token);
    assert_eq!(line(&rig), format!("5 names: 3 good, 1 renewing, {legacy}"));
    rig.fail(FailureKind::Transient);
    assert_eq!(
        line(&rig),
        "5 names: 3 good, 2 in trouble (campus: Transient it was; legacy: its chain of refresh tokens was never started)"
    );
}
