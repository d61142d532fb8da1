//! What peers ask, and that each is answered exactly once.

use super::*;

const PROFILE: &str = "campus";

fn rig() -> Rig {
    let mut rig = Rig::new(&[fixture::central(PROFILE)]);
    rig.grant(7200);
    rig
}

#[test]
fn two_hundred_peers_wait_for_one_request() {
    let mut rig = Rig::new(&[fixture::central(PROFILE)]);
    let waiters: Vec<WaiterId> = (0..200).map(|_| rig.get(PROFILE)).collect();
    assert_eq!(rig.requests(), 1);
    rig.grant(7200);
    for waiter in waiters {
        assert_eq!(rig.given(waiter), "access-1");
    }
    assert_eq!(rig.requests(), 1);
}

#[test]
fn a_peer_that_waits_in_vain_is_answered_when_its_time_is_up() {
    let mut rig = Rig::new(&[fixture::central(PROFILE)]);
    let waiter = rig.get(PROFILE);
    rig.pass(Duration::from_millis(9_999));
    assert!(rig.is_waiting(waiter));
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.code(waiter), ErrorCode::Unavailable);
}

#[test]
fn a_peer_that_left_is_not_answered() {
    let mut rig = Rig::new(&[fixture::central(PROFILE)]);
    let waiter = rig.get(PROFILE);
    rig.handle(Input::Leave(waiter));
    rig.grant(7200);
    assert!(rig.is_waiting(waiter));
}

#[test]
fn an_unknown_profile_is_named() {
    let mut rig = rig();
    let waiter = rig.get("nowhere");
    assert_eq!(rig.code(waiter), ErrorCode::NoSuchName);
    assert!(rig.error(waiter).message.contains("there are: campus"), "{}", rig.error(waiter).message);
    let waiter = rig.get("campus/00000000000000000000000000000002");
    assert_eq!(rig.code(waiter), ErrorCode::NoSuchName);
}

#[test]
fn three_quarters_of_the_life_can_always_be_had() {
    let mut rig = rig();
    rig.pass(secs(1700));
    let young = rig.get_with(PROFILE, secs(5400), secs(10));
    assert_eq!(rig.given(young), "access-1", "5,500 s are left");
    rig.pass(secs(200));
    let old = rig.get_with(PROFILE, secs(5400), secs(10));
    assert!(rig.is_waiting(old), "5,300 s are left: renewed for it");
    rig.grant(7200);
    assert_eq!((rig.given(old), rig.flags(old)), ("access-2", Flags::NONE));
}

#[test]
fn more_life_than_a_young_token_has_is_answered_short_and_says_so() {
    let mut rig = rig();
    rig.pass(secs(100));
    let waiter = rig.get_with(PROFILE, secs(7150), secs(10));
    assert_eq!((rig.given(waiter), rig.flags(waiter)), ("access-1", Flags::FALLS_SHORT));
    assert_eq!(rig.requests(), 1);
}

#[test]
fn an_impossible_min_ttl_costs_one_request_per_quarter_of_a_life() {
    let mut rig = rig();
    for _ in 0..72 {
        rig.provider_is_up(secs(100), 7200);
        let waiter = rig.get_with(PROFILE, secs(100_000), secs(10));
        if rig.is_waiting(waiter) {
            rig.grant(7200);
        }
        assert_eq!(rig.flags(waiter), Flags::FALLS_SHORT);
    }
    assert!(rig.requests() <= 1 + 4, "{} requests in one life", rig.requests());
}

#[test]
fn when_the_provider_is_down_a_min_ttl_is_answered_short_not_refused() {
    let mut rig = rig();
    rig.pass(secs(3000));
    let waiter = rig.get_with(PROFILE, secs(5400), secs(3));
    rig.fail(FailureKind::Transient);
    rig.pass(secs(3));
    assert_eq!((rig.given(waiter), rig.flags(waiter)), ("access-1", Flags::FALLS_SHORT));
}

#[test]
fn a_rejected_token_is_replaced_once_however_many_complain() {
    let mut rig = rig();
    let waiters: Vec<WaiterId> = (0..50).map(|_| rig.reject(PROFILE, "access-1")).collect();
    assert_eq!(rig.requests(), 2);
    let bystander = rig.get(PROFILE);
    assert_eq!(rig.given(bystander), "access-1", "nobody else loses it meanwhile");
    rig.grant(7200);
    assert!(waiters.iter().all(|w| rig.given(*w) == "access-2"));
    assert_eq!(rig.requests(), 2);
}

#[test]
fn a_complaint_about_an_old_token_costs_nothing() {
    let mut rig = rig();
    let waiter = rig.reject(PROFILE, "access-0");
    assert_eq!(rig.given(waiter), "access-1");
    assert_eq!(rig.requests(), 1);
}

#[test]
fn a_peer_that_rejects_everything_is_throttled_ever_more() {
    let mut rig = rig();
    let start = rig.now.boot;
    let mut throttled = 0;
    while rig.now.boot.since(start) < secs(3600) {
        let current = rig.token_cache(PROFILE).expect("always one").0.to_owned();
        let waiter = rig.reject(PROFILE, &current);
        if rig.is_waiting(waiter) {
            rig.grant(7200);
        } else {
            assert_eq!(rig.code(waiter), ErrorCode::Throttled);
            assert!(rig.error(waiter).retry_after.is_some_and(|wait| wait.0 <= 600_000));
            throttled += 1;
        }
        rig.pass(secs(5));
    }
    // 30, 60, 120, 240, 480 and then every 600 seconds.
    assert!((8..=12).contains(&rig.requests()), "{} requests in an hour", rig.requests());
    assert!(throttled > 600);
}

#[test]
fn after_a_token_that_nobody_rejects_the_throttle_starts_over() {
    let mut rig = rig();
    for n in 1..4 {
        rig.reject(PROFILE, &format!("access-{n}"));
        rig.grant(7200);
        rig.pass(secs(700));
    }
    rig.provider_is_up(secs(7200), 7200);
    let current = rig.token_cache(PROFILE).expect("one").0.to_owned();
    rig.reject(PROFILE, &current);
    rig.grant(7200);
    let current = rig.token_cache(PROFILE).expect("one").0.to_owned();
    let waiter = rig.reject(PROFILE, &current);
    assert_eq!(rig.error(waiter).retry_after.map(|wait| wait.0), Some(30_000));
}

#[test]
fn a_forced_renewal_that_fails_is_reported_and_the_token_stays() {
    let mut rig = rig();
    let waiter = rig.reject(PROFILE, "access-1");
    for _ in 0..6 {
        if !rig.sent.is_empty() {
            rig.fail(FailureKind::Transient);
        }
        rig.pass(secs(2));
    }
    assert_eq!(rig.code(waiter), ErrorCode::Unavailable);
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)));
}

#[test]
fn refresh_renews_now_and_tells_of_the_new_token() {
    let mut rig = rig();
    let waiter = rig.ask(Question::Refresh { name: token_name(PROFILE) });
    rig.grant(7200);
    match rig.outcome(waiter) {
        Outcome::Renewed(renewed) => {
            assert_eq!(renewed.fingerprint, tokend_proto::Fingerprint::of(&Secret::from("access-2")));
        }
        other => panic!("{other:?}"),
    }
    let again = rig.ask(Question::Refresh { name: token_name(PROFILE) });
    assert_eq!(rig.code(again), ErrorCode::Throttled);
}

#[test]
fn names_of_one_host_share_its_rate_and_peers_come_first() {
    let profiles: Vec<Profile> = (0..30).map(|n| fixture::central(&format!("p{n:02}"))).collect();
    let mut rig = Rig::new(&profiles);
    assert_eq!(rig.requests(), 5, "five in the first second");
    rig.get("p29");
    rig.pass(secs(1));
    let of: Vec<&str> = rig.log[5..10].iter().map(|(_, r)| r.profile.name.as_str()).collect();
    assert!(of[..2].contains(&"p29"), "{of:?}");
    rig.pass(secs(4));
    assert_eq!(rig.requests(), 30);
    for window in rig.log.windows(6) {
        assert!(window[5].0.since(window[0].0) >= secs(1));
    }
}
