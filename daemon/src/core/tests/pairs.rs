//! Odd answers to what spends a refresh token or a login: what of them is kept, what is served, and when the next
//! request follows.

use super::chains::{chain_on_disk, imported};
use super::*;
use crate::core::record::{ChainState, LoginOutcome};

const PROFILE: &str = "legacy";

/// A chain whose refresh is on the wire.
fn on_the_wire() -> Rig {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    assert_eq!(refresh_token_of(&rig.sent[0]), "refresh-1");
    rig
}

fn new(token: &str) -> RefreshToken {
    RefreshToken::New(Secret::from(token))
}

fn answer(rig: &mut Rig, access: Option<i64>, refresh_token: RefreshToken) -> Answer {
    let access = access.map(|life| rig.token(life));
    Answer::Pair(PairResponse { access, refresh_token, warnings: Vec::new() })
}

fn refresh_token(rig: &Rig) -> Option<&str> {
    chain_on_disk(rig).refresh_token.as_ref().map(Secret::expose)
}

/// Answers each request alike for an hour; when they were sent, in seconds.
fn answered_alike(rig: &mut Rig, answer: impl Fn(&mut Rig) -> Answer) -> Vec<u64> {
    let (begin, end) = (rig.now.boot, rig.now.boot + secs(3600));
    let mut sent = Vec::new();
    while rig.now.boot < end {
        while !rig.sent.is_empty() {
            sent.push(rig.now.boot.since(begin).as_secs());
            let answer = answer(rig);
            rig.answer(answer);
        }
        rig.pass(secs(1));
    }
    sent
}

#[test]
fn a_pair_without_an_access_token_is_kept_and_the_next_refresh_follows_minutes_later() {
    let mut rig = on_the_wire();
    let reply = answer(&mut rig, None, new("kept"));
    rig.answer(reply);
    assert_eq!(refresh_token(&rig), Some("kept"));
    assert_eq!(chain_on_disk(&rig).state, ChainState::Settled);
    let status = rig.status(PROFILE);
    assert_eq!(status.health, tokend_proto::Health::Failing, "{status:?}");
    let sent = answered_alike(&mut rig, |rig| answer(rig, None, new("kept")));
    assert!((2..=4).contains(&sent.len()) && sent[0] >= 270 && sent[1] >= sent[0] + 540, "{sent:?}");
    let mut rig = rig.restart(&[fixture::classic(PROFILE, false)], secs(1), false);
    assert_eq!(refresh_token_of(&rig.sent[0]), "kept");
    rig.grant(7200);
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Good);
}

#[test]
fn an_access_token_that_lives_for_no_time_is_served_with_a_flag() {
    for life in [1, 0, -5] {
        let mut rig = on_the_wire();
        let reply = answer(&mut rig, Some(life), new("kept"));
        rig.answer(reply);
        assert_eq!(
            (rig.token_cache(PROFILE), refresh_token(&rig)),
            (Some(("access-2", ReadMode::ServeRenewing)), Some("kept"))
        );
        let sent = answered_alike(&mut rig, |rig| answer(rig, Some(life), new("kept")));
        assert!((2..=4).contains(&sent.len()) && sent[0] >= 270, "{life}: {sent:?}");
    }
}

#[test]
fn an_import_whose_first_access_token_is_useless_is_a_chain() {
    let mut rig = Rig::new(&[fixture::classic(PROFILE, false)]);
    let waiter = rig.import(PROFILE, "downloaded");
    let reply = answer(&mut rig, None, new("kept"));
    rig.answer(reply);
    assert!(matches!(rig.outcome(waiter), Outcome::Imported(imported) if imported.changed));
    assert_eq!(refresh_token(&rig), Some("kept"));
    let waiter = rig.get(PROFILE);
    let error = rig.error(waiter);
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("brought no access token") && error.retry_after.is_some(), "{}", error.message);
    rig.pass(secs(60));
    assert_eq!(rig.requests(), 1, "not before minutes have gone by");
    let waiter = rig.ask(Question::Refresh { name: token_name(PROFILE) });
    rig.grant(7200);
    assert!(matches!(rig.outcome(waiter), Outcome::Renewed(_)), "unless an operator asks for it");
}

#[test]
fn an_operator_cannot_have_an_incomplete_chain_refreshed_without_end() {
    let mut rig = on_the_wire();
    rig.pass(secs(601)); // the old access token has expired meanwhile
    let reply = answer(&mut rig, None, new("kept"));
    rig.answer(reply);
    let before = rig.requests();
    for _ in 0..100 {
        rig.ask(Question::Refresh { name: token_name(PROFILE) });
        while !rig.sent.is_empty() {
            let reply = answer(&mut rig, None, new("kept"));
            rig.answer(reply);
        }
        rig.pass(Duration::from_millis(500));
    }
    assert_eq!(rig.requests() - before, 1);
}

#[test]
fn without_a_refresh_token_the_one_that_was_sent_goes_on_and_gets_no_younger() {
    let mut rig = on_the_wire();
    let rotated = chain_on_disk(&rig).rotated;
    let reply = answer(&mut rig, Some(7200), RefreshToken::Absent);
    rig.answer(reply);
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
    assert_eq!((refresh_token(&rig), chain_on_disk(&rig).rotated), (Some("refresh-1"), rotated));
    let mut rig = rig.restart(&[fixture::classic(PROFILE, false)], secs(10), true);
    let left = rig.left(PROFILE);
    assert!(left > secs(7180) && left < secs(7200), "{left:?}: the access token is younger than the refresh token");
    rig.grant(7200);
    rig.pass(secs(6601));
    rig.fail(FailureKind::InvalidGrant);
    rig.pass(secs(700));
    let waiter = rig.get(PROFILE);
    assert_eq!(rig.code(waiter), ErrorCode::ChainLost);
}

#[test]
fn an_old_refresh_token_that_dies_after_an_answer_without_another_is_lost_for_that() {
    let mut rig = on_the_wire();
    let reply = answer(&mut rig, Some(7200), RefreshToken::Absent);
    rig.answer(reply);
    let mut rig = rig.restart(&[fixture::classic(PROFILE, false)], secs(10), false);
    rig.pass(secs(6601));
    rig.fail(FailureKind::InvalidGrant);
    let state = &chain_on_disk(&rig).state;
    assert!(matches!(state, ChainState::Lost { why: super::super::record::LostCause::ReplyLost, .. }), "{state:?}");
}

#[test]
fn an_access_token_beside_an_unreadable_refresh_token_is_served_and_the_chain_is_in_doubt() {
    let mut rig = on_the_wire();
    let reply = answer(&mut rig, Some(7200), RefreshToken::Unreadable);
    rig.answer(reply);
    assert_eq!(rig.token_cache(PROFILE).map(|(token, _)| token), Some("access-2"));
    assert!(matches!(chain_on_disk(&rig).state, ChainState::InFlight { .. }));
    let sent = answered_alike(&mut rig, |rig| answer(rig, Some(7200), RefreshToken::Unreadable));
    assert!((2..=4).contains(&sent.len()) && sent[0] >= 270, "{sent:?}");
    rig.pass(secs(3600));
    let request = rig.grant(7200);
    assert_eq!(refresh_token_of(&request), "refresh-1", "only the provider knows whether it was spent");
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Good);
}

#[test]
fn an_import_whose_answer_cannot_be_used_is_kept_and_asked_about_minutes_later() {
    let mut rig = Rig::new(&[fixture::classic(PROFILE, false)]);
    rig.import(PROFILE, "downloaded");
    let reply = answer(&mut rig, Some(7200), RefreshToken::Unreadable);
    rig.answer(reply);
    assert_eq!(rig.token_cache(PROFILE).map(|(token, _)| token), Some("access-1"), "it is good all the same");
    rig.pass(secs(200));
    assert_eq!(rig.requests(), 1);
    rig.pass(secs(200));
    let request = rig.grant(7200);
    assert_eq!(refresh_token_of(&request), "downloaded");
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Good);
}

#[test]
fn a_login_that_brings_no_refresh_token_has_used_the_quota_and_its_access_token_is_served() {
    let mut rig = Rig::new(&[fixture::classic(PROFILE, true)]);
    for refresh_token in [RefreshToken::Absent, RefreshToken::Unreadable] {
        assert!(matches!(rig.sent[0].grant, Grant::Login { .. }));
        let reply = answer(&mut rig, Some(7200), refresh_token);
        rig.answer(reply);
        assert!(rig.token_cache(PROFILE).is_some());
        let minted = rig.disk.values().any(|(_, record)| match record {
            Record::Quota(quota) => quota.attempts.last().is_some_and(|last| last.outcome == LoginOutcome::Minted),
            _ => false,
        });
        assert!(minted);
        rig.pass(secs(6000));
        assert!(rig.sent.is_empty(), "the next login waits for this token's renewal");
        rig.pass(secs(700));
    }
    rig.grant(7200);
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Good);
}

#[test]
fn a_pair_whose_tokens_are_those_of_before_is_no_renewal() {
    let mut rig = on_the_wire();
    let left = rig.left(PROFILE);
    let same = |rig: &mut Rig| {
        let access = TokenResponse { access_token: Secret::from("access-1"), ..rig.token(7200) };
        Answer::Pair(PairResponse { access: Some(access), refresh_token: new("refresh-1"), warnings: Vec::new() })
    };
    let reply = same(&mut rig);
    rig.answer(reply);
    assert_eq!(rig.left(PROFILE), left, "it is as old as it was");
    assert_eq!(chain_on_disk(&rig).refresh_token.as_ref().map(Secret::expose), Some("refresh-1"));
    let sent = answered_alike(&mut rig, same);
    assert!(sent.len() <= 12 && sent[0] >= 250, "{sent:?}");
}

#[test]
fn what_is_odd_is_said_once() {
    let mut rig = imported(false);
    for _ in 0..3 {
        rig.pass(secs(6601));
        let mut access = rig.token(7200);
        access.warnings.push("expires_in cannot be read");
        let refresh_token = new(&format!("odd-{}", rig.tokens));
        rig.answer(Answer::Pair(PairResponse {
            access: Some(access),
            refresh_token,
            warnings: vec!["a byte too many"],
        }));
    }
    let said = |words: &str| rig.notices.iter().filter(|notice| notice.message.contains(words)).count();
    assert_eq!((said("expires_in cannot be read"), said("a byte too many")), (1, 1));
}

#[test]
fn an_access_token_that_has_died_and_comes_again_is_not_served() {
    for life in [Some(1), None] {
        let mut rig = on_the_wire();
        rig.fail(FailureKind::Transient);
        while rig.token_cache(PROFILE).is_some() {
            rig.pass(secs(10));
            while !rig.sent.is_empty() {
                rig.fail(FailureKind::Transient);
            }
        }
        while rig.sent.is_empty() {
            rig.pass(secs(1));
        }
        let access = TokenResponse { access_token: Secret::from("access-1"), expires_in: life, ..rig.token(0) };
        rig.answer(Answer::Pair(PairResponse {
            access: Some(access),
            refresh_token: new("kept"),
            warnings: Vec::new(),
        }));
        assert_eq!((rig.token_cache(PROFILE), refresh_token(&rig)), (None, Some("kept")), "{life:?}");
    }
}

#[test]
fn an_access_token_that_dies_while_it_is_being_stored_is_replaced_at_once() {
    let mut rig = on_the_wire();
    rig.slow_disk = Some(Vec::new());
    rig.grant(4);
    rig.pass(secs(5));
    rig.flush();
    assert_ne!(rig.token_cache(PROFILE).map(|(token, _)| token), Some("access-2"));
    rig.pass(secs(2));
    let request = rig.grant(7200);
    assert_eq!(refresh_token_of(&request), "refresh-2");
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Good);
}
