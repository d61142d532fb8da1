//! Each kind of write, stopped at each of its steps and followed by a power cut. From the moment at which the new
//! record's bytes were fsynced it is there afterwards, whatever became of the names.

use super::power::Power;
use super::*;
use crate::store::envelope::{MAX_RECORD, encode};

type Refusal = fn(&str, &str) -> bool;
const NOTHING: Refusal = |_, _| false;
const LINKS: Refusal = |doing, _| doing == "link";

/// A write that is played.
struct Play {
    key: RecordKey,
    /// What is in the folder before, and which revision the record has then.
    before: Box<dyn Fn(&mut Shelf)>,
    replaces: u64,
    record: Option<Record>,
    /// Steps that fail each time.
    refuses: Refusal,
}

type Found = Option<(Revision, RestoredContent)>;

/// What the next daemon finds of a record.
fn found(folder: &Path, key: &RecordKey) -> Found {
    let loaded = load(folder).unwrap();
    let mut of_it = loaded.records.into_iter().filter(|restored| restored.key == *key);
    of_it.next().map(|restored| (restored.revision, restored.content))
}

impl Play {
    fn new(key: RecordKey, replaces: u64, record: Option<Record>, before: impl Fn(&mut Shelf) + 'static) -> Self {
        Self { key, before: Box::new(before), replaces, record, refuses: NOTHING }
    }

    fn new_record(&self) -> Found {
        self.record.clone().map(|record| (Revision(self.replaces + 1), RestoredContent::Newest(record)))
    }

    fn new_bytes(&self) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        let encoded = |record| encode(&self.key, Revision(self.replaces + 1), record, None).unwrap();
        self.record.as_ref().map(encoded)
    }

    /// Hands what is found to `check`, after a crash at each step, after a power cut then, and after a start and a
    /// power cut; with whether the write was reported as done, and whether the bytes of the new record were fsynced.
    /// How many steps the write takes.
    fn at_every_step(&self, check: impl Fn(&str, bool, bool, &Found)) -> usize {
        let folder = tempfile::tempdir().unwrap();
        (self.before)(&mut open(folder.path()));
        let old = found(folder.path(), &self.key);
        for survivors in 0..100 {
            let folder = tempfile::tempdir().unwrap();
            let mut shelf = open(folder.path());
            (self.before)(&mut shelf);
            let power = Power::on(folder.path());
            let done = self.write(&mut shelf, &power, survivors);
            drop(shelf);
            let synced = self.new_bytes().is_some_and(|bytes| power.is_synced(&bytes));
            let judge = |when: &str, left: Found| {
                let expected = left == self.new_record() || !done && left == old;
                assert!(expected, "{when}, after {survivors} steps (done: {done}): {left:?}");
                check(when, done, synced, &left);
            };
            power.cut(|left| judge("a power cut", found(left, &self.key)));
            let after_crash = found(folder.path(), &self.key);
            judge("a crash", after_crash.clone());
            power.cut(|left| {
                let found = found(left, &self.key);
                assert_eq!(found, after_crash, "after {survivors} steps: what a start had found was not durable");
            });
            if done {
                return survivors;
            }
        }
        panic!("a write takes fewer steps than that");
    }

    /// From the `survivors`-th step on nothing is done, nor undone: the daemon is gone.
    fn write(&self, shelf: &mut Shelf, power: &Power, survivors: usize) -> bool {
        let (refuses, power, mut left) = (self.refuses, power.clone(), survivors);
        shelf.folder.fault.set(move |doing, name| {
            power.look();
            if refuses(doing, name) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            left = left.checked_sub(1).ok_or_else(|| io::Error::other("the daemon was killed"))?;
            Ok(())
        });
        let done = shelf.write(&self.key, Revision(self.replaces), self.record.as_ref()).is_ok();
        shelf.folder.fault.clear();
        done
    }

    /// Where space is reserved its name is durable, and so is the record from the fsync of its bytes on.
    fn is_there_once_synced(&self) {
        let steps = self.at_every_step(|when, done, synced, left| {
            assert!(!synced || *left == self.new_record(), "{when} (done: {done}), its bytes fsynced: {left:?}");
        });
        assert!(steps >= 6, "{steps}");
    }
}

fn lost() -> Record {
    Record::Chain(ChainRecord {
        state: ChainState::Lost { since: mark(7), why: LostCause::Revoked },
        ..ChainRecord::default()
    })
}

fn rotation() -> Play {
    let before = |shelf: &mut Shelf| write_all(shelf, &key(), &[settled("1"), in_flight("1")]);
    Play::new(key(), 2, Some(settled("2")), before)
}

fn begin_login(shelf: &mut Shelf) {
    shelf.write(&quota_key(), Revision(0), Some(&quota(LoginOutcome::Open))).unwrap();
}

fn login() -> Play {
    Play::new(chain_of_login(), 2, Some(settled("2")), |shelf| {
        write_all(shelf, &chain_of_login(), &[settled("1"), lost()]);
        begin_login(shelf);
    })
}

fn import() -> Play {
    Play::new(key(), 2, Some(settled("3")), |shelf| {
        write_all(shelf, &key(), &[settled("1"), settled("2")]);
        shelf.write(&candidate_key(), Revision(0), Some(&candidate())).unwrap();
    })
}

#[test]
fn a_pair_is_there_once_its_bytes_are_fsynced() {
    rotation().is_there_once_synced();
    Play { refuses: LINKS, ..rotation() }.is_there_once_synced();
}

#[test]
fn a_pair_of_a_login_is_there_once_its_bytes_are_fsynced() {
    login().is_there_once_synced();
    Play { refuses: LINKS, ..login() }.is_there_once_synced();
    Play::new(chain_of_login(), 0, Some(settled("1")), begin_login).is_there_once_synced();
}

#[test]
fn a_pair_of_an_import_is_there_once_its_bytes_are_fsynced_also_after_a_rewrite_that_failed() {
    import().is_there_once_synced();
    for failing in FAILURES {
        let before = |shelf: &mut Shelf| {
            (import().before)(shelf);
            fail_at(shelf, failing);
            let _ = shelf.write(&key(), Revision(2), Some(&settled("rebased")));
            shelf.folder.fault.clear();
        };
        let folder = tempfile::tempdir().unwrap();
        before(&mut open(folder.path()));
        if found(folder.path(), &key()).is_some_and(|(revision, _)| revision == Revision(2)) {
            Play { before: Box::new(before), ..import() }.is_there_once_synced();
        }
    }
}

#[test]
fn a_write_without_reserved_space_leaves_the_old_record_or_the_new_one() {
    let cases = [(0, settled("1")), (1, settled("2")), (1, in_flight("1")), (2, settled("3"))];
    for (before, record) in cases {
        for refuses in [NOTHING, LINKS] {
            let prepare = move |shelf: &mut Shelf| write_all(shelf, &key(), &[settled("1"), settled("2")][..before]);
            let play = Play { refuses, ..Play::new(key(), before as u64, Some(record.clone()), prepare) };
            // The name is not durable yet; but a crash alone takes nothing away that was written.
            play.at_every_step(|when, done, synced, left| {
                let lasts = !synced || *left == play.new_record();
                assert!(lasts || when == "a power cut", "{when} (done: {done}): {left:?}");
            });
        }
    }
}

#[test]
fn a_record_in_flight_is_durable_together_with_the_space_for_the_next() {
    let play = Play::new(key(), 1, Some(in_flight("1")), |shelf| write_all(shelf, &key(), &[settled("1")]));
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    (play.before)(&mut shelf);
    let power = Power::on(folder.path());
    assert!(play.write(&mut shelf, &power, 100));
    let folders = power.cut(|left| {
        assert_eq!(std::fs::metadata(file(left, ".spare")).unwrap().len(), MAX_RECORD as u64);
    });
    assert_eq!(folders, 1, "all names are durable");
}

#[test]
fn the_space_that_is_kept_for_an_import_is_durable_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    (import().before)(&mut shelf);
    let power = Power::on(folder.path());
    assert!(import().write(&mut shelf, &power, 100));
    power.cut(|left| assert_eq!(std::fs::metadata(file(left, ".spare")).unwrap().len(), MAX_RECORD as u64));
}

#[test]
fn a_removal_never_brings_an_older_record_back() {
    let records = [settled("1"), settled("2"), in_flight("2")];
    let play = Play::new(key(), 3, None, move |shelf| write_all(shelf, &key(), &records));
    play.at_every_step(|_, _, _, _| {});
}

#[test]
fn a_candidate_is_written_replaced_and_removed() {
    let once = |shelf: &mut Shelf| write_all(shelf, &candidate_key(), &[candidate()]);
    let twice = |shelf: &mut Shelf| write_all(shelf, &candidate_key(), &[candidate(), candidate_of("another")]);
    Play::new(candidate_key(), 0, Some(candidate()), |_| {}).at_every_step(|_, _, _, _| {});
    Play::new(candidate_key(), 1, Some(candidate_of("another")), once).at_every_step(|_, _, _, _| {});
    Play::new(candidate_key(), 1, None, once).at_every_step(|_, _, _, _| {});
    Play::new(candidate_key(), 2, None, twice).at_every_step(|_, _, _, _| {});
}

#[test]
fn a_new_state_folder_is_durable_itself() {
    let folder = tempfile::tempdir().unwrap();
    let power = Power::on(folder.path());
    open(&folder.path().join("state"));
    assert_eq!(power.folder_syncs(), 1);
}

/// Where a write fails, before its bytes are on disk and after.
const FAILURES: [&[(&str, &str)]; 9] = [
    &[("fsync", ".spare"), ("fsync", ".tmp")],
    &[("fsync", ".spare"), ("create", ".tmp")],
    &[("truncate", ".spare"), ("write", ".tmp")],
    &[("remove", ".tmp")],
    &[("remove", ".old")],
    &[("link", ".old"), ("rename", ".prev")],
    &[("rename", ".prev")],
    &[("rename", ".rec")],
    &[("fsync", ".")],
];

/// These steps fail once each.
fn fail_at(shelf: &mut Shelf, steps: &'static [(&str, &str)]) {
    let mut left = steps.to_vec();
    shelf.folder.fault.set(move |doing, name| match left.iter().position(|step| *step == (doing, name)) {
        None => Ok(()),
        Some(at) => {
            left.remove(at);
            Err(io::ErrorKind::Other.into())
        }
    });
}

#[test]
fn a_write_that_fails_leaves_nothing_that_is_found_and_the_space_for_the_next() {
    let first_candidate = || Play::new(candidate_key(), 0, Some(candidate()), |_| {});
    let mark = || Play::new(key(), 1, Some(in_flight("1")), |shelf| write_all(shelf, &key(), &[settled("1")]));
    let first_of_login = || Play::new(chain_of_login(), 0, Some(settled("1")), begin_login);
    for play in [rotation(), login(), import(), first_candidate(), mark(), first_of_login()] {
        for failing in FAILURES {
            let folder = tempfile::tempdir().unwrap();
            (play.before)(&mut open(folder.path()));
            let spares = |path: &Path| extensions(path).iter().filter(|name| *name == ".spare").count();
            let reserved = spares(folder.path());
            let old = found(folder.path(), &play.key);

            let folder = tempfile::tempdir().unwrap();
            let mut shelf = open(folder.path());
            (play.before)(&mut shelf);
            let power = Power::on(folder.path());
            fail_at(&mut shelf, failing);
            if shelf.write(&play.key, Revision(play.replaces), play.record.as_ref()).is_ok() {
                continue; // it did without that step
            }
            shelf.folder.fault.clear();
            let what = format!("{:?} failed at {failing:?}: {:?}", play.key, extensions(folder.path()));
            assert_eq!(spares(folder.path()), reserved, "{what}");
            power.cut(|left| assert_eq!(found(left, &play.key), old, "{what}"));
            // What comes next counts, and is not overtaken.
            assert!(play.write(&mut shelf, &power, 100), "{what}");
            power.cut(|left| assert_eq!(found(left, &play.key), play.new_record(), "{what}"));
        }
    }
}
