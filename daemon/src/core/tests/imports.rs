//! Refresh tokens from the web UI.

use super::chains::imported;
use super::*;

const PROFILE: &str = "legacy";

fn candidates(rig: &Rig) -> usize {
    rig.disk.keys().filter(|key| matches!(key, RecordKey::Candidate(_))).count()
}

#[test]
fn an_import_is_refreshed_at_once_and_its_own_access_token_is_never_served() {
    let rig = imported(false);
    assert_eq!(refresh_token_of(&rig.log[0].1), "downloaded");
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)));
    assert_eq!(candidates(&rig), 0, "the candidate is gone from the store");
}

#[test]
fn a_refused_import_leaves_a_healthy_chain_as_it_was() {
    let mut rig = imported(false);
    let waiter = rig.import(PROFILE, "spent");
    rig.fail(FailureKind::InvalidGrant);
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
    assert!(rig.error(waiter).message.contains("the chain is as it was"));
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)));
    assert_eq!(candidates(&rig), 0);
    rig.pass(secs(6601));
    assert_eq!(refresh_token_of(&rig.sent[0]), "refresh-1");
}

#[test]
fn the_same_file_again_changes_nothing_and_says_so() {
    let mut rig = imported(false);
    let waiter = rig.import(PROFILE, "downloaded");
    assert!(matches!(rig.outcome(waiter), Outcome::Imported(imported) if !imported.changed));
    assert_eq!(rig.requests(), 1);
}

#[test]
fn an_import_brings_a_lost_chain_back() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    rig.fail(FailureKind::InvalidGrant);
    rig.pass(secs(700));
    let waiter = rig.import(PROFILE, "fresh");
    rig.grant(7200);
    assert!(matches!(rig.outcome(waiter), Outcome::Imported(imported) if imported.changed));
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Good);
}

#[test]
fn an_import_is_kept_through_an_outage_and_a_restart() {
    let profiles = [fixture::classic(PROFILE, false)];
    let mut rig = Rig::new(&profiles);
    let waiter = rig.import(PROFILE, "downloaded");
    rig.fail(FailureKind::Unknown);
    rig.pass(secs(41));
    while !rig.sent.is_empty() {
        rig.fail(FailureKind::Transient);
    }
    assert_eq!(rig.code(waiter), ErrorCode::Unavailable);
    let mut rig = rig.restart(&profiles, secs(10), false);
    let request = rig.grant(7200);
    assert_eq!(refresh_token_of(&request), "downloaded");
    assert!(rig.token_cache(PROFILE).is_some());
    assert_eq!(candidates(&rig), 0);
}

#[test]
fn an_import_does_not_wait_for_a_chain_that_the_provider_does_not_answer() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    rig.fail(FailureKind::Unknown);
    rig.import(PROFILE, "fresh");
    let request = rig.grant(7200);
    assert_eq!(refresh_token_of(&request), "fresh");
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
}

#[test]
fn an_import_waits_for_the_rotation_on_the_wire() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    let waiter = rig.import(PROFILE, "fresh");
    assert_eq!(rig.sent.len(), 1);
    rig.grant(7200);
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
    let request = rig.grant(7200);
    assert_eq!(refresh_token_of(&request), "fresh");
    assert!(!rig.is_waiting(waiter));
    assert_eq!(rig.token_cache(PROFILE), Some(("access-3", ReadMode::Serve)));
}

#[test]
fn only_classic_profiles_take_an_import() {
    let mut rig = Rig::new(&[fixture::central("campus")]);
    let waiter = rig.import("campus", "downloaded");
    assert_eq!(rig.code(waiter), ErrorCode::InvalidArgument);
    let waiter = rig.import("nowhere", "downloaded");
    assert_eq!(rig.code(waiter), ErrorCode::NoSuchName);
}

#[test]
fn peers_of_an_empty_chain_wait_for_the_import_that_is_being_tried() {
    let mut rig = Rig::new(&[fixture::classic(PROFILE, false)]);
    rig.import(PROFILE, "spent");
    let waiter = rig.get(PROFILE);
    assert!(rig.is_waiting(waiter));
    rig.fail(FailureKind::InvalidGrant);
    assert_eq!(rig.code(waiter), ErrorCode::ChainEmpty, "and are told at once when it is refused");
    rig.import(PROFILE, "fresh");
    let waiter = rig.get(PROFILE);
    rig.grant(7200);
    assert!(rig.given(waiter).starts_with("access-"));
}

#[test]
fn an_import_whose_record_cannot_be_read_does_not_stand_in_the_way_of_the_next() {
    let profiles = [fixture::classic(PROFILE, false)];
    let mut rig = Rig::new(&profiles);
    rig.import(PROFILE, "downloaded");
    rig.fail(FailureKind::Unknown);
    let read = |_| RestoredContent::Unreadable;
    let mut rig = Rig::restored(&profiles, rig.disk, read, START, BootId([1; 16]));
    assert_eq!(candidates(&rig), 0, "nothing can be done with it");
    let waiter = rig.import(PROFILE, "downloaded again");
    rig.grant(7200);
    assert!(matches!(rig.outcome(waiter), Outcome::Imported(imported) if imported.changed));
}

#[test]
fn an_import_whose_record_could_not_be_removed_is_replaced_by_the_next() {
    let mut rig = imported(false);
    let waiter = rig.import(PROFILE, "spent");
    rig.disk_fault = Some("read-only file system");
    rig.fail(FailureKind::InvalidGrant);
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
    assert_eq!(candidates(&rig), 1);
    rig.disk_fault = None;
    let waiter = rig.import(PROFILE, "fresh");
    rig.grant(7200);
    assert!(matches!(rig.outcome(waiter), Outcome::Imported(imported) if imported.changed));
    assert_eq!(candidates(&rig), 0);
}

#[test]
fn an_import_waits_while_the_record_of_the_one_before_is_being_removed() {
    let mut rig = imported(false);
    rig.import(PROFILE, "spent");
    rig.slow_disk = Some(Vec::new());
    rig.fail(FailureKind::InvalidGrant);
    let waiter = rig.import(PROFILE, "fresh");
    assert_eq!(rig.slow_disk.as_ref().map(Vec::len), Some(1), "one write of a record at a time");
    rig.flush();
    rig.grant(7200);
    assert!(matches!(rig.outcome(waiter), Outcome::Imported(imported) if imported.changed));
}

#[test]
fn an_import_that_failed_is_not_tried_again_before_its_pause() {
    let mut rig = Rig::new(&[fixture::classic(PROFILE, false)]);
    rig.import(PROFILE, "downloaded");
    for step in [1, 2, 4, 8, 16, 32, 60, 60] {
        let before = rig.requests();
        rig.fail(FailureKind::Transient);
        rig.pass(secs(step).mul_f64(0.49));
        rig.get(PROFILE);
        assert_eq!(rig.requests(), before, "within half of a step of {step} s");
        rig.pass(secs(step).mul_f64(0.52));
        assert_eq!(rig.requests(), before + 1, "after a step of {step} s");
        assert_eq!(refresh_token_of(&rig.sent[0]), "downloaded");
    }
}
