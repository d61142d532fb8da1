//! Stops at every step of a write, and disks that are full.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::power::Power;
use super::*;
use crate::store::envelope::encode;

/// From the `survivors`-th step on nothing reaches the disk.
fn die_after(survivors: usize) -> impl FnMut(&str, &str) -> io::Result<()> + Send {
    let left = AtomicUsize::new(survivors);
    move |_, _| match left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
        Ok(_) => Ok(()),
        Err(_) => Err(io::Error::other("the daemon was killed")),
    }
}

/// Does `last` on a folder with `before`, dying after each number of steps in turn, and hands what is loaded then to
/// `check`, with whether the write's bytes had been fsynced: from then on the new record has to be there.
fn at_every_step(
    key: &RecordKey,
    before: &[Record],
    last: Option<&Record>,
    check: impl Fn(bool, Option<RestoredContent>, Vec<String>),
) -> usize {
    for survivors in 0..100 {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = open(folder.path());
        write_all(&mut shelf, key, before);
        let power = Power::on(folder.path());
        shelf.folder.fault.set(die_after(survivors));
        let done = shelf.write(key, Revision(before.len() as u64), last).is_ok();
        drop(shelf);
        let synced = match last {
            Some(record) => power.is_synced(&encode(key, Revision(before.len() as u64 + 1), record, None).unwrap()),
            None => done,
        };
        assert!(synced || !done, "after {survivors} steps: reported as done, and not on disk");
        let (content, problems) = load_only(folder.path());
        check(synced, content, problems);
        let left: Vec<_> = extensions(folder.path());
        assert!(left.iter().all(|name| name != ".tmp" && name != ".old"), "after {survivors} steps: {left:?}");
        // And the folder still works.
        let mut shelf = open(folder.path());
        let found = shelf.load().unwrap().records.first().map_or(Revision(0), |restored| restored.revision);
        shelf.write(key, found, Some(before.first().unwrap_or(&settled("again")))).unwrap();
        if done {
            return survivors;
        }
    }
    panic!("a write takes fewer steps than that");
}

#[test]
fn a_crash_at_any_step_leaves_the_old_record_or_the_new_one() {
    let old = [settled("1"), settled("2")];
    let steps = at_every_step(&key(), &old, Some(&settled("3")), |synced, content, problems| {
        let Some(RestoredContent::Newest(record)) = content else { panic!("{content:?}") };
        assert!(record == settled("3") || (!synced && record == old[1]), "fsynced: {synced}");
        assert_eq!(problems, Vec::<String>::new());
    });
    assert!(steps >= 8, "{steps}");
}

#[test]
fn a_crash_at_any_step_of_a_rotation_leaves_the_old_record_or_the_new_one() {
    let old = [settled("1"), in_flight("1")];
    at_every_step(&key(), &old, Some(&settled("2")), |synced, content, _| {
        let Some(RestoredContent::Newest(record)) = content else { panic!("{content:?}") };
        assert!(record == settled("2") || (!synced && record == old[1]), "fsynced: {synced}");
    });
    at_every_step(&key(), &old[..1], Some(&in_flight("1")), |synced, content, _| {
        let Some(RestoredContent::Newest(record)) = content else { panic!("{content:?}") };
        assert!(record == in_flight("1") || (!synced && record == old[0]), "fsynced: {synced}");
    });
}

#[test]
fn a_crash_at_any_step_of_the_first_write_leaves_nothing_or_the_record() {
    at_every_step(&key(), &[], Some(&settled("1")), |synced, content, problems| {
        assert!(
            content == Some(RestoredContent::Newest(settled("1"))) || (!synced && content.is_none()),
            "{content:?}"
        );
        assert_eq!(problems, Vec::<String>::new());
    });
}

#[test]
fn a_crash_at_any_step_of_a_removal_never_brings_an_older_record_back() {
    at_every_step(&key(), &[settled("1"), settled("2")], None, |synced, content, _| {
        assert!(
            content.is_none() || (!synced && content == Some(RestoredContent::Newest(settled("2")))),
            "{content:?}"
        );
    });
}

#[test]
fn a_record_is_on_disk_before_it_has_its_name_and_the_name_before_it_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    write_all(&mut shelf, &key(), &[settled("1"), settled("2")]);
    shelf.folder.fault.clear();
    shelf.write(&key(), Revision(2), Some(&settled("3"))).unwrap();
    let expected = [
        "remove .tmp",
        "create .tmp",
        "write .tmp",
        "fsync .tmp",
        "remove .old",
        "link .old",
        "rename .prev",
        "remove .old",
        "rename .rec",
        "fsync .",
    ];
    assert_eq!(shelf.folder.fault.steps(), expected);

    shelf.folder.fault.clear();
    shelf.write(&key(), Revision(3), Some(&in_flight("3"))).unwrap();
    let steps = shelf.folder.fault.steps();
    let place = |step| steps.iter().position(|done| done == step).unwrap_or_else(|| panic!("no {step}: {steps:?}"));
    assert!(
        place("reserve .spare") < place("fsync .spare") && place("fsync .spare") < place("create .tmp"),
        "{steps:?}"
    );

    shelf.folder.fault.clear();
    shelf.write(&key(), Revision(4), Some(&settled("4"))).unwrap();
    let steps = shelf.folder.fault.steps();
    assert_eq!(steps[..3], ["overwrite .spare", "truncate .spare", "fsync .spare"]);
    assert!(!steps.contains(&"create .tmp".to_owned()), "{steps:?}");
    assert_eq!(extensions(folder.path()), [".prev", ".rec"]);
}

fn full() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

#[test]
fn a_token_is_not_spent_when_what_follows_could_not_be_stored() {
    let spending = [(key(), in_flight("1")), (candidate_key(), candidate()), (quota_key(), quota(LoginOutcome::Open))];
    for (key, record) in spending {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = open(folder.path());
        shelf.folder.fault.set(|doing, name| if (doing, name) == ("reserve", ".spare") { Err(full()) } else { Ok(()) });
        let error = shelf.write(&key, Revision(0), Some(&record)).unwrap_err();
        assert!(matches!(error, StoreError::NoSpace { .. }), "{error}");
        assert!(error.to_string().starts_with("no room to reserve /"), "{error}");
        drop(shelf);
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}

#[test]
fn a_disk_that_became_read_only_is_found_before_the_token_is_spent() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    shelf.write(&key(), Revision(0), Some(&settled("1"))).unwrap();
    shelf.folder.fault.set(|_, _| Err(io::ErrorKind::ReadOnlyFilesystem.into()));
    let error = shelf.write(&key(), Revision(1), Some(&in_flight("1"))).unwrap_err();
    let StoreError::Io { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), io::ErrorKind::ReadOnlyFilesystem);
    drop(shelf);
    assert_eq!(load_only(folder.path()), (Some(RestoredContent::Newest(settled("1"))), vec![]));
}

#[test]
fn a_failed_write_gives_back_what_it_reserved() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    shelf.write(&key(), Revision(0), Some(&settled("1"))).unwrap();
    shelf.folder.fault.set(|doing, name| if (doing, name) == ("write", ".tmp") { Err(full()) } else { Ok(()) });
    shelf.write(&key(), Revision(1), Some(&in_flight("1"))).unwrap_err();
    assert_eq!(extensions(folder.path()), [".rec"]);
    shelf.folder.fault.clear();
    shelf.write(&key(), Revision(1), Some(&in_flight("1"))).unwrap();
}

#[test]
fn the_record_after_one_in_flight_needs_no_new_space() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    write_all(&mut shelf, &key(), &[settled("1"), in_flight("1")]);
    // Neither a new file nor a new name is to be had from now on.
    shelf
        .folder
        .fault
        .set(|doing, _| if matches!(doing, "create" | "reserve" | "link") { Err(full()) } else { Ok(()) });
    shelf.write(&key(), Revision(2), Some(&settled("2"))).unwrap();
    drop(shelf);
    assert_eq!(load_only(folder.path()), (Some(RestoredContent::Newest(settled("2"))), vec![]));
    // The one before was kept all the same.
    std::fs::remove_file(file(folder.path(), ".rec")).unwrap();
    assert_eq!(load_only(folder.path()).0, Some(RestoredContent::Previous(in_flight("1"))));
}

#[test]
fn a_candidate_reserves_the_space_for_the_chain_it_becomes() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    shelf.write(&candidate_key(), Revision(0), Some(&candidate())).unwrap();
    shelf.folder.fault.set(|doing, _| if doing == "create" { Err(full()) } else { Ok(()) });
    shelf.write(&key(), Revision(0), Some(&settled("1"))).unwrap();
    shelf.folder.fault.clear();
    shelf.write(&candidate_key(), Revision(1), None).unwrap();
    assert_eq!(extensions(folder.path()), [".rec"]);
    // Refused: the space is given back.
    shelf.write(&candidate_key(), Revision(0), Some(&candidate())).unwrap();
    assert!(extensions(folder.path()).contains(&".spare".to_owned()));
    shelf.write(&candidate_key(), Revision(1), None).unwrap();
    assert_eq!(extensions(folder.path()), [".rec"]);
}

#[test]
fn a_rotation_that_ends_leaves_the_candidate_its_space() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    shelf.write(&key(), Revision(0), Some(&in_flight("1"))).unwrap();
    shelf.write(&candidate_key(), Revision(0), Some(&candidate())).unwrap();
    shelf.write(&key(), Revision(1), Some(&settled("2"))).unwrap();
    assert!(extensions(folder.path()).contains(&".spare".to_owned()));
    shelf.write(&key(), Revision(2), None).unwrap();
    assert!(extensions(folder.path()).contains(&".spare".to_owned()));
    shelf.write(&candidate_key(), Revision(1), None).unwrap();
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn the_space_is_there_again_after_a_restart_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    write_all(&mut open(folder.path()), &key(), &[settled("1"), in_flight("1")]);
    let spare = file(folder.path(), ".spare");
    load(folder.path()).unwrap();
    assert!(spare.exists());
    // Half used, or gone.
    std::fs::File::options().write(true).open(&spare).unwrap().set_len(10).unwrap();
    load(folder.path()).unwrap();
    assert_eq!(std::fs::metadata(&spare).unwrap().len(), crate::store::envelope::MAX_RECORD as u64);
    // And it is given back when it is not needed any more.
    open(folder.path()).write(&key(), Revision(2), Some(&settled("2"))).unwrap();
    std::fs::write(&spare, "").unwrap();
    load(folder.path()).unwrap();
    assert!(!spare.exists());
}

#[test]
fn a_failed_spare_is_replaced_by_an_ordinary_write() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    write_all(&mut shelf, &key(), &[settled("1"), in_flight("1")]);
    shelf.folder.fault.set(|doing, _| if doing == "overwrite" { Err(io::Error::other("bad block")) } else { Ok(()) });
    shelf.write(&key(), Revision(2), Some(&settled("2"))).unwrap();
    drop(shelf);
    assert_eq!(extensions(folder.path()), [".prev", ".rec"]);
    assert_eq!(load_only(folder.path()), (Some(RestoredContent::Newest(settled("2"))), vec![]));
}

#[test]
fn a_login_reserves_the_space_for_the_chain_that_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    shelf.write(&quota_key(), Revision(0), Some(&quota(LoginOutcome::Open))).unwrap();
    assert_eq!(extensions(folder.path()), [".rec", ".spare"]);
    // Neither a new file nor a new name is to be had from now on.
    shelf
        .folder
        .fault
        .set(|doing, _| if matches!(doing, "create" | "reserve" | "link") { Err(full()) } else { Ok(()) });
    // How it ended cannot be stored, and does not take the space from the pair.
    shelf.write(&quota_key(), Revision(1), Some(&quota(LoginOutcome::Minted))).unwrap_err();
    shelf.write(&chain_of_login(), Revision(0), Some(&settled("1"))).unwrap();
    shelf.folder.fault.clear();
    shelf.write(&quota_key(), Revision(1), Some(&quota(LoginOutcome::Minted))).unwrap();
    assert_eq!(extensions(folder.path()), [".rec", ".prev", ".rec"]);
    let found = shelf.load().unwrap();
    assert_eq!((found.records.len(), found.problems), (2, vec![]));
}

#[test]
fn a_login_whose_end_is_stored_first_leaves_its_chain_the_space_and_one_that_failed_gives_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    shelf.write(&quota_key(), Revision(0), Some(&quota(LoginOutcome::Open))).unwrap();
    shelf.write(&quota_key(), Revision(1), Some(&quota(LoginOutcome::Minted))).unwrap();
    shelf.folder.fault.set(|doing, _| if doing == "create" { Err(full()) } else { Ok(()) });
    shelf.write(&chain_of_login(), Revision(0), Some(&settled("1"))).unwrap();
    shelf.folder.fault.clear();
    assert!(!extensions(folder.path()).contains(&".spare".to_owned()));
    shelf.write(&quota_key(), Revision(2), Some(&quota(LoginOutcome::Open))).unwrap();
    assert!(extensions(folder.path()).contains(&".spare".to_owned()));
    shelf.write(&quota_key(), Revision(3), Some(&quota(LoginOutcome::Failed))).unwrap();
    assert!(!extensions(folder.path()).contains(&".spare".to_owned()));
}

#[test]
fn a_chain_of_another_client_leaves_a_login_its_space_and_a_restart_gives_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    shelf.write(&quota_key(), Revision(0), Some(&quota(LoginOutcome::Open))).unwrap();
    shelf.write(&key(), Revision(0), Some(&settled("1"))).unwrap();
    assert!(extensions(folder.path()).contains(&".spare".to_owned()));
    drop(shelf);
    load(folder.path()).unwrap();
    assert!(!extensions(folder.path()).contains(&".spare".to_owned()), "the login ended with its daemon");
}
