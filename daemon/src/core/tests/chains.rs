//! The chain of a Classic profile: rotation, crashes, loss.

use super::*;
use crate::core::record::{ChainRecord, ChainState};

const PROFILE: &str = "legacy";

fn profiles(login: bool) -> [Profile; 1] {
    [fixture::classic(PROFILE, login)]
}

/// A chain that was imported and refreshed.
pub(super) fn imported(login: bool) -> Rig {
    let mut rig = Rig::new(&profiles(false));
    let waiter = rig.import(PROFILE, "downloaded");
    rig.grant(7200);
    assert!(matches!(rig.outcome(waiter), Outcome::Imported(imported) if imported.changed));
    rig.configure(&profiles(login));
    rig
}

pub(super) fn chain_on_disk(rig: &Rig) -> &ChainRecord {
    rig.disk
        .values()
        .find_map(|(_, record)| match record {
            Record::Chain(chain) => Some(chain),
            _ => None,
        })
        .expect("a chain")
}

#[test]
fn an_empty_chain_without_login_asks_for_an_import() {
    let mut rig = Rig::new(&profiles(false));
    let waiter = rig.get(PROFILE);
    assert_eq!(rig.code(waiter), ErrorCode::ChainEmpty);
    assert!(rig.error(waiter).message.contains("tokenctl import legacy"), "{}", rig.error(waiter).message);
    rig.pass(secs(86_400));
    assert_eq!(rig.requests(), 0);
}

#[test]
fn a_rotation_is_durable_before_it_is_sent_and_its_pair_before_it_is_seen() {
    let mut rig = imported(false);
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)));
    rig.slow_disk = Some(Vec::new());
    rig.pass(secs(6601));
    assert!(rig.sent.is_empty(), "not sent before `in flight` is durable");
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)));
    rig.flush();
    assert_eq!(refresh_token_of(&rig.sent[0]), "refresh-1");
    assert!(matches!(chain_on_disk(&rig).state, ChainState::InFlight { .. }));
    rig.slow_disk = Some(Vec::new());
    rig.grant(7200);
    let (seen, _) = rig.token_cache(PROFILE).expect("one");
    assert_eq!(seen, "access-1", "the new one is not seen before it is durable");
    rig.flush();
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
    assert_eq!(chain_on_disk(&rig).state, ChainState::Settled);
    assert_eq!(chain_on_disk(&rig).refresh_token.as_ref().map(Secret::expose), Some("refresh-2"));
}

#[test]
fn reads_wait_two_seconds_for_a_rotation_and_then_get_the_old_token_flagged() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Ask)));
    let patient = rig.get(PROFILE);
    let hasty = rig.get_with(PROFILE, secs(0), secs(0));
    assert_eq!((rig.given(hasty), rig.flags(hasty)), ("access-1", Flags::RENEWING));
    assert!(rig.is_waiting(patient));
    rig.pass(secs(2));
    assert_eq!((rig.given(patient), rig.flags(patient)), ("access-1", Flags::RENEWING));
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::ServeRenewing)));
    let quick = rig.get(PROFILE);
    rig.grant(7200);
    assert_eq!(rig.flags(quick), Flags::RENEWING);
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
}

#[test]
fn a_full_disk_is_found_before_the_refresh_token_is_spent() {
    let mut rig = imported(false);
    rig.disk_fault = Some("no space left on device");
    rig.pass(secs(6700));
    assert!(rig.sent.is_empty());
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)));
    assert!(rig.status(PROFILE).last_error.is_some_and(|e| e.contains("no space left")));
    rig.disk_fault = None;
    rig.pass(secs(60));
    assert_eq!(rig.sent.len(), 1);
}

#[test]
fn a_pair_that_cannot_be_stored_is_tried_until_it_can() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    rig.disk_fault = Some("no space left on device");
    rig.grant(7200);
    rig.pass(secs(120));
    assert!(!rig.core.is_quiet(), "the daemon does not stop with a pair in memory only");
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::ServeRenewing)));
    assert!(rig.sent.is_empty());
    let status = rig.status(PROFILE);
    assert_eq!(status.health, tokend_proto::Health::Failing);
    assert!(status.last_error.is_some_and(|e| e.contains("held in memory") && e.contains("no space left")));
    assert_eq!(status.chain.map(|chain| chain.state).as_deref(), Some("in flight"));
    rig.disk_fault = None;
    rig.pass(secs(40));
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Good);
    assert!(rig.core.is_quiet());
}

#[test]
fn a_refusal_that_cannot_be_stored_is_one_all_the_same_and_status_is_of_one_piece() {
    for login in [false, true] {
        let mut rig = imported(login);
        rig.pass(secs(6601));
        rig.disk_fault = Some("no space left on device");
        rig.fail(FailureKind::InvalidGrant);
        let status = rig.status(PROFILE);
        let chain = status.chain.expect("of a Classic profile");
        if login {
            assert_eq!(chain.state, "awaiting login");
            assert!(status.last_error.is_some_and(|e| e.contains("refuses the refresh token could not be stored")));
        } else {
            assert_eq!((status.health, chain.state.as_str()), (tokend_proto::Health::ChainLost, "lost"));
            assert!(chain.why.is_some_and(|why| why.contains("revoked")));
        }
        assert_eq!(chain.ends_at, None, "there is no refresh token any more");
        rig.pass(secs(60));
        assert_eq!(rig.requests(), 2, "login: {login}: what is decided is stored first");
        rig.disk_fault = None;
        rig.pass(secs(40));
        assert_eq!(rig.requests(), if login { 3 } else { 2 });
        assert!(rig.core.is_quiet() != login, "a login is on the wire");
    }
}

#[test]
fn an_unknown_outcome_tries_the_same_refresh_token_again() {
    let mut rig = imported(true);
    rig.pass(secs(6601));
    for _ in 0..5 {
        let request = rig.fail(FailureKind::Unknown);
        assert_eq!(refresh_token_of(&request), "refresh-1");
        assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::ServeRenewing)));
        rig.pass(secs(31));
    }
    let request = rig.grant(7200);
    assert_eq!(refresh_token_of(&request), "refresh-1");
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
}

#[test]
fn one_request_of_a_chain_at_a_time() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    rig.get(PROFILE);
    rig.reject(PROFILE, "access-1");
    rig.import(PROFILE, "another");
    rig.pass(secs(9));
    assert_eq!(rig.sent.len(), 1);
}

#[test]
fn without_login_a_definite_refusal_loses_the_chain_and_says_what_to_do() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    rig.fail(FailureKind::InvalidGrant);
    let left = Some(("access-1", ReadMode::ServeRenewing));
    assert_eq!(rig.token_cache(PROFILE), left, "what life is left is served, with a warning: it may be dead");
    rig.pass(secs(700));
    let waiter = rig.get(PROFILE);
    assert_eq!(rig.code(waiter), ErrorCode::ChainLost);
    let message = &rig.error(waiter).message;
    assert!(message.contains("revoked") && message.contains("tokenctl import legacy"), "{message}");
    assert!(matches!(chain_on_disk(&rig).state, ChainState::Lost { .. }));
    rig.pass(secs(86_400));
    assert_eq!(rig.requests(), 2, "nothing more is sent");
}

#[test]
fn a_refusal_after_a_lost_reply_names_that_as_the_cause() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    rig.fail(FailureKind::Unknown);
    rig.pass(secs(31));
    rig.fail(FailureKind::InvalidGrant);
    let why = rig.status(PROFILE).chain.and_then(|chain| chain.why);
    assert!(why.as_deref().is_some_and(|why| why.contains("reply")), "{why:?}");
}

#[test]
fn a_restart_between_rotations_keeps_the_token_and_asks_nothing() {
    let mut rig = imported(false).restart(&profiles(false), secs(60), false);
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)));
    assert_eq!(rig.left(PROFILE), secs(7140));
    rig.pass(secs(6539));
    assert_eq!(rig.requests(), 0);
    rig.pass(secs(2));
    assert_eq!(rig.requests(), 1);
}

#[test]
fn a_restart_amid_a_rotation_tries_the_same_refresh_token_at_once() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    let mut rig = rig.restart(&profiles(false), secs(5), false);
    assert_eq!(rig.token_cache(PROFILE).map(|(token, _)| token), Some("access-1"));
    let request = rig.grant(7200);
    assert_eq!(refresh_token_of(&request), "refresh-1");
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1002", ReadMode::Serve)));
}

#[test]
fn after_a_reboot_the_token_is_renewed_first_and_served_meanwhile_only_if_the_clock_makes_sense() {
    let rig = imported(false).restart(&profiles(false), secs(600), true);
    assert_eq!(rig.sent.len(), 1);
    assert_eq!(rig.token_cache(PROFILE).map(|(token, _)| token), Some("access-1"));
    assert_eq!(rig.left(PROFILE), secs(6598), "two seconds' worth of small steps may have gone unnoticed");

    let mut before = imported(false);
    before.now.wall.0 -= 86_400_000;
    let rig = before.restart(&profiles(false), secs(600), true);
    assert_eq!(rig.sent.len(), 1);
    assert_eq!(rig.token_cache(PROFILE), None, "the wall clock is behind the record");
}

#[test]
fn an_answer_that_comes_after_its_profile_went_away_is_still_made_durable() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    let waiter = rig.get(PROFILE);
    rig.configure(&[]);
    assert_eq!(rig.code(waiter), ErrorCode::NoSuchName);
    assert_eq!(rig.token_cache(PROFILE), None);
    assert!(!rig.core.is_quiet());
    rig.grant(7200);
    assert_eq!(chain_on_disk(&rig).refresh_token.as_ref().map(Secret::expose), Some("refresh-2"));
    assert_eq!(chain_on_disk(&rig).state, ChainState::Settled);
    assert_eq!(rig.token_cache(PROFILE), None);
    rig.configure(&profiles(false));
    assert_eq!(
        rig.token_cache(PROFILE),
        Some(("access-2", ReadMode::Serve)),
        "and it is there when the profile comes back"
    );
}

#[test]
fn a_damaged_record_makes_its_predecessor_one_whose_outcome_is_not_known() {
    let rig = imported(false);
    let mut again = Rig::restored(&profiles(false), rig.disk, RestoredContent::Previous, rig.now, BootId([1; 16]));
    let request = again.fail(FailureKind::InvalidGrant);
    assert_eq!(refresh_token_of(&request), "refresh-1");
    assert!(again.status(PROFILE).chain.is_some_and(|chain| chain.state == "lost"));
}

#[test]
fn an_unreadable_record_loses_the_chain_and_says_so() {
    let rig = imported(false);
    let mut again =
        Rig::restored(&profiles(false), rig.disk, |_| RestoredContent::Unreadable, rig.now, BootId([1; 16]));
    let waiter = again.get(PROFILE);
    assert_eq!(again.code(waiter), ErrorCode::ChainLost);
    assert!(again.error(waiter).message.contains("cannot be read"));
}

#[test]
fn a_record_without_the_refresh_token_that_it_speaks_of_loses_the_chain_and_does_not_hang_the_daemon() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    let in_flight = chain_on_disk(&rig).state.clone();
    assert!(matches!(in_flight, ChainState::InFlight { .. }));
    for state in [ChainState::Settled, in_flight] {
        let mut disk = rig.disk.clone();
        for (_, record) in disk.values_mut() {
            *record = Record::Chain(ChainRecord { state: state.clone(), ..ChainRecord::default() });
        }
        let mut again = Rig::with_disk(&profiles(false), disk, rig.now, BootId([1; 16]));
        let waiter = again.get(PROFILE);
        assert_eq!(again.code(waiter), ErrorCode::ChainLost, "{state:?}");
        assert!(again.error(waiter).message.contains("cannot be read"));
        again.pass(secs(86_400));
        assert_eq!(again.requests(), 0);
        again.import(PROFILE, "another");
        again.grant(7200);
        assert!(again.token_cache(PROFILE).is_some(), "{state:?}: an import mends it");
    }
}

#[test]
fn the_end_of_a_chain_that_cannot_be_refreshed_is_announced() {
    let mut rig = imported(false);
    let days = |n: u64| secs(n * 86_400);
    let end = rig.now.boot + days(14);
    while rig.now.boot + secs(60) < end {
        while !rig.sent.is_empty() {
            rig.fail(FailureKind::Transient);
        }
        rig.pass(secs(60));
    }
    let warnings: Vec<&str> =
        rig.notices.iter().filter(|n| n.message.contains("dies in")).map(|n| n.message.as_str()).collect();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings[0].contains("168 hours") && warnings[1].contains("72 hours") && warnings[2].contains("24 hours"));
    rig.pass(secs(120));
    rig.fail(FailureKind::InvalidGrant);
    let why = rig.status(PROFILE).chain.and_then(|chain| chain.why);
    assert!(why.as_deref().is_some_and(|why| why.contains("14 days")), "{why:?}");
}

#[test]
fn min_ttl_never_kills_a_classic_token() {
    let mut rig = imported(false);
    rig.pass(secs(6000));
    let waiter = rig.get_with(PROFILE, secs(5000), secs(10));
    assert_eq!((rig.given(waiter), rig.flags(waiter)), ("access-1", Flags::FALLS_SHORT));
    assert_eq!(rig.requests(), 1);
}

#[test]
fn a_rejected_classic_token_is_rotated_at_most_once_a_minute() {
    let mut rig = imported(false);
    let waiter = rig.reject(PROFILE, "access-1");
    rig.grant(7200);
    assert_eq!(rig.given(waiter), "access-2");
    rig.pass(secs(31));
    let waiter = rig.reject(PROFILE, "access-2");
    assert_eq!(rig.code(waiter), ErrorCode::Throttled);
    let stale = rig.reject(PROFILE, "access-1");
    assert_eq!(rig.given(stale), "access-2");
    assert_eq!(rig.requests(), 2);
}

#[test]
fn shutdown_waits_for_the_rotation_on_the_wire() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    rig.handle(Input::Shutdown);
    assert!(!rig.core.is_quiet());
    rig.grant(7200);
    assert!(rig.core.is_quiet());
    assert_eq!(chain_on_disk(&rig).state, ChainState::Settled);
}

#[test]
fn a_chain_that_is_not_configured_wakes_nobody() {
    let mut rig = imported(false);
    rig.configure(&[]);
    rig.pass(secs(8 * 86_400));
    assert_eq!(rig.core.poll_timeout(), None);
    assert!(!rig.notices.iter().any(|n| n.message.contains("dies in")));
    rig.configure(&profiles(false));
    assert!(rig.notices.iter().any(|n| n.message.contains("dies in")));
}

#[test]
fn the_token_of_a_chain_that_was_refused_is_served_with_a_flag_until_there_is_another() {
    for login in [false, true] {
        let mut rig = imported(login);
        rig.pass(secs(6601));
        rig.fail(FailureKind::Unknown);
        rig.pass(secs(2));
        rig.fail(FailureKind::InvalidGrant);
        // A refresh that was handled has killed the access token too, and so has a revocation.
        assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::ServeRenewing)), "login: {login}");
        let waiter = rig.get(PROFILE);
        assert_eq!((rig.given(waiter), rig.flags(waiter)), ("access-1", Flags::RENEWING));
        let mut rig = rig.restart(&profiles(login), secs(1), false);
        assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::ServeRenewing)), "login: {login}, restarted");
        rig.import(PROFILE, "another");
        rig.grant(7200);
        assert_eq!(rig.token_cache(PROFILE), Some(("access-1002", ReadMode::Serve)), "login: {login}");
    }
}
