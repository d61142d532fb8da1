//! The set of names that are up. Readers never wait for a writer: a writer puts a changed copy in its
//! place. It is in parts, so that of ten thousand names that come up one after the other none copies all the others.

use std::array;
use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::entry::Slot;

/// Parts of the set, a power of two. Of 10,000 names, a hundred and fifty are copied for one that comes.
const PARTS: usize = 64;

/// Slots by name in its canonical spelling. Writers take turns; the token cache sees to that.
#[derive(Debug)]
pub(super) struct Names([ArcSwap<HashSet<Entry>>; PARTS]);

/// A slot that is found by the text that it has anyway.
#[derive(Debug, Clone)]
struct Entry(Arc<Slot>);

impl Names {
    pub(super) fn get(&self, text: &str) -> Option<Arc<Slot>> {
        self.part(text).load().get(text).map(|entry| Arc::clone(&entry.0))
    }

    /// A slot whose name is not up yet.
    pub(super) fn insert(&self, slot: Arc<Slot>) {
        let part = self.part(slot.text());
        change(part, |slots| {
            slots.insert(Entry(Arc::clone(&slot)));
        });
    }

    pub(super) fn remove(&self, text: &str) {
        change(self.part(text), |slots| {
            slots.remove(text);
            slots.shrink_to_fit();
        });
    }

    pub(super) fn for_each(&self, see: impl Fn(&Slot)) {
        for part in &self.0 {
            part.load().iter().for_each(|entry| see(&entry.0));
        }
    }

    #[cfg(test)]
    pub(super) fn parts(&self) -> Vec<Arc<HashSet<impl Sized>>> {
        self.0.iter().map(ArcSwap::load_full).collect()
    }

    /// Tenants' ids are as good as random in all their digits: the last ones tell enough apart (FNV-1a).
    fn part(&self, text: &str) -> &ArcSwap<HashSet<Entry>> {
        let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let hash = text.bytes().rev().take(4).fold(0x811c_9dc5, mix);
        &self.0[(hash >> 16) as usize % PARTS]
    }
}

#[expect(clippy::mutable_key_type, reason = "a slot goes by its name, which never changes")]
fn change(part: &ArcSwap<HashSet<Entry>>, how: impl FnOnce(&mut HashSet<Entry>)) {
    let mut slots = HashSet::clone(&part.load());
    how(&mut slots);
    part.store(Arc::new(slots));
}

impl Default for Names {
    fn default() -> Self {
        Self(array::from_fn(|_| ArcSwap::default()))
    }
}

impl Borrow<str> for Entry {
    fn borrow(&self) -> &str {
        self.0.text()
    }
}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.text().hash(state);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0.text() == other.0.text()
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(at: u32) -> String {
        format!("msp/{:032x}", u128::from(at).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }

    #[test]
    fn names_that_come_and_go_leave_all_others_where_they_are() {
        let names = Names::default();
        let all: Vec<String> = (0..1_000).map(tenant).chain(["msp".to_owned(), "a".to_owned()]).collect();
        for (at, text) in all.iter().enumerate() {
            assert!(names.get(text).is_none());
            names.insert(Arc::new(Slot::new(text)));
            assert!(all[..=at].iter().rev().step_by(97).all(|there| names.get(there).unwrap().text() == there));
        }
        for (at, text) in all.iter().enumerate() {
            names.remove(text);
            assert!(names.get(text).is_none());
            assert!(all[at + 1..].iter().step_by(97).all(|there| names.get(there).unwrap().text() == there));
        }
    }

    #[test]
    fn no_part_holds_much_more_than_its_share() {
        let names = Names::default();
        for text in (0..6_400).map(tenant) {
            names.insert(Arc::new(Slot::new(&text)));
        }
        let most = names.0.iter().map(|part| part.load().len()).max().unwrap();
        assert!(most < 200, "one of {PARTS} parts holds {most} of 6,400 names");
    }
}
