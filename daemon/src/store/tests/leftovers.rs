//! Files under temporary names: which of them is the newest record, and what a start that is refused leaves alone.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::store::envelope::{MAX_RECORD, encode};
use crate::store::file::names::Names;

/// Puts a record under any name.
fn put(folder: &Path, name: &str, key: &RecordKey, revision: u64, record: &Record, seal: Option<&StateKey>) {
    put_bytes(folder, name, &encode(key, Revision(revision), record, seal).unwrap());
}

fn put_bytes(folder: &Path, name: &str, bytes: &[u8]) {
    fs::write(folder.join(name), bytes).unwrap();
    fs::set_permissions(folder.join(name), Permissions::from_mode(0o600)).unwrap();
}

/// A settled chain of revision 2.
fn folder() -> (tempfile::TempDir, Names) {
    let folder = tempfile::tempdir().unwrap();
    write_all(&mut open(folder.path()), &key(), &[settled("1"), in_flight("1")]);
    let names = Names::of(&key());
    fs::remove_file(folder.path().join(&names.spare)).unwrap();
    (folder, names)
}

fn newest(token: &str) -> Option<RestoredContent> {
    Some(RestoredContent::Newest(settled(token)))
}

#[test]
fn the_next_revision_is_the_newest_record_wherever_it_lies_and_no_other_revision_is() {
    let quota = Names::of(&quota_key()).spare;
    let (_, names) = folder();
    for name in [&names.fresh, &names.spare, &quota, &Names::of(&candidate_key()).fresh] {
        for revision in [0, 1, 2, 3, 4, u64::MAX] {
            let (folder, names) = folder();
            put(folder.path(), name, &key(), revision, &settled("2"), None);
            let (content, problems) = load_only(folder.path());
            let expected = if revision == 3 { newest("2") } else { Some(RestoredContent::Newest(in_flight("1"))) };
            assert_eq!((content, problems), (expected, vec![]), "{name}, revision {revision}");
            assert!(name == &names.spare || !folder.path().join(name).exists());
            // It is there for good, with the one before it beside it.
            if revision == 3 {
                assert_eq!(load_only(folder.path()).0, newest("2"));
                fs::remove_file(folder.path().join(&names.main)).unwrap();
                assert_eq!(load_only(folder.path()).0, Some(RestoredContent::Previous(in_flight("1"))));
            }
        }
    }
}

#[test]
fn of_two_the_one_in_reserved_space_counts() {
    let (folder, names) = folder();
    put(folder.path(), &names.fresh, &key(), 3, &settled("tmp"), None);
    put(folder.path(), &names.spare, &key(), 3, &settled("spare"), None);
    assert_eq!(load_only(folder.path()), (newest("spare"), vec![]));
    assert_eq!(extensions(folder.path()), [".prev", ".rec"]);
}

#[test]
fn zeros_after_it_are_no_damage_and_anything_else_is() {
    for (tail, is_found) in [(0, true), (1, false)] {
        let (folder, names) = folder();
        let mut bytes = encode(&key(), Revision(3), &settled("2"), None).unwrap().to_vec();
        bytes.resize(MAX_RECORD, 0);
        *bytes.last_mut().unwrap() = tail;
        put_bytes(folder.path(), &names.spare, &bytes);
        let expected = if is_found { newest("2") } else { Some(RestoredContent::Newest(in_flight("1"))) };
        assert_eq!(load_only(folder.path()), (expected, vec![]));
        // And what is kept for the next one is empty.
        if !is_found {
            assert_eq!(fs::read(folder.path().join(&names.spare)).unwrap(), [0; MAX_RECORD]);
        }
    }
}

#[test]
fn it_follows_a_record_that_is_damaged_or_gone() {
    type Blow = fn(&Path, &Names);
    let blows: [(Blow, usize); 4] = [
        (|folder, names| fs::remove_file(folder.join(&names.main)).unwrap(), 0),
        (|folder, names| fs::write(folder.join(&names.main), [0x5a; 300]).unwrap(), 1),
        (
            |folder, names| {
                let mut bytes = fs::read(folder.join(&names.main)).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                fs::write(folder.join(&names.main), bytes).unwrap();
            },
            1,
        ),
        (
            |folder, names| {
                fs::write(folder.join(&names.main), "").unwrap();
                fs::write(folder.join(&names.previous), "").unwrap();
            },
            2,
        ),
    ];
    for (index, (blow, damaged)) in blows.into_iter().enumerate() {
        let (folder, names) = folder();
        blow(folder.path(), &names);
        put(folder.path(), &names.spare, &key(), 3, &settled("2"), None);
        let (content, problems) = load_only(folder.path());
        assert_eq!((content, problems.len()), (newest("2"), damaged), "{index}: {problems:?}");
        // The damaged file has not taken the place of the one before.
        if damaged == 1 {
            fs::remove_file(folder.path().join(&names.main)).unwrap();
            assert_eq!(load_only(folder.path()).0, Some(RestoredContent::Previous(settled("1"))));
        }
    }
}

#[test]
fn of_a_record_that_there_is_not_only_the_first_is_taken() {
    for (revision, is_found) in [(1, true), (2, false), (7, false)] {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), &Names::of(&quota_key()).spare, &chain_of_login(), revision, &settled("1"), None);
        let (content, problems) = load_only(folder.path());
        assert_eq!((content.is_some(), problems), (is_found, vec![]), "{revision}");
        assert_eq!(names(folder.path()).len(), usize::from(is_found));
    }
}

#[test]
fn two_chains_of_a_client_share_the_space_of_its_logins() {
    let RecordKey::Chain(first) = chain_of_login() else { unreachable!() };
    let second = RecordKey::Chain(ChainKey { profile: "second".parse().unwrap(), ..first });
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    write_all(&mut shelf, &chain_of_login(), &[settled("1")]);
    write_all(&mut shelf, &second, &[settled("a")]);
    shelf.write(&quota_key(), Revision(0), Some(&quota(LoginOutcome::Open))).unwrap();
    // A write of the other one in between does not take it away.
    shelf.write(&second, Revision(1), Some(&settled("b"))).unwrap();
    let spare = Names::of(&quota_key()).spare;
    assert_eq!(fs::metadata(folder.path().join(&spare)).unwrap().len(), MAX_RECORD as u64);
    drop(shelf);
    put(folder.path(), &spare, &chain_of_login(), 2, &settled("2"), None);
    let records = load(folder.path()).unwrap().records;
    let of = |key: &RecordKey| records.iter().find(|r| r.key == *key).unwrap().content.clone();
    assert_eq!((Some(of(&chain_of_login())), Some(of(&second))), (newest("2"), newest("b")));
}

#[test]
fn the_space_of_a_chain_that_spends_is_reserved_again() {
    let (folder, names) = folder();
    write_all(&mut open(folder.path()), &candidate_key(), &[candidate()]);
    put(folder.path(), &names.spare, &key(), 3, &settled("2"), None);
    load(folder.path()).unwrap();
    assert_eq!(fs::read(folder.path().join(&names.spare)).unwrap(), [0; MAX_RECORD]);
    put(folder.path(), &names.fresh, &key(), 4, &in_flight("2"), None);
    load(folder.path()).unwrap();
    assert_eq!(fs::metadata(folder.path().join(&names.spare)).unwrap().len(), MAX_RECORD as u64);
}

#[test]
fn a_seal_that_cannot_be_opened_and_a_later_format_stop_the_start_and_erase_nothing() {
    let all = |folder: &Path| {
        let read = |name: String| (fs::read(folder.join(&name)).unwrap(), name);
        names(folder).into_iter().map(read).collect::<Vec<_>>()
    };
    let mut later = encode(&key(), Revision(3), &settled("2"), None).unwrap().to_vec();
    later[9] = 2;
    let check = crc32fast::hash(&later[..10]).to_be_bytes();
    later[10..14].copy_from_slice(&check);
    let sealed = encode(&key(), Revision(3), &settled("2"), Some(&state_key("1"))).unwrap().to_vec();
    let mut padded = sealed.clone();
    padded.resize(MAX_RECORD, 0);
    for extension in [".tmp", ".spare"] {
        for bytes in [&later, &sealed, &padded] {
            let (folder, names) = folder();
            // As of a write that was cut off after the record had got its second name.
            fs::hard_link(folder.path().join(&names.main), folder.path().join(&names.link)).unwrap();
            put(folder.path(), "candidate-a-0123456789abcdef.tmp", &key(), 9, &settled("2"), None);
            put_bytes(folder.path(), &format!("{}{extension}", names.main.trim_end_matches(".rec")), bytes);
            let before = all(folder.path());
            for seal in [None, Some(state_key("2"))] {
                let error = Shelf::open(folder.path(), seal).unwrap().load().unwrap_err();
                let is_expected = matches!(
                    error,
                    StoreError::Newer { version: 2, .. }
                        | StoreError::SealedWithoutKey { .. }
                        | StoreError::WrongKey { .. }
                );
                assert!(is_expected && error.to_string().contains(extension), "{error}");
                assert_eq!(all(folder.path()), before);
            }
            if bytes != &later {
                let loaded = Shelf::open(folder.path(), Some(state_key("1"))).unwrap().load().unwrap();
                assert_eq!(Some(loaded.records[0].content.clone()), newest("2"));
            }
        }
    }
}

#[test]
fn a_record_that_cannot_be_put_in_its_place_stops_the_start_and_is_found_by_the_next() {
    for step in [("fsync", ".spare"), ("rename", ".rec"), ("rename", ".prev"), ("fsync", ".")] {
        let (folder, names) = folder();
        put(folder.path(), &names.spare, &key(), 3, &settled("2"), None);
        let mut shelf = Shelf::open(folder.path(), None).unwrap();
        shelf.folder.fault.set(
            move |doing, name| {
                if (doing, name) == step { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
            },
        );
        shelf.load().unwrap_err();
        drop(shelf);
        assert_eq!(load_only(folder.path()), (newest("2"), vec![]), "{step:?}");
    }
}

#[test]
fn what_was_to_be_the_previous_record_is_used_where_that_is_the_best_there_is() {
    let (folder, names) = folder();
    fs::rename(folder.path().join(&names.main), folder.path().join(&names.link)).unwrap();
    put_bytes(folder.path(), &names.main, b"damaged");
    let (content, problems) = load_only(folder.path());
    assert_eq!(content, Some(RestoredContent::Previous(in_flight("1"))));
    assert!(problems[1].ends_with(".old is used instead"), "{problems:?}");
    assert_eq!(load_only(folder.path()).0, Some(RestoredContent::Previous(in_flight("1"))));
}
