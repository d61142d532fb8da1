//! The login for non-SSO users and its quota.

use super::*;
use crate::core::record::{ChainRecord, ChainState, LoginOutcome, QuotaRecord};
use crate::core::settings::Kind;
use crate::core::time::DurableTime;

const PROFILE: &str = "legacy";

fn profiles() -> [Profile; 1] {
    [fixture::classic(PROFILE, true)]
}

fn quota_on_disk(rig: &Rig) -> &QuotaRecord {
    rig.disk
        .values()
        .find_map(|(_, record)| match record {
            Record::Quota(quota) => Some(quota),
            _ => None,
        })
        .expect("a quota")
}

fn logins(rig: &Rig) -> usize {
    rig.log.iter().filter(|(_, request)| matches!(request.grant, Grant::Login { .. })).count()
}

#[test]
fn a_login_starts_an_empty_chain_and_its_attempt_is_recorded_first() {
    let mut rig = Rig::new(&profiles());
    assert_eq!(logins(&rig), 1);
    assert_eq!(quota_on_disk(&rig).attempts[0].outcome, LoginOutcome::Open);
    rig.grant(7200);
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)));
    assert_eq!(quota_on_disk(&rig).attempts[0].outcome, LoginOutcome::Minted);
}

#[test]
fn nothing_is_sent_when_the_attempt_cannot_be_recorded() {
    let mut rig = Rig::new(&[]);
    rig.disk_fault = Some("read-only file system");
    rig.configure(&profiles());
    rig.pass(secs(30));
    assert_eq!(rig.requests(), 0);
    rig.disk_fault = None;
    rig.pass(secs(60));
    assert_eq!(logins(&rig), 1);
}

#[test]
fn a_second_token_within_half_an_hour_is_not_asked_for_not_even_after_a_restart() {
    let mut rig = Rig::new(&profiles());
    rig.grant(7200);
    rig.reject(PROFILE, "access-1");
    rig.fail(FailureKind::InvalidGrant);
    let waiter = rig.reject(PROFILE, "access-1");
    assert_eq!(rig.code(waiter), ErrorCode::AwaitingLogin);
    let status = rig.status(PROFILE);
    assert_eq!(status.health, tokend_proto::Health::AwaitingLogin);
    rig.pass(secs(600));
    let mut rig = rig.restart(&profiles(), secs(60), false);
    rig.pass(secs(1100));
    assert_eq!(logins(&rig), 0, "29 minutes and 20 seconds are over");
    rig.pass(secs(60));
    assert_eq!(logins(&rig), 1);
}

#[test]
fn after_a_reboot_the_quota_goes_by_the_wall_clock_and_a_clock_behind_it_counts_as_no_time() {
    let mut rig = Rig::new(&profiles());
    rig.grant(7200);
    rig.reject(PROFILE, "access-1");
    rig.fail(FailureKind::InvalidGrant);
    rig.now.wall.0 -= 86_400_000;
    let mut rig = rig.restart(&profiles(), secs(60), true);
    rig.pass(secs(1700));
    assert_eq!(logins(&rig), 0);
    rig.pass(secs(160));
    assert_eq!(logins(&rig), 1, "half an hour of this boot is enough: the clock need not catch up first");
}

#[test]
fn a_clock_stepped_back_after_the_start_does_not_put_the_next_login_off() {
    let mut rig = Rig::new(&profiles());
    rig.grant(7200);
    rig.reject(PROFILE, "access-1");
    rig.fail(FailureKind::InvalidGrant);
    let mut rig = rig.restart(&profiles(), secs(60), true);
    rig.pass(secs(600));
    rig.now.wall.0 -= 86_400_000;
    rig.pass(secs(1000));
    assert_eq!(logins(&rig), 0);
    rig.pass(secs(160));
    assert_eq!(logins(&rig), 1);
}

#[test]
fn a_clock_stepped_before_a_reboot_brings_no_login_forward() {
    for disk_is_full in [false, true] {
        let mut rig = Rig::new(&profiles());
        rig.grant(7200);
        rig.reject(PROFILE, "access-1");
        rig.fail(FailureKind::InvalidGrant);
        rig.pass(secs(60));
        rig.disk_fault = disk_is_full.then_some("no space left on device");
        rig.now.wall.0 += 86_400_000;
        rig.handle(Input::Tick);
        rig.disk_fault = None;
        rig.pass(secs(60));
        rig.get(PROFILE);
        let mut rig = rig.restart(&profiles(), secs(60), true);
        rig.pass(secs(1610));
        assert_eq!(logins(&rig), 0);
        rig.pass(secs(160));
        assert_eq!(logins(&rig), 1);
    }
}

#[test]
fn times_of_two_boots_follow_the_clock_together() {
    let mut rig = Rig::new(&profiles());
    rig.grant(7200);
    rig.reject(PROFILE, "access-1");
    rig.fail(FailureKind::InvalidGrant);
    let mut rig = rig.restart(&profiles(), secs(60), true);
    rig.now.wall.0 += 7_200_000;
    rig.handle(Input::Tick);
    rig.pass(secs(60));
    rig.now.wall.0 -= 3_600_000;
    rig.handle(Input::Tick);
    let mut rig = rig.restart(&profiles(), secs(60), true);
    rig.pass(secs(1610));
    assert_eq!(logins(&rig), 0);
    rig.pass(secs(40));
    assert_eq!(logins(&rig), 1);
}

#[test]
fn a_restart_begins_no_login_but_for_an_empty_chain_or_after_a_refusal() {
    let with_record = |mutate: fn(&mut ChainRecord)| {
        let mut rig = Rig::new(&profiles());
        rig.grant(7200);
        rig.pass(secs(4000));
        for (_, record) in rig.disk.values_mut() {
            if let Record::Chain(chain) = record {
                mutate(chain);
            }
        }
        rig
    };
    const SINCE: DurableTime =
        DurableTime { boot: START.boot.0.cast_signed(), wall: START.wall, boot_id: BootId([1; 16]) };
    let in_flight: fn(&mut ChainRecord) = |chain| {
        let sent = chain.refresh_token.as_ref().map(tokend_proto::Fingerprint::of).expect("it was granted");
        chain.state = ChainState::InFlight { since: SINCE, sent };
    };
    let refused: fn(&mut ChainRecord) = |chain| {
        chain.state = ChainState::AwaitingLogin { since: SINCE };
        chain.refresh_token = None;
    };
    let settled: fn(&mut ChainRecord) = |_| {};
    let cases = [("settled", settled, false), ("in flight", in_flight, false), ("refused", refused, true)];
    for (what, mutate, login) in cases {
        for reboot in [false, true] {
            let mut rig = with_record(mutate).restart(&profiles(), secs(3), reboot);
            for _ in 0..400 {
                if !rig.sent.is_empty() && logins(&rig) == 0 {
                    rig.fail(FailureKind::Unknown);
                }
                rig.pass(secs(20));
            }
            assert_eq!(logins(&rig) > 0, login, "{what}, reboot: {reboot}");
            assert!(login || rig.requests() > 10, "{what}: it goes on trying");
        }
        let Rig { disk, now, .. } = with_record(mutate);
        let read = |record| match record {
            Record::Chain(_) => RestoredContent::Previous(record),
            record => RestoredContent::Newest(record),
        };
        let mut rig = Rig::restored(&profiles(), disk, read, now, BootId([1; 16]));
        rig.pass(secs(60));
        // What came after it is not known, so neither is a refusal.
        assert_eq!(logins(&rig), 0, "{what}, the record before");
    }
}

#[test]
fn a_chain_that_awaits_a_login_which_is_removed_is_lost_until_the_login_is_back() {
    let mut rig = Rig::new(&profiles());
    rig.grant(7200);
    rig.reject(PROFILE, "access-1");
    rig.fail(FailureKind::InvalidGrant);
    rig.configure(&[fixture::classic(PROFILE, false)]);
    rig.pass(secs(8000));
    assert_eq!(logins(&rig), 1);
    let waiter = rig.get(PROFILE);
    assert_eq!(rig.code(waiter), ErrorCode::ChainLost);
    rig.configure(&profiles());
    rig.pass(secs(1));
    assert_eq!(logins(&rig), 2);
}

#[test]
fn a_crash_amid_a_login_counts_as_a_token() {
    let rig = Rig::new(&profiles());
    assert_eq!(logins(&rig), 1);
    let mut rig = rig.restart(&profiles(), secs(1), false);
    rig.pass(secs(1795));
    assert_eq!(logins(&rig), 0);
    rig.pass(secs(130));
    assert_eq!(logins(&rig), 1);
}

#[test]
fn three_attempts_and_no_more_in_half_an_hour() {
    let mut rig = Rig::new(&profiles());
    for _ in 0..170 {
        if !rig.sent.is_empty() {
            rig.fail(FailureKind::Transient);
        }
        rig.pass(secs(10));
    }
    assert_eq!(logins(&rig), 3);
    rig.pass(secs(200));
    assert_eq!(logins(&rig), 4);
}

#[test]
fn server_faults_never_lead_from_a_refresh_to_a_login() {
    let mut rig = Rig::new(&profiles());
    rig.grant(7200);
    rig.pass(secs(6601));
    let kinds = [FailureKind::Transient, FailureKind::Unknown, FailureKind::RateLimited, FailureKind::InvalidClient];
    for _ in 0..50 {
        for kind in kinds {
            if !rig.sent.is_empty() {
                rig.fail(kind);
            }
            rig.pass(secs(70));
        }
    }
    assert_eq!(logins(&rig), 1);
}

#[test]
fn a_definite_refusal_leads_to_a_login_when_one_is_allowed() {
    let mut rig = Rig::new(&profiles());
    rig.grant(7200);
    rig.pass(secs(6601));
    let waiter = rig.get_with(PROFILE, secs(0), secs(60));
    rig.fail(FailureKind::InvalidGrant);
    assert_eq!(logins(&rig), 2);
    rig.grant(7200);
    assert!(rig.given(waiter).starts_with("access-"));
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
}

#[test]
fn a_refused_password_is_not_tried_again_until_it_changed() {
    let mut rig = Rig::new(&profiles());
    let waiter = rig.get(PROFILE);
    rig.fail(FailureKind::LoginRefused);
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
    rig.pass(secs(86_400));
    rig.configure(&profiles());
    assert_eq!(logins(&rig), 1, "neither by a probe nor by a reload");
    rig.secrets.password = Some(SecretVersion(101));
    rig.configure(&profiles());
    assert_eq!(logins(&rig), 2);
    rig.grant(7200);
    assert!(rig.token_cache(PROFILE).is_some());
}

fn with_username(username: &str) -> Profile {
    let mut profile = fixture::classic(PROFILE, true);
    if let Kind::Classic { login: Some(login), .. } = &mut profile.kind {
        login.username = username.to_owned();
    }
    profile
}

#[test]
fn a_refused_user_name_that_was_corrected_is_tried() {
    let mut rig = Rig::new(&profiles());
    rig.fail(FailureKind::LoginRefused);
    rig.configure(&[with_username("corrected")]);
    assert_eq!(logins(&rig), 2, "the password is the same");
    rig.grant(7200);
    assert!(rig.token_cache(PROFILE).is_some());
}

#[test]
fn a_user_name_that_is_corrected_while_the_wrong_one_is_on_the_wire_is_tried() {
    let mut rig = Rig::new(&profiles());
    rig.configure(&[with_username("corrected")]);
    rig.fail(FailureKind::LoginRefused);
    assert_eq!(logins(&rig), 2);
    rig.fail(FailureKind::LoginRefused);
    rig.pass(secs(7_200));
    assert_eq!(logins(&rig), 2, "and that one is refused, too");
}

#[test]
fn peers_wait_while_the_end_of_a_login_is_being_recorded() {
    let mut rig = Rig::new(&profiles());
    rig.slow_disk = Some(Vec::new());
    rig.fail(FailureKind::LoginRefused);
    rig.secrets.password = Some(SecretVersion(101));
    rig.configure(&profiles());
    let waiter = rig.get_with(PROFILE, secs(0), secs(30));
    rig.pass(secs(5));
    assert!(rig.is_waiting(waiter), "the disk is slow, and no other profile has a login");
    rig.flush();
    assert_eq!(logins(&rig), 2);
    rig.grant(7200);
    assert!(rig.given(waiter).starts_with("access-"));
}

#[test]
fn peers_wait_for_the_login_of_another_profile_and_are_then_told_when_theirs_is_allowed() {
    let mut twin = fixture::classic("twin", true);
    twin.client_id = "client-of-legacy".into();
    let mut rig = Rig::new(&[fixture::classic(PROFILE, true), twin]);
    let waiter = rig.get_with("twin", secs(0), secs(30));
    rig.pass(secs(5));
    assert!(rig.is_waiting(waiter), "the other one may fail");
    rig.grant(7200);
    assert_eq!(rig.code(waiter), ErrorCode::AwaitingLogin);
    assert_eq!(logins(&rig), 1);
}

#[test]
fn profiles_of_one_client_share_its_quota() {
    let mut twin = fixture::classic("twin", true);
    twin.client_id = "client-of-legacy".into();
    let mut rig = Rig::new(&[fixture::classic(PROFILE, true), twin]);
    assert_eq!(logins(&rig), 1);
    rig.grant(7200);
    rig.pass(secs(1700));
    assert_eq!(logins(&rig), 1);
    assert_eq!(rig.status("twin").health, tokend_proto::Health::AwaitingLogin);
    rig.pass(secs(110));
    assert_eq!(logins(&rig), 2);
    rig.grant(7200);
    assert!(rig.token_cache("twin").is_some());
}

#[test]
fn a_login_that_had_to_wait_for_its_turn_is_recorded_anew() {
    let mut rig = Rig::new(&[]);
    let mut settings = fixture::settings(&profiles());
    settings.max_requests_per_second = std::num::NonZeroU32::MIN;
    // The slow disk keeps the record from becoming durable for long: the attempt is old when its turn comes.
    rig.slow_disk = Some(Vec::new());
    rig.configure_with(settings);
    let began = rig.now.boot;
    rig.pass(secs(60));
    rig.flush();
    rig.pass(secs(1));
    assert_eq!(logins(&rig), 1);
    let attempts = &quota_on_disk(&rig).attempts;
    assert_eq!(attempts.len(), 1);
    assert!(attempts[0].at.boot >= began.0.cast_signed() + 60_000);
}

#[test]
fn a_chain_that_awaits_a_login_which_is_taken_away_is_lost() {
    let mut rig = Rig::new(&profiles());
    rig.grant(7200);
    rig.reject(PROFILE, "access-1");
    rig.fail(FailureKind::InvalidGrant);
    rig.configure(&[fixture::classic(PROFILE, false)]);
    rig.pass(secs(7300));
    let waiter = rig.get(PROFILE);
    assert_eq!(rig.code(waiter), ErrorCode::ChainLost);
    assert_eq!(logins(&rig), 1);
}

#[test]
fn the_pair_of_a_login_that_cannot_be_stored_is_tried_until_it_can_and_not_logged_in_for_again() {
    let mut rig = Rig::new(&profiles());
    rig.disk_fault = Some("no space left on device");
    rig.grant(7200);
    rig.pass(secs(2400));
    assert_eq!(rig.token_cache(PROFILE), None, "not seen before it is durable");
    assert!(rig.status(PROFILE).last_error.is_some_and(|e| e.contains("held in memory")));
    rig.disk_fault = None;
    rig.pass(secs(40));
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)));
    assert_eq!(logins(&rig), 1);
}

#[test]
fn a_login_that_waited_too_long_to_be_sent_is_not_made_with_the_refused_secret_again() {
    let mut rig = Rig::new(&[]);
    rig.secrets.client_secrets = vec![SecretVersion(1), SecretVersion(2)];
    rig.configure(&[fixture::classic("legacy", true)]);
    rig.slow_disk = Some(Vec::new());
    rig.fail(FailureKind::InvalidClient);
    let ended = rig.slow_disk.replace(Vec::new()).expect("slow");
    for (write, key, replaces, record) in ended {
        rig.store(write, key, replaces, record);
    }
    rig.handle(Input::Tick);
    rig.pass(secs(15));
    rig.flush(); // that there is a second one: too old to be sent
    rig.pass(secs(5));
    let secrets: Vec<SecretVersion> = rig
        .log
        .iter()
        .map(|(_, request)| match request.grant {
            Grant::Login { secret, .. } => secret,
            _ => panic!("not a login"),
        })
        .collect();
    assert_eq!(secrets, [SecretVersion(1), SecretVersion(2)]);
}
