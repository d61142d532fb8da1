//! Renewals that need no peer, failures, recovery.

use super::*;

const PROFILE: &str = "campus";

fn rig() -> Rig {
    Rig::new(&[fixture::central(PROFILE)])
}

#[test]
fn a_token_is_fetched_and_renewed_ahead_of_time_by_nobodys_request() {
    let mut rig = rig();
    rig.grant(7199);
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)));
    rig.pass(secs(4751));
    assert_eq!(rig.requests(), 1, "not before 66 % of its life");
    rig.pass(secs(510));
    assert_eq!(rig.requests(), 2, "not after 73 %");
    rig.grant(7199);
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
}

#[test]
fn over_many_short_lives_there_is_always_a_good_token() {
    let mut rig = rig();
    rig.grant(3);
    for _ in 0..200 {
        rig.provider_is_up(Duration::from_millis(250), 3);
        assert!(rig.left(PROFILE) > Duration::ZERO);
    }
    assert!((20..40).contains(&rig.requests()), "{} requests in 50 s", rig.requests());
}

#[test]
fn a_failed_renewal_keeps_the_good_token() {
    let mut rig = rig();
    rig.grant(7199);
    rig.pass(secs(5300));
    for _ in 0..10 {
        rig.fail(FailureKind::Transient);
        assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)));
        rig.pass(secs(30));
    }
    let waiter = rig.get(PROFILE);
    assert_eq!(rig.given(waiter), "access-1");
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Failing);
    rig.grant(7199);
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Good);
}

#[test]
fn retries_go_on_for_ever_and_their_pace_is_bounded() {
    let mut rig = rig();
    let mut gaps = Vec::new();
    let mut last = rig.log[0].0;
    for _ in 0..60 {
        rig.fail(FailureKind::Unknown);
        rig.pass(secs(31));
        let (at, _) = rig.log.last().expect("sent");
        gaps.push(at.since(last));
        last = *at;
    }
    assert!(gaps.iter().all(|gap| *gap >= Duration::from_millis(500) && *gap <= secs(31 + 30)), "{gaps:?}");
    assert!(gaps.windows(2).skip(10).any(|w| w[0] != w[1]), "the pace has jitter");
    assert_eq!(rig.requests(), 61);
}

#[test]
fn past_its_life_peers_are_told_to_come_back_and_then_all_is_well_by_itself() {
    let mut rig = rig();
    rig.grant(600);
    rig.pass(secs(450));
    while rig.token_cache(PROFILE).is_some() {
        if !rig.sent.is_empty() {
            rig.fail(FailureKind::Transient);
        }
        rig.pass(secs(1));
    }
    let waiter = rig.get_with(PROFILE, secs(0), secs(0));
    assert_eq!(rig.code(waiter), ErrorCode::Unavailable);
    assert!(rig.error(waiter).message.contains("Transient it was"), "{}", rig.error(waiter).message);
    let patient = rig.get_with(PROFILE, secs(0), secs(120));
    rig.provider_is_up(secs(60), 600);
    assert!(rig.given(patient).starts_with("access-"));
}

#[test]
fn wrong_credentials_are_told_at_once_and_not_hammered_with() {
    let mut rig = rig();
    let early = rig.get(PROFILE);
    rig.fail(FailureKind::InvalidClient);
    assert_eq!(rig.code(early), ErrorCode::Rejected);
    let late = rig.get(PROFILE);
    assert_eq!(rig.code(late), ErrorCode::Rejected);
    rig.pass(secs(260));
    assert_eq!(rig.requests(), 1);
    rig.pass(secs(60));
    assert_eq!(rig.requests(), 2, "probed after five minutes");
    for _ in 0..24 {
        if !rig.sent.is_empty() {
            rig.fail(FailureKind::InvalidClient);
        }
        rig.pass(secs(3600));
    }
    assert!(rig.requests() <= 30, "{} probes in a day", rig.requests());
}

#[test]
fn a_probe_reads_the_secret_again_and_a_reload_probes_at_once() {
    let mut rig = rig();
    rig.fail(FailureKind::InvalidClient);
    rig.secrets.client_secrets = vec![SecretVersion(2)];
    rig.configure(&[fixture::central(PROFILE)]);
    let waiter = rig.get(PROFILE);
    assert!(rig.is_waiting(waiter), "a probe is under way: peers may wait for it");
    let request = rig.grant(7199);
    assert!(matches!(request.grant, Grant::ClientCredentials { secret: SecretVersion(2) }));
    assert_eq!(rig.given(waiter), "access-1");
}

#[test]
fn a_rejected_name_serves_what_life_its_token_has_left() {
    let mut rig = rig();
    rig.grant(7199);
    rig.pass(secs(5300));
    rig.fail(FailureKind::InvalidClient);
    let waiter = rig.get(PROFILE);
    assert_eq!(rig.given(waiter), "access-1");
    rig.pass(secs(1899));
    assert_eq!(rig.token_cache(PROFILE), None);
    let waiter = rig.get(PROFILE);
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
}

#[test]
fn the_third_unreadable_401_is_a_refusal() {
    let mut rig = rig();
    let waiter = rig.get_with(PROFILE, secs(0), secs(60));
    for _ in 0..2 {
        rig.fail(FailureKind::Unreadable);
        assert!(rig.is_waiting(waiter));
        rig.pass(secs(4));
    }
    rig.fail(FailureKind::Unreadable);
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
}

#[test]
fn of_several_secrets_the_one_that_worked_last_comes_first() {
    let mut rig = Rig::new(&[]);
    rig.secrets.client_secrets = vec![SecretVersion(1), SecretVersion(2)];
    rig.configure(&[fixture::central(PROFILE)]);
    let secret = |request: &ProviderRequest| match request.grant {
        Grant::ClientCredentials { secret } => secret.0,
        _ => 0,
    };
    let first = rig.fail(FailureKind::InvalidClient);
    rig.pass(secs(1));
    let second = rig.grant(60);
    assert_eq!((secret(&first), secret(&second)), (1, 2));
    rig.pass(secs(45));
    assert_eq!(secret(&rig.sent[0]), 2);
}

#[test]
fn an_unreadable_secret_is_a_passing_fault() {
    let mut rig = rig();
    rig.sent.clear();
    rig.secrets = SecretVersions { problems: vec!["the command timed out".into()], ..SecretVersions::default() };
    rig.configure(&[]);
    rig.configure(&[fixture::central(PROFILE)]);
    let waiter = rig.get_with(PROFILE, secs(0), secs(0));
    assert_eq!(rig.code(waiter), ErrorCode::Unavailable);
    assert!(rig.error(waiter).message.contains("the command timed out"));
    rig.secrets.client_secrets = vec![SecretVersion(5)];
    rig.pass(secs(3));
    rig.grant(7199);
    assert!(rig.token_cache(PROFILE).is_some());
}

#[test]
fn a_429_pauses_the_client_for_as_long_as_it_says_but_an_hour_at_most() {
    let mut rig = rig();
    rig.answer(failed(FailureKind::RateLimited, Some(secs(100))));
    rig.pass(secs(99));
    assert_eq!(rig.requests(), 1);
    rig.pass(secs(2));
    assert_eq!(rig.requests(), 2);
    rig.answer(failed(FailureKind::RateLimited, Some(secs(1_000_000))));
    rig.pass(secs(3590));
    assert_eq!(rig.requests(), 2);
    rig.pass(secs(40));
    assert_eq!(rig.requests(), 3);
}

#[test]
fn a_503_with_retry_after_is_believed() {
    let mut rig = rig();
    rig.answer(failed(FailureKind::Transient, Some(secs(120))));
    rig.pass(secs(119));
    assert_eq!(rig.requests(), 1);
    rig.pass(secs(2));
    assert_eq!(rig.requests(), 2);
}

#[test]
fn life_counts_from_when_the_request_was_sent() {
    let mut rig = rig();
    rig.pass(secs(20));
    rig.grant(100);
    assert_eq!(rig.left(PROFILE), secs(80));
}

#[test]
fn an_answer_that_took_longer_than_the_token_lives_is_a_fault() {
    let mut rig = rig();
    rig.pass(secs(20));
    rig.grant(10);
    assert_eq!(rig.token_cache(PROFILE), None);
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Unavailable);
}

#[test]
fn a_useless_life_is_a_fault_and_a_missing_one_is_the_documented() {
    let mut rig = rig();
    rig.grant(1);
    assert_eq!(rig.token_cache(PROFILE), None);
    rig.pass(secs(2));
    let mut token = rig.token(0);
    token.expires_in = None;
    rig.answer(Answer::Token(token));
    assert!(rig.left(PROFILE) > secs(7190), "{:?}", rig.left(PROFILE));
}

#[test]
fn after_a_suspend_longer_than_the_life_nothing_expired_is_served() {
    let mut rig = rig();
    rig.grant(7199);
    rig.set_time(rig.now.boot + secs(10_000));
    let waiter = rig.get(PROFILE);
    assert!(rig.is_waiting(waiter));
    assert_eq!(rig.token_cache(PROFILE), None);
    rig.grant(7199);
    assert_eq!(rig.given(waiter), "access-2");
}

#[test]
fn a_step_of_the_wall_clock_changes_nothing() {
    for step in [-86_400_000, 86_400_000] {
        let mut rig = rig();
        rig.grant(7199);
        rig.now.wall.0 += step;
        rig.handle(Input::Tick);
        assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)));
        rig.pass(secs(4700));
        assert_eq!(rig.requests(), 1);
    }
}

#[test]
fn after_shutdown_nothing_new_is_begun() {
    let mut rig = rig();
    rig.grant(600);
    rig.handle(Input::Shutdown);
    rig.pass(secs(500));
    assert_eq!(rig.requests(), 1);
    let waiter = rig.get(PROFILE);
    assert_eq!(rig.given(waiter), "access-1", "reads go on");
}
