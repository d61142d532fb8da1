//! What a crash has left under a temporary name: perhaps the newest record there is, whole and not yet in its place.

use std::collections::BTreeMap;

use super::folder::Folder;
use super::names::{self, SPARE};
use super::stored::{Stored, refusal};
use crate::store::StoreError;
use crate::store::envelope::{DecodeError, Decoded, MAX_RECORD, decode_padded};
use crate::store::state_key::StateKey;

/// A file that was being written, or space that was reserved.
pub(in crate::store) struct Leftover {
    pub(in crate::store) name: String,
    /// The record in it and its length there. Its key counts, not the file's name: a login's pair is written into the
    /// space of its quota.
    record: Option<(Decoded, usize)>,
    /// It holds zeros, and nothing else.
    pub(in crate::store) blank: bool,
}

/// A record that takes its place.
pub(in crate::store) struct Newest {
    /// The file that holds it.
    pub(in crate::store) name: String,
    pub(in crate::store) found: Decoded,
    pub(in crate::store) length: usize,
}

impl Leftover {
    /// `None` where there is no such file any more.
    ///
    /// # Errors
    /// When the file is not for us, sealed with another key, or of a later format. One that is damaged was being
    /// written, or was never used.
    pub(in crate::store) fn read(
        folder: &Folder,
        name: String,
        seal: Option<&StateKey>,
    ) -> Result<Option<Self>, StoreError> {
        let content = match folder.read(&name, MAX_RECORD, 1) {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(None),
            // There is nothing in it that could be lost with it.
            Err(StoreError::Unsafe { .. }) if !folder.holds_data(&name) => {
                return Ok(Some(Self { name, record: None, blank: false }));
            }
            Err(error) => return Err(error),
        };
        let blank = content.iter().all(|byte| *byte == 0);
        let record = match decode_padded(&content, seal) {
            Ok(record) => Some(record),
            Err(DecodeError::Damaged { .. }) => None,
            Err(error) => return Err(refusal(error, folder.path_of(&name))),
        };
        Ok(Some(Self { name, record, blank }))
    }

    /// The newest first; of two alike what was written into reserved space, and of those the record's own.
    fn rank(&self) -> impl Ord + use<> {
        let record = self.record.as_ref();
        let own = record.is_some_and(|(found, _)| self.name.starts_with(&names::stem(&found.key)));
        (record.map(|(found, _)| found.revision), self.name.ends_with(SPARE), own)
    }
}

/// Takes those out that come after all that is stored of their records.
pub(in crate::store) fn newest(
    leftovers: &mut [Leftover],
    stored: &BTreeMap<String, Stored>,
) -> BTreeMap<String, Newest> {
    leftovers.sort_by_key(|leftover| std::cmp::Reverse(leftover.rank()));
    let nothing = Stored::default();
    let mut newest = BTreeMap::new();
    for leftover in leftovers {
        let Some((found, length)) = leftover.record.take() else { continue };
        let stem = names::stem(&found.key);
        let follows = stored.get(&stem).unwrap_or(&nothing).is_followed_by(found.revision);
        if follows && !newest.contains_key(&stem) {
            newest.insert(stem, Newest { name: leftover.name.clone(), found, length });
        }
    }
    newest
}
