//! Reading the folder at start.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;

use super::folder::Folder;
use super::leftover::{Leftover, newest};
use super::names::{self, Names};
use super::replace::{adopt, empty, reserve};
use super::stored::{Known, Stored, restored};
use crate::core::record::{RecordKey, RecordName, Restored, RestoredContent};
use crate::store::envelope::Decoded;
use crate::store::state_key::StateKey;
use crate::store::{Loaded, StoreError};

/// Whose spare keeps the space for the chain that is written next once the record of this key is durable. A quota does
/// not say whose chain that is: of its own spare any chain of the client may make use.
pub(in crate::store) fn space_of(key: &RecordKey) -> RecordKey {
    match key {
        RecordKey::Chain(key) | RecordKey::Candidate(key) => RecordKey::Chain(key.clone()),
        RecordKey::Quota(key) => RecordKey::Quota(key.clone()),
    }
}

/// Reads every record, puts those in their place that a crash has left under another name, and clears the rest.
///
/// Everything is read before anything is changed: a start that is refused erases nothing.
pub(in crate::store) fn load(
    folder: &Folder,
    seal: Option<&StateKey>,
) -> Result<(Loaded, HashMap<RecordKey, Known>), StoreError> {
    let mut leftovers = Vec::new();
    let mut stored = BTreeMap::new();
    for name in folder.names()? {
        match names::split(&name) {
            Some((_, names::FRESH | names::SPARE)) => leftovers.extend(Leftover::read(folder, name, seal)?),
            Some((stem, _)) if !stored.contains_key(stem) => {
                stored.insert(stem.to_owned(), Stored::read(folder, stem, seal)?);
            }
            _ => {}
        }
    }
    let mut newest = newest(&mut leftovers, &stored);

    let mut loaded = Loaded::default();
    let mut known = HashMap::new();
    for stem in stored.keys().chain(newest.keys()).cloned().collect::<BTreeSet<_>>() {
        let files = stored.remove(&stem).unwrap_or_default();
        let found = match newest.remove(&stem) {
            Some(newest) => {
                let names = Names::from_stem(&stem);
                adopt(folder, &names, &newest.name, newest.length, files.is_intact())?;
                leftovers.retain(|leftover| leftover.name != newest.name);
                folder.remove(&names.link)?;
                loaded.problems.extend(files.damage());
                let Decoded { key, revision, record } = newest.found;
                Some(restored(key, revision, RestoredContent::Newest(record)))
            }
            None if files.exists || files.is_on_its_way() => settle(folder, &stem, files, &mut loaded.problems)?,
            None => {
                folder.remove(&Names::from_stem(&stem).link)?;
                continue;
            }
        };
        match found {
            Some((restored, entry)) => {
                known.insert(restored.key.clone(), entry);
                loaded.records.push(restored);
            }
            None => drop(loaded.unreadable.insert(RecordName(stem))),
        }
    }
    loaded.records.sort_by(|a, b| a.key.cmp(&b.key));
    clear_leftovers(folder, &leftovers, &known, &mut loaded.problems)?;
    // A daemon may have come to its end before it did this: what is found now is there after a power cut too.
    folder.sync()?;
    Ok((loaded, known))
}

/// What there is of a record, with its files in order.
fn settle(
    folder: &Folder,
    stem: &str,
    files: Stored,
    problems: &mut Vec<String>,
) -> Result<Option<(Restored, Known)>, StoreError> {
    let names = Names::from_stem(stem);
    let doubled = files.doubled;
    let (found, uses_link) = files.restore(folder, stem, problems);
    if uses_link {
        folder.rename(&names.link, &names.previous)?;
    } else if doubled {
        // A write was interrupted after the record had got its second name.
        folder.remove(&names.previous)?;
    }
    folder.remove(&names.link)?;
    Ok(found)
}

/// A chain whose token may be spent keeps its space, empty, or gets it now; all else goes. A login does not outlive its
/// daemon.
fn clear_leftovers(
    folder: &Folder,
    leftovers: &[Leftover],
    known: &HashMap<RecordKey, Known>,
    problems: &mut Vec<String>,
) -> Result<(), StoreError> {
    let wanted: BTreeSet<String> = known
        .iter()
        .filter(|(key, entry)| entry.spends && !matches!(key, RecordKey::Quota(_)))
        .map(|(key, _)| names::stem(&space_of(key)))
        .collect();
    for Leftover { name, blank, .. } in leftovers {
        match names::split(name) {
            Some((stem, names::SPARE)) if wanted.contains(stem) && *blank => {}
            Some((stem, names::SPARE)) if wanted.contains(stem) => empty(folder, name),
            _ => drop(folder.remove(name)?),
        }
    }
    for stem in &wanted {
        if let Err(error) = reserve(folder, &Names::from_stem(stem)) {
            let cause = error.source().map(|source| format!(" ({source})")).unwrap_or_default();
            problems.push(format!("{error}{cause}: the next token of this chain may not be stored at once"));
        }
    }
    Ok(())
}
