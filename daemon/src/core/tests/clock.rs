//! Records and the wall clock: what is recorded holds after a reboot, whatever was done to the clock before.

use super::chains::imported;
use super::*;
use crate::core::record::{ChainRecord, ChainState, QuotaRecord};
use crate::core::time::DurableTime;

const PROFILE: &str = "legacy";
const HOUR: i64 = 3_600_000;

fn profiles(login: bool) -> [Profile; 1] {
    [fixture::classic(PROFILE, login)]
}

/// A chain that was lost just after its login, which is the only one for half an hour.
fn logged_in() -> Rig {
    let mut rig = Rig::new(&profiles(true));
    rig.grant(7200);
    rig.reject(PROFILE, "access-1");
    rig.fail(FailureKind::InvalidGrant);
    rig
}

fn chain_on_disk(rig: &Rig) -> &ChainRecord {
    let mut chains = rig.disk.values().filter_map(|(_, record)| match record {
        Record::Chain(chain) => Some(chain),
        _ => None,
    });
    chains.next_back().expect("a chain")
}

fn quota_on_disk(rig: &Rig) -> &QuotaRecord {
    let mut quotas = rig.disk.values().filter_map(|(_, record)| match record {
        Record::Quota(quota) => Some(quota),
        _ => None,
    });
    quotas.next_back().expect("a quota")
}

fn revision_of_chain(rig: &Rig) -> u64 {
    let of_chain = |(key, (revision, _)): (&RecordKey, &(Revision, Record))| match key {
        RecordKey::Chain(_) => Some(revision.0),
        _ => None,
    };
    rig.disk.iter().filter_map(of_chain).next_back().expect("a chain")
}

fn logins(rig: &Rig) -> usize {
    rig.log.iter().filter(|(_, request)| matches!(request.grant, Grant::Login { .. })).count()
}

/// By how much a mark is off, by the wall clock as it stands now; 0 if it is of this boot and right.
fn off_by(rig: &Rig, mark: DurableTime) -> i64 {
    assert_eq!(mark.boot_id, rig.core.boot_id, "by another boot's time");
    let ahead = rig.now.wall.0 - rig.now.boot.0.cast_signed();
    mark.wall.0 - mark.boot - ahead
}

fn step(rig: &mut Rig, by: i64) {
    rig.now.wall.0 += by;
    rig.handle(Input::Tick);
}

#[test]
fn a_clock_stepped_while_the_daemon_was_down_brings_no_login_forward() {
    for disk_is_full in [false, true] {
        let mut rig = logged_in();
        rig.pass(secs(60));
        rig.now.wall.0 += 24 * HOUR;
        let mut rig = match disk_is_full {
            false => rig.restart(&profiles(true), secs(60), false),
            true => {
                let Rig { disk, now, core, .. } = rig;
                let mut rig = Rig::with_disk(&[], disk, now, core.boot_id);
                rig.disk_fault = Some("no space left on device");
                rig.handle(Input::Tick);
                rig.disk_fault = None;
                rig.pass(secs(61));
                rig.configure(&profiles(true));
                rig
            }
        };
        assert_eq!(off_by(&rig, quota_on_disk(&rig).attempts[0].at), 0, "full: {disk_is_full}");
        rig.pass(secs(60));
        let mut rig = rig.restart(&profiles(true), secs(60), true);
        rig.pass(secs(1550));
        assert_eq!(logins(&rig), 0, "full: {disk_is_full}");
        rig.pass(secs(70));
        assert_eq!(logins(&rig), 1, "full: {disk_is_full}");
    }
}

#[test]
fn of_a_login_before_the_boot_the_clock_is_asked_once() {
    let mut rig = logged_in();
    rig.pass(secs(60));
    let mut rig = rig.restart(&profiles(true), secs(60), true);
    assert!(quota_on_disk(&rig).attempts[0].at.is_of_earlier_boot(rig.core.boot_id));
    assert_eq!(off_by(&rig, quota_on_disk(&rig).attempts[0].at), 0, "it was written as of this boot");
    rig.now.wall.0 += 24 * HOUR;
    let mut rig = rig.restart(&profiles(true), secs(60), false);
    rig.pass(secs(1610));
    assert_eq!(logins(&rig), 0, "the clock was stepped while there was no daemon");
    rig.pass(secs(20));
    assert_eq!(logins(&rig), 1);
}

#[test]
fn after_a_step_back_and_a_reboot_no_dead_token_is_served() {
    for (while_down, boots) in [(false, 1), (true, 1), (false, 2), (true, 2)] {
        let mut rig = imported(false);
        rig.pass(secs(3600));
        if boots == 2 {
            rig = rig.restart(&[], secs(10), true);
        }
        rig.now.wall.0 -= HOUR;
        rig = match while_down {
            true => rig.restart(&[], secs(10), false),
            false => rig,
        };
        rig.handle(Input::Tick);
        assert_eq!(off_by(&rig, chain_on_disk(&rig).rotated.expect("rotated")), 0);
        let mut rig = rig.restart(&profiles(false), secs(10), true);
        let left = rig.left(PROFILE);
        assert!(left <= secs(3590) && left >= secs(3560), "{left:?}, down: {while_down}, boots: {boots}");
        rig.pass(secs(3600));
        assert_eq!(rig.token_cache(PROFILE), None);
    }
}

#[test]
fn a_token_that_has_expired_stays_dead_whatever_its_chain_is() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    rig.fail(FailureKind::InvalidGrant);
    rig.pass(secs(700));
    assert_eq!(rig.token_cache(PROFILE), None);
    step(&mut rig, -HOUR);
    let mut rig = rig.restart(&profiles(false), secs(10), true);
    assert_eq!(rig.token_cache(PROFILE), None);
    assert_eq!(rig.status(PROFILE).chain.map(|chain| chain.state), Some("lost".to_owned()));
}

#[test]
fn a_record_that_is_right_is_not_written_again() {
    let rig = imported(false);
    let before = revision_of_chain(&rig);
    let mut rig = rig.restart(&profiles(false), secs(60), false);
    step(&mut rig, 900);
    rig.pass(secs(600));
    assert_eq!(revision_of_chain(&rig), before);
    step(&mut rig, 200);
    assert_eq!(revision_of_chain(&rig), before + 1, "two small steps are one");
    rig.pass(secs(600));
    assert_eq!(revision_of_chain(&rig), before + 1);
}

#[test]
fn a_rotation_on_the_wire_is_left_alone_and_its_record_follows_when_it_has_ended() {
    for ends in [true, false] {
        let mut rig = imported(false);
        rig.pass(secs(6601));
        assert_eq!(rig.sent.len(), 1);
        let before = revision_of_chain(&rig);
        step(&mut rig, -HOUR);
        rig.pass(secs(20));
        assert_eq!((revision_of_chain(&rig), rig.sent.len()), (before, 1), "nothing is written under its feet");
        match ends {
            true => drop(rig.grant(7200)),
            false => drop(rig.fail(FailureKind::Unknown)),
        }
        rig.pass(secs(0));
        assert_eq!(revision_of_chain(&rig), before + 1);
        let record = chain_on_disk(&rig);
        assert_eq!(off_by(&rig, record.rotated.expect("rotated")), 0);
        assert_eq!(record.state == ChainState::Settled, ends);
    }
}

#[test]
fn a_rotation_waits_for_its_record_and_goes_on() {
    let mut rig = imported(false);
    rig.slow_disk = Some(Vec::new());
    step(&mut rig, -HOUR);
    rig.pass(secs(6601));
    assert_eq!(rig.slow_disk.as_ref().map(Vec::len), Some(1), "one write of a record at a time");
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::Serve)));
    rig.flush();
    assert_eq!(rig.sent.len(), 1);
    rig.grant(7200);
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
}

#[test]
fn what_waits_for_its_turn_is_sent_after_its_record_was_written() {
    for disk_is_full in [false, true] {
        let mut rig = imported(false);
        rig.pass(secs(6590));
        let mut other = fixture::classic("another", false);
        other.client_id = "client-of-legacy".into();
        rig.configure(&[other, fixture::classic(PROFILE, false)]);
        rig.import("another", "downloaded");
        rig.answer(failed(FailureKind::RateLimited, Some(secs(600))));
        rig.pass(secs(20));
        let work = &rig.core.chains.values().last().expect("two").work;
        assert!(matches!(work, Work::Queued(_)), "the client is left alone, and it is {work:?}");
        rig.disk_fault = disk_is_full.then_some("no space left on device");
        step(&mut rig, -HOUR);
        rig.disk_fault = None;
        rig.pass(secs(50));
        let rotated = chain_on_disk(&rig).rotated.expect("rotated");
        assert_eq!(off_by(&rig, rotated) == 0, !disk_is_full, "it is tried again after a minute, not before");
        rig.pass(secs(20));
        assert_eq!(off_by(&rig, chain_on_disk(&rig).rotated.expect("rotated")), 0);
        assert!(rig.sent.is_empty());
        rig.pass(secs(520));
        let mut sent: Vec<&str> = rig.sent.iter().map(refresh_token_of).collect();
        sent.sort_unstable();
        assert_eq!(sent, ["downloaded", "refresh-1"]);
    }
}

#[test]
fn a_record_does_not_take_the_space_that_is_reserved_for_a_login_of_its_client() {
    let mut twin = fixture::classic("twin", false);
    twin.client_id = "client-of-legacy".into();
    let mut rig = Rig::new(std::slice::from_ref(&twin));
    rig.import("twin", "downloaded");
    rig.grant(7200);
    rig.configure(&[twin, fixture::classic(PROFILE, true)]);
    assert_eq!(logins(&rig), 1);
    let before = revision_of_chain(&rig);
    step(&mut rig, HOUR);
    rig.pass(secs(20));
    assert_eq!(revision_of_chain(&rig), before, "the login is on the wire");
    rig.grant(7200);
    rig.pass(secs(6));
    assert_eq!(revision_of_chain(&rig), before + 1);
    assert_eq!(off_by(&rig, chain_on_disk(&rig).rotated.expect("rotated")), 0);
}

#[test]
fn a_login_that_waits_for_its_turn_begins_anew() {
    let mut rig = logged_in();
    let mut twin = fixture::classic("twin", false);
    twin.client_id = "client-of-legacy".into();
    rig.configure(&[twin, fixture::classic(PROFILE, true)]);
    rig.pass(secs(1790));
    rig.import("twin", "downloaded");
    rig.answer(failed(FailureKind::RateLimited, Some(secs(600))));
    rig.pass(secs(15));
    let work = &rig.core.chains.values().next().expect("two").work;
    assert!(matches!(work, Work::Queued(_)), "the client is left alone, and it is {work:?}");
    step(&mut rig, HOUR);
    assert_eq!(off_by(&rig, quota_on_disk(&rig).attempts.last().expect("one").at), 0);
    rig.pass(secs(700));
    assert_eq!(logins(&rig), 2);
}

#[test]
fn a_token_before_a_damaged_record_is_not_served_in_another_boot() {
    for reboot in [false, true] {
        let Rig { disk, now, core, .. } = imported(false);
        let boot_id = if reboot { another(core.boot_id) } else { core.boot_id };
        let now = if reboot { Now { boot: BootTime(5_000), ..now } } else { now };
        let rig = Rig::restored(&profiles(false), disk, RestoredContent::Previous, now, boot_id);
        assert_eq!(rig.token_cache(PROFILE).is_some(), !reboot);
        assert_eq!(refresh_token_of(&rig.sent[0]), "refresh-1");
    }
}

#[test]
fn a_moment_of_another_boot_was_before_this_one_whatever_the_clock_says() {
    let (old, new) = (BootId([1; 16]), BootId([2; 16]));
    let mark = DurableTime { boot: 50_000, wall: UnixTime(1_000_000), boot_id: old };
    let now = |wall| Now { boot: BootTime(20_000), wall: UnixTime(wall) };
    for (wall, older, age) in [(1_100_000, 2_000, 102_000), (1_100_000, -2_000, 98_000), (0, 2_000, 20_001)] {
        let rebased = mark.rebased(now(wall), new, older);
        assert_eq!(rebased.age(now(wall), new), Duration::from_millis(age));
        assert!(rebased.is_of_earlier_boot(new));
        let later = Now { boot: BootTime(30_000), wall: UnixTime(5) };
        assert_eq!(rebased.age(later, new), Duration::from_millis(age + 10_000), "the clock is not asked again");
        let again = rebased.rebased(later, new, older);
        assert_eq!((again.boot, again.age(later, new)), (rebased.boot, rebased.age(later, new)));
        assert_eq!(again.wall_ahead(), later.wall_ahead());
    }
}
