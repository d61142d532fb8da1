//! Files that are not what was written, or not for us.

use std::fs;

use super::*;
use crate::store::envelope::{DecodeError, decode, encode};
use crate::store::{FileStore, Store};

#[test]
fn no_single_flipped_bit_and_no_truncation_yields_a_record() {
    for seal in [None, Some(state_key("1"))] {
        let whole = encode(&key(), Revision(5), &settled("1"), seal.as_ref()).unwrap();
        assert!(decode(&whole, seal.as_ref()).is_ok());
        for byte in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.to_vec();
                flipped[byte] ^= 1 << bit;
                let error = decode(&flipped, seal.as_ref()).unwrap_err();
                let DecodeError::Damaged { head, .. } = error else { panic!("byte {byte}, bit {bit}: {error:?}") };
                assert!(head.is_none_or(|head| head == (key(), Revision(5))), "byte {byte}, bit {bit}");
            }
            let error = decode(&whole[..byte], seal.as_ref()).unwrap_err();
            assert!(matches!(error, DecodeError::Damaged { .. }), "{byte} bytes: {error:?}");
        }
        let longer = [&whole[..], b"\0"].concat();
        assert!(matches!(decode(&longer, seal.as_ref()), Err(DecodeError::Damaged { .. })));
    }
}

/// Changes one byte of a file.
fn flip(path: &Path, byte: usize) {
    let mut content = fs::read(path).unwrap();
    content[byte] ^= 0x10;
    fs::write(path, content).unwrap();
}

fn two_records() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_all(&mut open(folder.path()), &key(), &[settled("1"), settled("2")]);
    folder
}

#[test]
fn a_damaged_record_gives_way_to_the_one_before_and_the_next_write_heals_it() {
    let length = fs::metadata(file(two_records().path(), ".rec")).unwrap().len();
    for cut in [0, 13, 14, 40, length - 1] {
        let folder = two_records();
        let record = fs::File::options().write(true).open(file(folder.path(), ".rec")).unwrap();
        record.set_len(cut).unwrap();
        let mut shelf = Shelf::open(folder.path(), None).unwrap();
        let Loaded { records, problems, .. } = shelf.load().unwrap();
        assert_eq!(records[0].content, RestoredContent::Previous(settled("1")), "{cut}");
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains(".rec cannot be read: "), "{problems:?}");
        // The damaged file does not take the good one's place, whatever happens now.
        shelf
            .folder
            .fault
            .set(|doing, to| if (doing, to) == ("rename", ".rec") { Err(io::ErrorKind::Other.into()) } else { Ok(()) });
        shelf.write(&key(), records[0].revision, Some(&settled("3"))).unwrap_err();
        assert_eq!(shelf.load().unwrap().records[0].content, RestoredContent::Previous(settled("1")));
        shelf.folder.fault.clear();
        shelf.write(&key(), records[0].revision, Some(&settled("3"))).unwrap();
        drop(shelf);
        assert_eq!(load_only(folder.path()), (Some(RestoredContent::Newest(settled("3"))), vec![]));
    }
}

#[test]
fn a_record_that_is_gone_gives_way_to_the_one_before() {
    let folder = two_records();
    fs::remove_file(file(folder.path(), ".rec")).unwrap();
    let (content, problems) = load_only(folder.path());
    assert_eq!(content, Some(RestoredContent::Previous(settled("1"))));
    assert!(problems[0].ends_with(".rec is missing"), "{problems:?}");
}

#[test]
fn when_neither_can_be_read_the_name_is_still_known_from_the_head() {
    let folder = two_records();
    let last = |path: &Path| fs::read(path).unwrap().len() - 1;
    for extension in [".rec", ".prev"] {
        let path = file(folder.path(), extension);
        flip(&path, last(&path));
    }
    let mut shelf = Shelf::open(folder.path(), None).unwrap();
    let Loaded { records, problems, .. } = shelf.load().unwrap();
    assert_eq!(records, [Restored { key: key(), revision: Revision(2), content: RestoredContent::Unreadable }]);
    assert_eq!(problems.len(), 2, "{problems:?}");
    shelf.write(&key(), Revision(2), Some(&settled("3"))).unwrap();
    drop(shelf);
    assert_eq!(load_only(folder.path()), (Some(RestoredContent::Newest(settled("3"))), vec![]));
}

#[test]
fn a_record_that_is_destroyed_is_still_recognised_by_its_name_and_the_next_write_heals_it() {
    type Blow = fn(&Path);
    let blows: [Blow; 4] = [
        |path| flip(path, 30),
        |path| fs::File::options().write(true).open(path).unwrap().set_len(0).unwrap(),
        |path| fs::write(path, [0x5a; 700]).unwrap(),
        |path| fs::remove_file(path).unwrap(),
    ];
    for (index, blow) in blows.into_iter().enumerate() {
        // Of the two files one at least has to be there, or nothing is.
        for other in &blows[..3] {
            let folder = two_records();
            blow(&file(folder.path(), ".rec"));
            other(&file(folder.path(), ".prev"));
            let mut shelf = Shelf::open(folder.path(), None).unwrap();
            let Loaded { records, unreadable, problems } = shelf.load().unwrap();
            assert_eq!((records, problems.len()), (vec![], 2), "{index}: {problems:?}");
            assert_eq!(unreadable, [FileStore::name_of(&key())].into(), "{index}");
            assert!(!unreadable.contains(&FileStore::name_of(&candidate_key())));
            assert!(problems[0].contains("chain-legacy-"), "{problems:?}");
            shelf.write(&key(), Revision(0), Some(&settled("3"))).unwrap();
            drop(shelf);
            let found = Shelf::open(folder.path(), None).unwrap().load().unwrap();
            let record = Restored { key: key(), revision: Revision(1), content: RestoredContent::Newest(settled("3")) };
            assert_eq!(found, Loaded { records: vec![record], ..Loaded::default() }, "{index}");
        }
    }
}

#[test]
fn the_record_of_another_name_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    shelf.write(&key(), Revision(0), Some(&settled("1"))).unwrap();
    drop(shelf);
    let path = file(folder.path(), ".rec");
    fs::rename(&path, path.with_file_name("chain-other-0123456789abcdef.rec")).unwrap();
    let Loaded { records, unreadable, problems } = load(folder.path()).unwrap();
    assert_eq!((records, unreadable.len()), (vec![], 1));
    assert!(problems[0].ends_with("it is the record of another name"), "{problems:?}");
}

#[test]
fn a_sealed_record_does_not_open_under_another_head() {
    let seal = state_key("1");
    let sealed = encode(&key(), Revision(5), &settled("1"), Some(&seal)).unwrap();
    // Somebody without the key raises the revision and puts both checksums right.
    let mut forged = sealed.to_vec();
    forged[23] = 9;
    let name_length = usize::try_from(u32::from_be_bytes(forged[24..28].try_into().unwrap())).unwrap();
    let head = 32 + name_length;
    for end in [head, forged.len() - 4] {
        let check = crc32fast::hash(&forged[..end]).to_be_bytes();
        forged[end..end + 4].copy_from_slice(&check);
    }
    assert_eq!(decode(&forged, Some(&seal)), Err(DecodeError::WrongKey));
}

#[test]
fn a_record_of_a_later_format_stops_the_start() {
    let folder = two_records();
    let path = file(folder.path(), ".rec");
    let mut content = fs::read(&path).unwrap();
    content[9] = 2;
    let check = crc32fast::hash(&content[..10]).to_be_bytes();
    content[10..14].copy_from_slice(&check);
    fs::write(&path, content).unwrap();
    let error = load(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { version: 2, .. }), "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}

#[test]
fn a_sealed_record_without_its_key_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open_sealed(folder.path(), Some(state_key("1")));
    shelf.write(&key(), Revision(0), Some(&settled("1"))).unwrap();
    drop(shelf);
    assert!(matches!(load(folder.path()), Err(StoreError::SealedWithoutKey { .. })));
    let other = Shelf::open(folder.path(), Some(state_key("2"))).unwrap().load();
    assert!(matches!(other, Err(StoreError::WrongKey { .. })));
    let right = Shelf::open(folder.path(), Some(state_key("1"))).unwrap().load().unwrap();
    assert_eq!(right.records[0].content, RestoredContent::Newest(settled("1")));
}

#[test]
fn a_plain_record_is_read_with_a_key_and_sealed_by_the_next_write() {
    let folder = tempfile::tempdir().unwrap();
    write_all(&mut open(folder.path()), &key(), &[settled("1")]);
    let mut shelf = open_sealed(folder.path(), Some(state_key("1")));
    assert_eq!(shelf.load().unwrap().records[0].content, RestoredContent::Newest(settled("1")));
    shelf.write(&key(), Revision(1), Some(&settled("2"))).unwrap();
    drop(shelf);
    assert!(matches!(load(folder.path()), Err(StoreError::SealedWithoutKey { .. })));
}
