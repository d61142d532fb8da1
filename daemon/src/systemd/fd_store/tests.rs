//! What is written comes back, and nothing else does.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{Secret, WorkspaceId};

use super::super::codec;
use super::*;
use crate::core::handoff::{Binding, Held, HeldKind, HeldListing, HeldName, HeldProfile};
use crate::core::issued::AccessToken;
use crate::core::time::{BootId, BootTime};

/// SplitMix64: values that differ, the same in each run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.next() % bound).unwrap()
    }

    fn id(&mut self) -> WorkspaceId {
        WorkspaceId::from_bytes((u128::from(self.next()) << 64 | u128::from(self.next())).to_be_bytes())
    }

    fn text(&mut self, most: u64) -> String {
        (0..self.below(most + 1)).map(|_| ['a', 'é', '/', '\0', '9'][self.below(5)]).collect()
    }

    fn name(&mut self, tenant: bool) -> HeldName {
        let access_token = Secret::new(self.text(40));
        HeldName {
            tenant: tenant.then(|| self.id()),
            token: Arc::new(AccessToken {
                fingerprint: Fingerprint::of(&access_token),
                access_token,
                token_type: self.text(8).into(),
                issued: BootTime(self.next()),
                expires: BootTime(self.next()),
                refresh: BootTime(self.next()),
            }),
            was_forced: self.below(2) == 0,
            rejected: self.below(2) == 0,
            distrusted: self.below(2) == 0,
            throttled_until: BootTime(self.next()),
            throttle: Duration::from_millis(self.next()),
        }
    }

    fn held(&mut self) -> Held {
        let profiles = (0..self.below(4)).map(|index| {
            let kind = match self.below(3) {
                0 => HeldKind::ClientCredentials { word: "central".to_owned(), scope: None, audience: None },
                1 => HeldKind::ClientCredentials {
                    word: "oauth2".to_owned(),
                    scope: Some("read write".to_owned()),
                    audience: Some(String::new()),
                },
                _ => HeldKind::Glp(self.id()),
            };
            let profile = format!("p{index}").parse().unwrap();
            let binding = Binding { profile, kind, endpoint: self.text(30), client_id: self.text(30) };
            let listing = (self.below(2) == 0).then(|| HeldListing {
                fetched: BootTime(self.next()),
                tenants: (0..self.below(4)).map(|_| (self.id(), Arc::from(self.text(20)))).collect(),
            });
            let names = (0..self.below(5)).map(|index| self.name(index > 0)).collect();
            HeldProfile { binding, next_distrust: BootTime(self.next()), listing, names }
        });
        let profiles = profiles.collect();
        Held { boot_id: BootId(self.id().to_bytes()), at: BootTime(self.next()), profiles }
    }
}

/// The same file as another process would have it.
fn handed_on(file: &TokenFile) -> File {
    file.file.try_clone().unwrap()
}

fn contents(file: &TokenFile) -> Vec<Vec<u8>> {
    let (_, found) = TokenFile::adopt(handed_on(file)).unwrap();
    found.contents.iter().map(|content| content.to_vec()).collect()
}

fn fingerprint(number: u8) -> Fingerprint {
    Fingerprint::from_bytes([number; 16])
}

fn put(file: &mut TokenFile, content: &[u8]) -> io::Result<u64> {
    file.write(|sink| sink(content))
}

fn pieces(held: &Held) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let taken = codec::encode(held, &mut |piece| {
        pieces.push(piece.to_vec());
        Ok(())
    });
    taken.unwrap();
    pieces
}

fn encoded(held: &Held) -> Vec<u8> {
    pieces(held).concat()
}

#[test]
fn whatever_is_encoded_is_decoded() {
    let mut dice = Dice(1);
    for _ in 0..500 {
        let held = dice.held();
        assert_eq!(codec::decode(&encoded(&held)).as_ref(), Ok(&held));
    }
}

#[test]
fn very_many_names_come_in_pieces_none_of_which_is_large() {
    let mut dice = Dice(4);
    let mut held = dice.held();
    while held.profiles.is_empty() {
        held = dice.held();
    }
    held.profiles[0].names = (0..3_000).map(|_| dice.name(true)).collect();
    let token = Secret::new("t".repeat(100 * 1024));
    let large = AccessToken { access_token: token, ..AccessToken::clone(&held.profiles[0].names[7].token) };
    let fingerprint = Fingerprint::of(&large.access_token);
    held.profiles[0].names[7].token = Arc::new(AccessToken { fingerprint, ..large });
    let pieces = pieces(&held);
    let lengths: Vec<usize> = pieces.iter().map(Vec::len).collect();
    assert!(lengths.len() > 3 && lengths.iter().all(|length| *length <= 100 * 1024), "{lengths:?}");
    assert_eq!(lengths.iter().filter(|length| **length > 64 * 1024).count(), 1, "the one text that is longer");
    assert_eq!(codec::decode(&pieces.concat()).as_ref(), Ok(&held));
}

#[test]
fn what_fails_half_way_leaves_the_newest_content_and_is_wiped_by_the_next() {
    let mut file = TokenFile::new().unwrap();
    put(&mut file, b"older").unwrap();
    put(&mut file, b"newest").unwrap();
    let failed = file.write(|sink| {
        sink(&[b's'; 10_000])?;
        Err(io::ErrorKind::StorageFull.into())
    });
    assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(contents(&file), [b"newest"]);
    put(&mut file, b"next").unwrap();
    assert_eq!(contents(&file), [&b"next"[..], b"newest"]);
    let mut bytes = vec![0; CONTENT + 20_000];
    handed_on(&file).read_exact_at(&mut bytes, 0).unwrap();
    assert!(!bytes.windows(8).any(|window| window == b"ssssssss"));
}

#[test]
fn a_content_that_is_cut_or_longer_is_refused_and_any_bytes_do_no_harm() {
    let mut dice = Dice(2);
    let held = dice.held();
    let bytes = encoded(&held).to_vec();
    for length in 0..bytes.len() {
        assert!(codec::decode(&bytes[..length]).is_err(), "{length}");
    }
    assert_eq!(codec::decode(&[&bytes[..], &[0]].concat()), Err(codec::DecodeError::Malformed));
    assert_eq!(codec::decode(&[&[0, 2], &bytes[2..]].concat()), Err(codec::DecodeError::Version));
    for _ in 0..20_000 {
        let mut bytes = bytes.clone();
        for _ in 0..=dice.below(4) {
            let at = 2 + dice.below(bytes.len() as u64 - 2);
            bytes[at] = dice.next().to_le_bytes()[0];
        }
        let _ = codec::decode(&bytes);
    }
}

#[test]
fn the_newest_content_comes_first_and_the_one_before_stays() {
    let mut file = TokenFile::new().unwrap();
    assert_eq!(contents(&file), [b""; 0]);
    for (write, expected) in [(&b"one"[..], &[&b"one"[..]][..]), (b"two", &[b"two", b"one"]), (b"3", &[b"3", b"two"])] {
        put(&mut file, write).unwrap();
        assert_eq!(contents(&file), expected);
    }
    let (mut next, _) = TokenFile::adopt(handed_on(&file)).unwrap();
    put(&mut next, b"four").unwrap();
    assert_eq!(contents(&file), [&b"four"[..], b"3"], "the next daemon goes on where this one was");
}

#[test]
fn each_flipped_byte_of_a_slot_is_noticed_and_the_other_slot_counts() {
    for (slot, left) in [(0, "the newer one"), (1, "the older one")] {
        let mut file = TokenFile::new().unwrap();
        put(&mut file, b"the older one").unwrap();
        put(&mut file, b"the newer one").unwrap();
        for at in (0..HEAD).chain(CONTENT..CONTENT + 13) {
            for bit in 0..8 {
                let mut byte = [0];
                let at = base(slot) + at as u64;
                file.file.read_exact_at(&mut byte, at).unwrap();
                let before = snapshot(&file, slot);
                file.file.write_all_at(&[byte[0] ^ 1 << bit], at).unwrap();
                let (_, found) = TokenFile::adopt(handed_on(&file)).unwrap();
                assert_eq!(found.contents.len(), 1, "byte {at}, bit {bit}");
                assert_eq!(found.contents[0].as_slice(), left.as_bytes());
                assert_eq!(found.problems.len(), 1);
                restore(&file, slot, &before);
            }
        }
        assert_eq!(contents(&file).len(), 2, "it was put back each time");
    }
}

/// Head and content of a slot, which looking at a damaged one takes away.
fn snapshot(file: &TokenFile, slot: usize) -> Vec<u8> {
    let mut bytes = vec![0; CONTENT + 13];
    file.file.read_exact_at(&mut bytes, base(slot)).unwrap();
    bytes
}

fn restore(file: &TokenFile, slot: usize, bytes: &[u8]) {
    file.file.write_all_at(bytes, base(slot)).unwrap();
}

#[test]
fn a_write_that_is_cut_short_anywhere_leaves_the_content_before() {
    let mut file = TokenFile::new().unwrap();
    put(&mut file, b"first").unwrap();
    put(&mut file, b"whole").unwrap();
    let before = snapshot(&file, 0);
    put(&mut file, b"never finished").unwrap();
    let after = snapshot(&file, 0);
    // In the order in which it is written: the head is zeroed, then content, then the head.
    let zeroed = [vec![0; CONTENT], before[CONTENT..].to_vec()].concat();
    let mut steps: Vec<Vec<u8>> = (0..CONTENT).step_by(97).map(|n| [&zeroed[..n], &before[n..]].concat()).collect();
    steps.extend((CONTENT..after.len()).map(|n| [&zeroed[..CONTENT], &after[CONTENT..n], &zeroed[n..]].concat()));
    steps.extend((1..HEAD).map(|n| [&after[..n], &zeroed[n..CONTENT], &after[CONTENT..]].concat()));
    for (step, bytes) in steps.into_iter().enumerate().skip(1) {
        restore(&file, 0, &bytes);
        let contents = contents(&file);
        assert_eq!(contents[0], b"whole", "step {step}");
    }
}

#[test]
fn the_bytes_of_a_stranger_are_nothing_and_its_file_can_be_used() {
    let mut dice = Dice(3);
    for length in [1, 27, 28, 4096, 4097, 100_000] {
        let file = TokenFile::new().unwrap();
        let bytes: Vec<u8> = (0..length).map(|_| dice.next().to_le_bytes()[0] | 1).collect();
        file.file.write_all_at(&bytes, 0).unwrap();
        let (mut file, found) = TokenFile::adopt(handed_on(&file)).unwrap();
        assert_eq!((found.contents.len(), found.condemned.len()), (0, 0));
        assert_eq!(found.problems.is_empty(), length < HEAD, "{length}");
        put(&mut file, b"ours").unwrap();
        assert_eq!(contents(&file), [b"ours"]);
    }
    // A head that promises more than there is.
    let file = TokenFile::new().unwrap();
    let mut lying = head(1, 0, &crc32fast::Hasher::new());
    lying[16..24].copy_from_slice(&u64::MAX.to_be_bytes());
    file.file.write_all_at(&lying, 0).unwrap();
    let (_, found) = TokenFile::adopt(handed_on(&file)).unwrap();
    assert_eq!(found.problems, ["slot 0 is shorter than it says"]);
}

#[test]
fn a_file_on_a_disk_and_one_that_is_sealed_are_not_used() {
    let on_disk = tempfile::Builder::new().tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let error = TokenFile::adopt(on_disk.reopen().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "it is no file in memory");
    let memory = memfd_create("sealed", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).unwrap();
    fcntl(&memory, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE)).unwrap();
    assert_eq!(TokenFile::adopt(memory.into()).unwrap_err().to_string(), "it is sealed");
}

#[test]
fn what_was_replaced_is_overwritten() {
    let mut file = TokenFile::new().unwrap();
    let long = vec![b'#'; 3 * 1024 * 1024];
    for content in [&long[..], &long, b"short", b"shorter"] {
        put(&mut file, content).unwrap();
    }
    for slot in 0..2 {
        let mut rest = vec![0xff; long.len()];
        let count = file.file.read_at(&mut rest, base(slot) + CONTENT as u64).unwrap();
        assert!(!rest[..count].contains(&b'#'), "slot {slot} still holds something");
    }
    assert!(file.file.metadata().unwrap().blocks() * 512 < 256 * 1024, "its memory was given back");
}

#[test]
fn tokens_that_became_bad_are_known_at_once_and_forgotten_with_the_content() {
    let mut file = TokenFile::new().unwrap();
    let condemned = |file: &TokenFile| TokenFile::adopt(handed_on(file)).unwrap().1.condemned;
    assert!(file.invalidate(fingerprint(1)).unwrap(), "nothing is in here yet");
    put(&mut file, b"one").unwrap();
    file.invalidate(fingerprint(2)).unwrap();
    file.invalidate(fingerprint(3)).unwrap();
    assert_eq!(condemned(&file), BTreeSet::from([2, 3].map(fingerprint)));
    put(&mut file, b"two").unwrap();
    assert_eq!(condemned(&file).len(), 2, "the content before still holds them");
    let (mut next, _) = TokenFile::adopt(handed_on(&file)).unwrap();
    next.invalidate(fingerprint(4)).unwrap();
    let (mut next, found) = TokenFile::adopt(handed_on(&next)).unwrap();
    assert_eq!(found.condemned, BTreeSet::from([2, 3, 4].map(fingerprint)));
    next.invalidate(fingerprint(0)).unwrap();
    assert_eq!(condemned(&next).len(), 4, "the next daemon overwrites none of them");
    put(&mut next, b"three").unwrap();
    put(&mut next, b"four").unwrap();
    assert_eq!(condemned(&next).len(), 0);
    for number in 0..MAX_MARKS {
        assert!(next.invalidate(fingerprint(u8::try_from(number % 251).unwrap())).unwrap());
    }
    assert!(!next.invalidate(fingerprint(1)).unwrap(), "then the whole has to be written");
    assert_eq!(contents(&next), [&b"four"[..], b"three"], "marks do not touch the content");
}

#[test]
fn ten_thousand_tokens_of_the_usual_length_fit() {
    let mut dice = Dice(4);
    let mut held = dice.held();
    let binding = Binding {
        profile: "msp".parse().unwrap(),
        kind: HeldKind::Glp(dice.id()),
        endpoint: String::new(),
        client_id: String::new(),
    };
    let mut name = dice.name(true);
    Arc::make_mut(&mut name.token).access_token = Secret::new("t".repeat(1536));
    let names = vec![name; 10_000];
    held.profiles = vec![HeldProfile { binding, next_distrust: BootTime(0), listing: None, names }];
    let mut file = TokenFile::new().unwrap();
    for _ in 0..3 {
        put(&mut file, &encoded(&held)).unwrap();
    }
    let (_, found) = TokenFile::adopt(handed_on(&file)).unwrap();
    assert_eq!(codec::decode(&found.contents[0]).unwrap().profiles[0].names.len(), 10_000);
}
