//! Providers that give the same token again.

use super::*;
use crate::core::provider::TenantPage;

const TENANT: &str = "msp/497f6eca62764993bfeb53cbbbba6f08";
const TENANT_ID: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";
const COLD: &str = "msp/000000000000000000000000000000c0";

/// A token that the provider keeps giving until its end, with the life that it has left.
fn cached(text: &str, life: u64) -> Answer {
    Answer::Token(TokenResponse {
        access_token: Secret::from(text),
        token_type: "Bearer".into(),
        expires_in: Some(i64::try_from(life).expect("short")),
        warnings: Vec::new(),
    })
}

/// Answers each request for `span` with what `answer` says of its grant and of the time since the begin; when they were
/// sent, as that time in milliseconds. `look` is called four times a second.
fn play(
    rig: &mut Rig,
    span: Duration,
    mut answer: impl FnMut(&Grant, Duration) -> Answer,
    mut look: impl FnMut(&Rig),
) -> Vec<u64> {
    let begin = rig.now.boot;
    let mut sent = Vec::new();
    while rig.now.boot.since(begin) < span {
        while !rig.sent.is_empty() {
            let at = rig.now.boot.since(begin);
            sent.push(u64::try_from(at.as_millis()).expect("short"));
            assert!(sent.len() < 1_000, "requests without end: {:?}", &sent[..20]);
            let reply = answer(&rig.sent[0].grant, at);
            rig.answer(reply);
        }
        look(rig);
        rig.pass(Duration::from_millis(250));
    }
    sent
}

#[test]
fn a_complaint_that_brings_the_same_token_has_failed_and_says_so() {
    let mut rig = Rig::new(&[fixture::central("campus")]);
    rig.answer(cached("same", 7199));
    let published = rig.token_cache["campus"].0.issued;
    rig.pass(secs(100));
    let waiter = rig.reject("campus", "same");
    rig.answer(cached("same", 7099));
    let error = rig.error(waiter);
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("the same token again") && error.retry_after.is_some(), "{}", error.message);
    assert_eq!(rig.status("campus").health, tokend_proto::Health::Failing);
    assert_eq!(rig.token_cache["campus"].0.issued, published, "it is no younger");
    let waiter = rig.reject("campus", "same");
    assert!(matches!(rig.code(waiter), ErrorCode::Unavailable | ErrorCode::Throttled));
    let sent = play(&mut rig, secs(7000), |_, at| cached("same", 7099 - at.as_secs()), |_| ());
    assert!(sent.len() <= 8, "{sent:?}");
    play(&mut rig, secs(3600), |_, _| cached("another", 7199), |_| ());
    assert_eq!(rig.status("campus").health, tokend_proto::Health::Good);
}

#[test]
fn a_provider_that_gives_its_token_until_its_end_is_asked_a_few_times_a_life_and_leaves_no_gap() {
    for life in [8, 60, 899, 7199] {
        let mut rig = Rig::new(&[fixture::central("campus")]);
        let answer = |_: &Grant, at: Duration| {
            let (number, age) = (at.as_secs() / life, at.as_secs() % life);
            cached(&format!("token-{number}"), life - age)
        };
        let served =
            |rig: &Rig| assert!(rig.token_cache("campus").is_some(), "{life} s: nothing to serve at {:?}", rig.now);
        let sent = play(&mut rig, secs(3 * life), answer, served);
        assert!(sent.len() <= 3 * 9, "{life} s: {sent:?}");
    }
}

#[test]
fn a_workspace_token_that_is_refused_and_given_again_is_asked_for_a_few_times() {
    let mut rig = Rig::new(&[fixture::glp("msp", &[TENANT_ID])]);
    let waiter = rig.get_with(TENANT, secs(0), secs(60));
    let sent = play(
        &mut rig,
        secs(600),
        |grant, at| match grant {
            Grant::ClientCredentials { .. } => cached("same", 899 - at.as_secs()),
            _ => failed(FailureKind::InvalidToken, None),
        },
        |_| (),
    );
    assert!(sent.len() <= 12, "{sent:?}");
    assert!(rig.error(waiter).message.contains("workspace"), "{}", rig.error(waiter).message);
    let waiter = rig.get(TENANT);
    assert!(rig.error(waiter).message.contains("same token again"), "{}", rig.error(waiter).message);
    assert_eq!(rig.status("msp").health, tokend_proto::Health::Failing);
    play(&mut rig, secs(1_800), |_, at| cached(&format!("token-{}", at.as_millis()), 900), |_| ());
    assert_eq!(rig.status("msp").health, tokend_proto::Health::Good);
    assert_eq!(rig.status(TENANT).health, tokend_proto::Health::Good);
}

#[test]
fn a_list_that_is_refused_with_each_token_is_asked_for_minutes_later() {
    let mut rig = Rig::new(&[fixture::glp("msp", &["Acme Corp"])]);
    let sent = play(
        &mut rig,
        secs(3600),
        |grant, at| match grant {
            Grant::ListTenants { .. } => failed(FailureKind::InvalidToken, None),
            _ => cached(&format!("token-{}", at.as_millis()), 899),
        },
        |_| (),
    );
    assert!(sent.len() <= 24, "{sent:?}");
    play(
        &mut rig,
        secs(3600),
        |grant, at| match grant {
            Grant::ListTenants { .. } => Answer::Tenants(TenantPage {
                total: 1,
                received: 1,
                items: vec![(TENANT_ID.parse().expect("an id"), "Acme Corp".to_owned())],
            }),
            _ => cached(&format!("token-{}", at.as_millis()), 899),
        },
        |_| (),
    );
    assert_eq!(rig.status(TENANT).health, tokend_proto::Health::Good);
}

#[test]
fn a_workspace_token_that_is_too_short_on_arrival_fails_its_tenants_and_backs_off() {
    let mut rig = Rig::new(&[fixture::glp("msp", &[TENANT_ID])]);
    let waiter = rig.get_with(TENANT, secs(0), secs(60));
    let begin = rig.now.boot;
    let mut sent = 0;
    while rig.now.boot.since(begin) < secs(600) {
        if rig.sent.is_empty() {
            rig.pass(Duration::from_millis(250));
            continue;
        }
        sent += 1;
        rig.pass(secs(25)); // of a life of 30
        let reply = cached(&format!("slow-{sent}"), 30);
        rig.answer(reply);
    }
    assert!(sent <= 23, "{sent}: each takes 25 s, and a pause follows it");
    assert!(rig.error(waiter).message.contains("too little"), "{}", rig.error(waiter).message);
}

#[test]
fn min_ttl_asks_once_for_a_token_that_comes_again() {
    let mut rig = Rig::new(&[fixture::central("campus")]);
    rig.answer(cached("same", 7199));
    rig.pass(secs(4000));
    for _ in 0..20 {
        let waiter = rig.get_with("campus", secs(5000), secs(2));
        while !rig.sent.is_empty() {
            rig.answer(cached("same", 3000));
        }
        rig.pass(secs(3));
        assert_eq!((rig.given(waiter), rig.flags(waiter)), ("same", Flags::FALLS_SHORT));
    }
    assert_eq!(rig.requests(), 2);
}

#[test]
fn a_slow_answer_with_the_same_token_is_not_asked_for_again_at_once() {
    let mut rig = Rig::new(&[fixture::central("campus")]);
    rig.answer(cached("same", 60));
    rig.pass(secs(43));
    assert_eq!(rig.sent.len(), 1, "its renewal");
    rig.pass(secs(10));
    rig.answer(cached("same", 6)); // dead on arrival by its own words
    rig.pass(secs(5));
    assert!(rig.sent.is_empty(), "it lives for 7 s, as the first answer said");
    rig.pass(secs(3));
    assert_eq!(rig.sent.len(), 1);
    rig.answer(cached("same", 0));
    assert_eq!(rig.requests(), 3);
}

#[test]
fn a_token_whose_end_comes_sooner_than_it_was_said_to_is_not_served_beyond_it() {
    let mut rig = Rig::new(&[fixture::central("campus")]);
    rig.answer(cached("same", 7199));
    rig.pass(secs(100));
    rig.reject("campus", "same");
    rig.answer(cached("same", 300));
    assert!(rig.left("campus") <= secs(300), "{:?}", rig.left("campus"));
    rig.pass(secs(301));
    assert_eq!((rig.token_cache("campus"), rig.sent.len()), (None, 1));
    rig.answer(cached("another", 7199));
    assert_eq!(rig.status("campus").health, tokend_proto::Health::Good);
}

#[test]
fn a_tenant_whose_workspace_token_rests_is_answered_at_once() {
    let mut rig = Rig::new(&[fixture::glp("msp", &[])]);
    rig.answer(cached("same", 90));
    rig.tenants("msp");
    rig.answer(Answer::Tenants(TenantPage {
        total: 1,
        received: 1,
        items: vec![("000000000000000000000000000000c0".parse().unwrap(), "Cold".into())],
    }));
    // life 90: renewal at 60..., margin of a parent 30
    while rig.sent.is_empty() {
        rig.pass(secs(1));
    }
    let left = rig.left("msp").as_secs();
    rig.answer(cached("same", left));
    rig.pass(secs(2));
    let waiter = rig.get(COLD);
    let late = rig.is_waiting(waiter);
    rig.pass(secs(11));
    assert!(!late);
}

#[test]
fn a_complaint_while_a_token_rests_is_answered_with_the_time() {
    let mut rig = Rig::new(&[fixture::central("campus")]);
    rig.answer(cached("same", 7199));
    while rig.sent.is_empty() {
        rig.pass(secs(60));
    }
    let left = rig.left("campus").as_secs();
    rig.answer(cached("same", left));
    let waiter = rig.reject("campus", "same");
    assert!(rig.error(waiter).retry_after.is_some());
}

#[test]
fn a_refused_token_that_comes_again_after_its_end_is_not_exchanged_and_said_to_be_refused() {
    let mut rig = Rig::new(&[fixture::glp("msp", &[TENANT_ID])]);
    rig.answer(cached("static", 899));
    rig.fail(FailureKind::InvalidToken);
    let sent = play(&mut rig, secs(7200), |_, _| cached("static", 899), |_| ());
    assert!(sent.len() <= 80, "{sent:?}");
    assert!(rig.log.iter().filter(|(_, request)| matches!(request.grant, Grant::Exchange { .. })).count() == 1);
    let waiter = rig.get(TENANT);
    assert!(rig.error(waiter).message.contains("the same token again"), "{}", rig.error(waiter).message);
}

#[test]
fn the_same_token_without_a_life_takes_no_good_token_away() {
    let mut rig = Rig::new(&[fixture::central("campus")]);
    rig.answer(cached("same", 7199));
    while rig.sent.is_empty() {
        rig.pass(secs(60));
    }
    rig.answer(cached("same", 0));
    rig.pass(secs(5));
    assert!(rig.token_cache("campus").is_some());
}
