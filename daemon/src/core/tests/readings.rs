//! Secrets that cannot be read, for a while or for ever, and what waits for them.

use super::*;

const PROFILE: &str = "legacy";

fn unreadable() -> SecretVersions {
    SecretVersions { client_secrets: vec![], password: None, problems: vec!["/etc/secret: no such file".to_owned()] }
}

fn readable() -> SecretVersions {
    SecretVersions { client_secrets: vec![SecretVersion(1)], password: Some(SecretVersion(100)), problems: vec![] }
}

/// Readings and notices of an hour.
fn hour(rig: &mut Rig) -> (usize, usize) {
    let before = (rig.readings, rig.notices.len());
    rig.pass(secs(3600));
    (rig.readings - before.0, rig.notices.len() - before.1)
}

fn is_paced((readings, notices): (usize, usize)) {
    assert!((60..=250).contains(&readings), "{readings} readings an hour, with pauses of 15 to 30 s");
    assert!(notices <= 2 * readings, "{notices} notices");
}

#[test]
fn an_import_waits_for_the_secret_as_patiently_as_a_renewal() {
    let mut rig = Rig::new(&[fixture::classic(PROFILE, false)]);
    rig.secrets = unreadable();
    let waiter = rig.import(PROFILE, "downloaded");
    is_paced(hour(&mut rig));
    assert_eq!((rig.code(waiter), rig.requests()), (ErrorCode::Unavailable, 0));
    rig.secrets = readable();
    rig.pass(secs(31));
    let request = rig.grant(7200);
    assert_eq!(refresh_token_of(&request), "downloaded");
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Good);
}

#[test]
fn an_import_that_was_stored_waits_likewise_after_a_restart() {
    let profiles = [fixture::classic(PROFILE, false)];
    let mut rig = Rig::new(&profiles);
    rig.import(PROFILE, "downloaded");
    rig.fail(FailureKind::Transient);
    let mut rig = rig.restart_with(&profiles, unreadable());
    is_paced(hour(&mut rig));
    rig.secrets = readable();
    rig.pass(secs(31));
    rig.grant(7200);
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Good);
}

#[test]
fn a_chain_and_an_import_beside_it_share_one_pace() {
    let profiles = [fixture::classic(PROFILE, false)];
    let mut rig = super::chains::imported(false);
    rig.import(PROFILE, "another");
    rig.fail(FailureKind::Transient);
    rig.pass(secs(6500));
    let mut rig = rig.restart_with(&profiles, unreadable());
    is_paced(hour(&mut rig));
    assert!(rig.status(PROFILE).last_error.is_some_and(|error| error.contains("no such file")));
}

#[test]
fn a_login_and_a_renewal_wait_likewise() {
    for profile in [fixture::classic(PROFILE, true), fixture::central("campus")] {
        let mut rig = Rig::new(&[]);
        rig.secrets = unreadable();
        rig.configure(&[profile]);
        is_paced(hour(&mut rig));
        assert_eq!(rig.requests(), 0);
    }
}

#[test]
fn a_reload_reads_at_once_and_imports_one_after_the_other_do_not_read_each_time() {
    let mut rig = Rig::new(&[fixture::classic(PROFILE, false)]);
    rig.secrets = unreadable();
    rig.import(PROFILE, "first");
    rig.pass(secs(100));
    rig.secrets = readable();
    rig.configure(&[fixture::classic(PROFILE, false)]);
    rig.pass(secs(30));
    rig.grant(7200);
    let before = rig.readings;
    for number in 0..100 {
        rig.import(PROFILE, &format!("spent-{number}"));
        rig.fail(FailureKind::InvalidGrant);
        rig.pass(Duration::from_millis(250));
    }
    assert!(rig.readings - before <= 26, "{}", rig.readings - before);
}

#[test]
fn a_secret_that_changes_at_each_reading_does_not_end_the_pauses() {
    let mut rig = Rig::new(&[fixture::central("campus")]);
    rig.changing_secret = true;
    let begin = rig.now.boot;
    while rig.now.boot.since(begin) < secs(3600) {
        while !rig.sent.is_empty() {
            rig.fail(FailureKind::InvalidClient);
            assert!(rig.requests() < 100);
        }
        rig.pass(secs(1));
    }
    assert!(rig.requests() <= 10, "{}", rig.requests());
}

#[test]
fn an_import_whose_client_is_refused_is_kept_and_tried_again_with_the_corrected_secret() {
    let profiles = [fixture::classic(PROFILE, false)];
    let mut rig = Rig::new(&profiles);
    let waiter = rig.import(PROFILE, "downloaded");
    rig.fail(FailureKind::InvalidClient);
    let error = rig.error(waiter);
    assert_eq!(error.code, ErrorCode::Rejected);
    assert!(error.message.contains("is kept") && !error.message.contains("used before"), "{}", error.message);
    let waiter = rig.get(PROFILE);
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
    assert!(rig.error(waiter).message.contains("tokenctl reload"), "{}", rig.error(waiter).message);
    rig.pass(secs(250));
    assert_eq!(rig.requests(), 1, "left alone for minutes");
    let mut rig = rig.restart(&profiles, secs(1), false);
    rig.fail(FailureKind::InvalidClient);
    rig.secrets = SecretVersions { client_secrets: vec![SecretVersion(2)], ..readable() };
    rig.configure(&profiles);
    let request = rig.grant(7200);
    assert_eq!(refresh_token_of(&request), "downloaded");
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Good);
}

#[test]
fn an_import_of_another_clients_token_is_given_up_after_its_14_days() {
    let mut rig = super::chains::imported(false);
    rig.import(PROFILE, "of another client");
    let begin = rig.now.boot;
    let mut refused = Vec::new();
    while rig.now.boot.since(begin) < secs(15 * 86_400) {
        let is_candidate = |request: &ProviderRequest| refresh_token_of(request) == "of another client";
        match rig.sent.first().map(is_candidate) {
            Some(true) => {
                rig.fail(FailureKind::InvalidClient);
                refused.push(rig.now.boot.since(begin).as_secs());
            }
            Some(false) => drop(rig.grant(7200)),
            None => rig.pass(secs(30)),
        }
    }
    assert!(refused.len() > 300 && refused.len() < 400, "about once an hour: {}", refused.len());
    assert!(refused.windows(2).all(|two| two[1] - two[0] >= 270));
    assert_eq!(rig.status(PROFILE).health, tokend_proto::Health::Good, "the chain goes on meanwhile");
    assert!(!rig.disk.keys().any(|key| matches!(key, RecordKey::Candidate(_))));
}

#[test]
fn an_import_that_fails_does_not_end_the_pause_of_its_refused_chain() {
    let mut rig = super::chains::imported(false);
    rig.pass(secs(6601));
    rig.fail(FailureKind::InvalidClient);
    let refused = rig.requests();
    rig.import(PROFILE, "another");
    for _ in 0..8 {
        while let Some(request) = rig.sent.first() {
            let of_chain = refresh_token_of(request) == "refresh-1";
            rig.fail(if of_chain { FailureKind::InvalidClient } else { FailureKind::Transient });
        }
        rig.pass(secs(10));
    }
    let of_chain = rig.log[refused..].iter().filter(|(_, request)| refresh_token_of(request) == "refresh-1").count();
    assert!(of_chain <= 1, "an import tries it once more, its failures do not: {of_chain}");
}

#[test]
fn an_import_that_waits_for_the_secrets_does_not_rotate_a_chain_that_is_well() {
    let profiles = [fixture::classic(PROFILE, false)];
    let mut rig = super::chains::imported(false);
    rig.import(PROFILE, "another");
    rig.fail(FailureKind::Transient);
    let mut rig = rig.restart_with(&profiles, unreadable());
    rig.pass(secs(600));
    rig.secrets = readable();
    rig.pass(secs(31));
    let request = rig.fail(FailureKind::Transient);
    assert_eq!(refresh_token_of(&request), "another");
    while rig.now.boot.0 < START.boot.0 + 3_600_000 {
        while !rig.sent.is_empty() {
            assert_eq!(refresh_token_of(&rig.sent[0]), "another", "the chain's own token is good for long");
            rig.fail(FailureKind::Transient);
        }
        rig.pass(secs(5));
    }
}
