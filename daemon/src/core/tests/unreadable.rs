//! Records that are destroyed, so that not even their key can be read: what was there is lost, not never begun.

use super::*;
use crate::core::record::{ChainKey, LoginOutcome, QuotaKey, RecordName, UnreadableRecords};

const PROFILE: &str = "legacy";

fn chain_key(profile: &Profile) -> ChainKey {
    let (profile, client_id) = (profile.name.clone(), profile.client_id.clone());
    ChainKey { profile, gateway: "https://gateway.example.net".into(), client_id }
}

fn chain(profile: &Profile) -> RecordKey {
    RecordKey::Chain(chain_key(profile))
}

fn quota(profile: &Profile) -> RecordKey {
    let ChainKey { gateway, client_id, .. } = chain_key(profile);
    RecordKey::Quota(QuotaKey { gateway, client_id })
}

/// Not configured yet, and the store held what is left of these.
fn started_with(unreadable: &[RecordKey]) -> Rig {
    let mut rig = Rig::new(&[]);
    let name_of = |key: &RecordKey| RecordName(format!("{key:?}"));
    rig.core
        .register_unreadable(rig.now, UnreadableRecords { names: unreadable.iter().map(name_of).collect(), name_of });
    rig
}

fn assert_lost(rig: &mut Rig) {
    let waiter = rig.get(PROFILE);
    assert_eq!(rig.code(waiter), ErrorCode::ChainLost);
    let message = rig.error(waiter).message.clone();
    assert!(message.contains("cannot be read") && message.contains("tokenctl import legacy"), "{message}");
    let chain = rig.status(PROFILE).chain.expect("of a Classic profile");
    assert_eq!(chain.state, "lost");
    assert!(chain.why.is_some_and(|why| why.contains("cannot be read")));
}

#[test]
fn a_chain_whose_record_is_destroyed_is_lost_and_not_empty_until_an_import() {
    for login in [false, true] {
        let profile = fixture::classic(PROFILE, login);
        let mut rig = started_with(&[chain(&profile)]);
        rig.configure(std::slice::from_ref(&profile));
        assert_lost(&mut rig);
        rig.pass(secs(86_400));
        rig.configure(&[profile]);
        assert_lost(&mut rig);
        assert_eq!(rig.requests(), 0, "login: {login}: it was neither empty nor refused");
        let waiter = rig.import(PROFILE, "downloaded");
        rig.grant(7200);
        assert!(matches!(rig.outcome(waiter), Outcome::Imported(imported) if imported.changed));
        assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)), "login: {login}");
    }
}

#[test]
fn that_a_login_is_not_used_is_said_where_there_is_one() {
    for login in [false, true] {
        let profile = fixture::classic(PROFILE, login);
        let mut rig = started_with(&[chain(&profile)]);
        rig.configure(&[profile]);
        let said = rig.status(PROFILE).last_error.expect("it is lost");
        assert_eq!(said.contains("its login is not used"), login, "{said}");
    }
}

#[test]
fn a_profile_that_a_reload_adds_meets_the_same_answer_and_once_only() {
    let profile = fixture::classic(PROFILE, true);
    let mut rig = started_with(&[chain(&profile)]);
    rig.configure(&[fixture::classic("other", false)]);
    rig.pass(secs(86_400));
    rig.configure(&[fixture::classic("other", false), profile.clone()]);
    assert_lost(&mut rig);
    rig.import(PROFILE, "downloaded");
    rig.grant(7200);
    rig.configure(&[]);
    rig.configure(&[profile]);
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)), "what was imported since counts");
}

#[test]
fn the_destroyed_record_of_another_binding_is_nobodys() {
    let mut before = fixture::classic(PROFILE, true);
    before.client_id = "the client before".into();
    let mut rig = started_with(&[chain(&before), quota(&before)]);
    rig.configure(&[fixture::classic(PROFILE, true)]);
    assert_eq!(rig.requests(), 1, "an empty chain logs in");
}

#[test]
fn after_a_definite_refusal_the_chain_that_was_imported_since_logs_in() {
    let profile = fixture::classic(PROFILE, true);
    let mut rig = started_with(&[chain(&profile)]);
    rig.configure(&[profile]);
    rig.import(PROFILE, "downloaded");
    rig.grant(7200);
    rig.pass(secs(6601));
    rig.fail(FailureKind::InvalidGrant);
    assert!(matches!(rig.sent[0].grant, Grant::Login { .. }));
}

#[test]
fn a_quota_whose_record_is_destroyed_counts_as_a_login_that_was_just_begun() {
    let profile = fixture::classic(PROFILE, true);
    let mut rig = started_with(&[quota(&profile)]);
    rig.configure(&[profile]);
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::AwaitingLogin);
    rig.pass(secs(30 * 60));
    assert_eq!(rig.requests(), 0);
    rig.pass(secs(121));
    assert_eq!(rig.requests(), 1);
    rig.grant(7200);
    assert!(rig.token_cache(PROFILE).is_some());
    let attempts = rig.disk.values().find_map(|(_, record)| match record {
        Record::Quota(quota) => Some(quota.attempts.clone()),
        _ => None,
    });
    assert_eq!(attempts.expect("a quota")[0].outcome, LoginOutcome::Minted);
}

#[test]
fn of_a_profile_that_comes_later_it_counts_from_the_start_of_the_daemon() {
    let profile = fixture::classic(PROFILE, true);
    let mut rig = started_with(&[quota(&profile)]);
    rig.pass(secs(30 * 60));
    rig.configure(std::slice::from_ref(&profile));
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::AwaitingLogin);
    assert_eq!(rig.requests(), 0);
    rig.pass(secs(121));
    assert_eq!(rig.requests(), 1);
}

#[test]
fn an_import_whose_record_is_destroyed_is_told_and_leaves_its_chain_alone() {
    let profile = fixture::classic(PROFILE, false);
    let mut rig = started_with(&[RecordKey::Candidate(chain_key(&profile))]);
    rig.configure(&[profile]);
    assert!(rig.notices.iter().any(|notice| notice.message.contains("import it again")), "{:?}", rig.notices);
    let waiter = rig.get(PROFILE);
    assert_eq!(rig.code(waiter), ErrorCode::ChainEmpty);
    let waiter = rig.import(PROFILE, "downloaded");
    rig.grant(7200);
    assert!(matches!(rig.outcome(waiter), Outcome::Imported(imported) if imported.changed));
}
