//! A new configuration.

use super::*;

#[test]
fn tokens_survive_a_reload_unless_they_would_be_others() {
    let mut rig = Rig::new(&[fixture::central("a"), fixture::central("b")]);
    rig.grant(7199);
    rig.grant(7199);
    let mut other = fixture::central("b");
    other.client_id = "somebody-else".into();
    rig.configure(&[fixture::central("a"), other]);
    assert!(rig.token_cache("a").is_some());
    assert_eq!(rig.token_cache("b"), None);
    assert_eq!(rig.requests(), 3, "b is fetched again, a is not");
}

#[test]
fn an_answer_for_a_profile_that_was_replaced_is_not_taken() {
    let mut rig = Rig::new(&[fixture::central("b")]);
    let mut other = fixture::central("b");
    other.client_id = "somebody-else".into();
    rig.configure(&[other]);
    let old = rig.sent[0].id;
    let token = rig.token(7199);
    rig.answer_to(old, Answer::Token(token));
    assert_eq!(rig.token_cache("b"), None);
    rig.grant(7199);
    assert_eq!(rig.token_cache("b").map(|(token, _)| token), Some("access-2"));
}

#[test]
fn waiters_of_a_profile_that_went_away_are_told() {
    let mut rig = Rig::new(&[fixture::central("a")]);
    let waiter = rig.get("a");
    rig.configure(&[]);
    assert_eq!(rig.code(waiter), ErrorCode::NoSuchName);
    rig.grant(7199);
    assert_eq!(rig.token_cache("a"), None);
}

#[test]
fn tenants_come_and_go_with_the_configuration() {
    let warm = "497f6eca62764993bfeb53cbbbba6f08";
    let name = format!("msp/{warm}");
    let mut rig = Rig::new(&[fixture::glp("msp", &[])]);
    rig.grant(900);
    rig.configure(&[fixture::glp("msp", &[warm])]);
    rig.grant(900);
    assert!(rig.token_cache(&name).is_some());
    rig.configure(&[fixture::glp("msp", &[])]);
    assert!(rig.token_cache(&name).is_some(), "no longer warm, still good");
    rig.provider_is_up(secs(1000), 900);
    assert_eq!(rig.token_cache(&name), None, "let go when nobody reads it");
}

#[test]
fn who_waits_for_tenants_is_answered_when_a_reload_takes_them_away() {
    let id = "497f6eca-6276-4993-bfeb-53cbbbba6f08";
    for also_replaced in [false, true] {
        let mut rig = Rig::new(&[fixture::glp("msp", &[id, "Acme Corp"])]);
        rig.grant(900);
        let profile: tokend_proto::ProfileName = "msp".parse().expect("a profile");
        let waiters = [
            rig.ask(tenants_of(profile.as_str())),
            rig.ask(Question::Resolve { profile, workspace_name: "Acme Corp".into() }),
            rig.get("msp/000000000000000000000000000000c0"),
            rig.get("msp/497f6eca62764993bfeb53cbbbba6f08"),
            rig.ask(Question::Watch { name: token_name("msp/497f6eca62764993bfeb53cbbbba6f08") }),
            rig.ask(Question::Watch { name: token_name("msp/000000000000000000000000000000c0") }),
        ];
        let mut without = fixture::glp("msp", &[]);
        if let crate::core::settings::Kind::Glp { tenants, .. } = &mut without.kind {
            *tenants = None;
        }
        if also_replaced {
            without.client_id = "somebody-else".into();
        }
        rig.configure(&[without]);
        for (number, waiter) in waiters.into_iter().enumerate() {
            assert_eq!(rig.code(waiter), ErrorCode::NoSuchName, "waiter {number}");
        }
        let waiter = rig.get("msp/000000000000000000000000000000c0");
        assert_eq!(rig.code(waiter), ErrorCode::NoSuchName);
    }
}

/// Between now and then nothing is sent, however often the configuration is applied again.
fn reloads_send_nothing(rig: &mut Rig, profiles: &[Profile], span: Duration) {
    let before = rig.requests();
    for _ in 0..20 {
        rig.pass(span / 21);
        rig.configure(profiles);
    }
    assert_eq!(rig.requests(), before, "a provider that asked to be left alone heard of a reload");
}

#[test]
fn a_pause_that_a_provider_asked_for_outlives_reloads() {
    let profiles = [fixture::central("a")];
    let mut rig = Rig::new(&profiles);
    rig.answer(failed(FailureKind::Transient, Some(secs(600))));
    reloads_send_nothing(&mut rig, &profiles, secs(600));
    rig.pass(secs(40));
    assert_eq!(rig.requests(), 2);
}

#[test]
fn a_backoff_is_not_begun_again_by_reloads() {
    let profiles = [fixture::central("a")];
    let mut rig = Rig::new(&profiles);
    for _ in 0..3_600 {
        rig.pass(secs(1));
        while !rig.sent.is_empty() {
            rig.fail(FailureKind::Transient);
        }
        rig.configure(&profiles);
    }
    assert!(rig.requests() < 260, "{} requests in an hour with a reload each second", rig.requests());
}

#[test]
fn what_is_changed_by_a_reload_is_tried_at_once() {
    let mut rig = Rig::new(&[fixture::classic("legacy", false), fixture::central("a")]);
    rig.answer(failed(FailureKind::Transient, Some(secs(600))));
    rig.handle(Input::Revised(vec!["a".parse().expect("a profile")]));
    assert_eq!(rig.requests(), 2, "its certificates, say");
}

#[test]
fn pauses_of_tenants_and_of_their_list_outlive_reloads_and_the_workspaces_renewal() {
    let id = "497f6eca-6276-4993-bfeb-53cbbbba6f08";
    let profiles = [fixture::glp("msp", &[id])];
    let mut rig = Rig::new(&profiles);
    rig.grant(900);
    rig.answer(failed(FailureKind::Transient, Some(secs(3_000))));
    let waiter = rig.tenants("msp");
    rig.answer(failed(FailureKind::Transient, Some(secs(3_000))));
    assert_eq!(rig.code(waiter), ErrorCode::Unavailable);
    let mut renewals = 0;
    for _ in 0..29 {
        rig.pass(secs(100));
        rig.configure(&profiles);
        while !rig.sent.is_empty() {
            let request = rig.grant(900);
            assert!(matches!(request.grant, Grant::ClientCredentials { .. }), "{request:?} within its pause");
            renewals += 1;
        }
    }
    assert!(renewals >= 3, "the workspace's own token is renewed all the same");
}
