//! Reading the folder at start.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;

use nix::fcntl::OFlag;

use super::envelope::{DecodeError, Decoded, MAX_RECORD, decode};
use super::folder::Folder;
use super::names::{self, Names};
use super::rotate::{discard, reserve};
use super::state_key::StateKey;
use super::{Loaded, StoreError};
use crate::core::record::{
    ChainState, LoginOutcome, QuotaRecord, Record, RecordKey, RecordName, Restored, RestoredContent, Revision,
};

/// What is known of a stored record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) revision: Revision,
    /// Whether the newest file is good enough to be kept as the previous one.
    pub(super) intact: bool,
    /// Whether a refresh token may be spent on it, so that the record that follows needs its space.
    pub(super) spends: bool,
}

/// Whether a token, or a login, is about to be spent once this record is durable, and the reply will want to be stored.
pub(super) fn spends(record: &Record) -> bool {
    match record {
        Record::Chain(chain) => matches!(chain.state, ChainState::InFlight { .. }),
        Record::Candidate(_) => true,
        Record::Quota(quota) => last_login(quota) == Some(LoginOutcome::Open),
    }
}

pub(super) fn last_login(quota: &QuotaRecord) -> Option<LoginOutcome> {
    quota.attempts.last().map(|attempt| attempt.outcome)
}

/// Whose spare keeps the space for the chain that is written next once the record of this key is durable. A quota does
/// not say whose chain that is: of its own spare any chain of the client may make use.
pub(super) fn space_of(key: &RecordKey) -> RecordKey {
    match key {
        RecordKey::Chain(key) | RecordKey::Candidate(key) => RecordKey::Chain(key.clone()),
        RecordKey::Quota(key) => RecordKey::Quota(key.clone()),
    }
}

/// Reads every record and clears what a crash has left.
pub(super) fn load(
    folder: &Folder,
    seal: Option<&StateKey>,
) -> Result<(Loaded, HashMap<RecordKey, Known>), StoreError> {
    let mut loaded = Loaded::default();
    let mut known = HashMap::new();
    let mut spares = Vec::new();
    for (stem, has_record) in stems(folder, &mut spares)? {
        if !has_record {
            continue;
        }
        match load_one(folder, &stem, seal, &mut loaded.problems)? {
            Some((restored, entry)) => {
                known.insert(restored.key.clone(), entry);
                loaded.records.push(restored);
            }
            None => drop(loaded.ruins.insert(RecordName(stem))),
        }
    }
    loaded.records.sort_by(|a, b| a.key.cmp(&b.key));
    prepare_spares(folder, &spares, &known, &mut loaded.problems);
    Ok((loaded, known))
}

/// The stems of all files of ours, and whether there is a record; leftovers of interrupted writes are removed.
fn stems(folder: &Folder, spares: &mut Vec<String>) -> Result<BTreeMap<String, bool>, StoreError> {
    let mut stems = BTreeMap::new();
    for name in folder.names()? {
        let Some((stem, extension)) = names::split(&name) else { continue };
        let has_record: &mut bool = stems.entry(stem.to_owned()).or_default();
        match extension {
            names::FRESH | names::LINK => drop(folder.remove(&name)?),
            names::SPARE => spares.push(name),
            _ => *has_record = true,
        }
    }
    Ok(stems)
}

enum Reading {
    Absent,
    Good(Box<Decoded>),
    Damaged(Option<(RecordKey, Revision)>),
}

/// `None` when there is a record and nothing of it can be read, not even its key.
fn load_one(
    folder: &Folder,
    stem: &str,
    seal: Option<&StateKey>,
    problems: &mut Vec<String>,
) -> Result<Option<(Restored, Known)>, StoreError> {
    let names = Names::from_stem(stem);
    let main = folder.identity(&names.main)?;
    if main.is_some() && main == folder.identity(&names.previous)? {
        // A write was interrupted after the record had got its second name.
        folder.remove(&names.previous)?;
    }
    let restored = |key, revision, content| {
        let spends = match &content {
            RestoredContent::Newest(record) | RestoredContent::Previous(record) => spends(record),
            RestoredContent::Unreadable => false,
        };
        let intact = matches!(content, RestoredContent::Newest(_));
        Ok(Some((Restored { key, revision, content }, Known { revision, intact, spends })))
    };

    let damaged = match read(folder, &names.main, stem, seal, problems)? {
        Reading::Good(found) => {
            // Not needed, but a secret all the same: it must not lie about open.
            folder.open_file(&names.previous, OFlag::O_RDONLY)?;
            return restored(found.key, found.revision, RestoredContent::Newest(found.record));
        }
        Reading::Damaged(head) => head,
        Reading::Absent => {
            problems.push(format!("{} is missing", folder.path_of(&names.main).display()));
            None
        }
    };
    let lost = damaged.as_ref().map_or(Revision(0), |(_, revision)| *revision);
    match read(folder, &names.previous, stem, seal, problems)? {
        Reading::Good(found) => {
            problems.push(format!("{} is used instead", folder.path_of(&names.previous).display()));
            restored(found.key, lost.max(found.revision), RestoredContent::Previous(found.record))
        }
        Reading::Damaged(head) => match damaged.or(head) {
            Some((key, revision)) => restored(key, revision, RestoredContent::Unreadable),
            None => Ok(None),
        },
        Reading::Absent => match damaged {
            Some((key, revision)) => restored(key, revision, RestoredContent::Unreadable),
            None => Ok(None),
        },
    }
}

fn read(
    folder: &Folder,
    name: &str,
    stem: &str,
    seal: Option<&StateKey>,
    problems: &mut Vec<String>,
) -> Result<Reading, StoreError> {
    let Some(content) = folder.read(name, MAX_RECORD)? else { return Ok(Reading::Absent) };
    let path = folder.path_of(name);
    let (why, head) = match decode(&content, seal) {
        Ok(found) if names::stem(&found.key) == stem => return Ok(Reading::Good(Box::new(found))),
        Ok(_) => ("it is the record of another name", None),
        Err(DecodeError::Newer(version)) => return Err(StoreError::Newer { path, version }),
        Err(DecodeError::NoKey) => return Err(StoreError::SealedWithoutKey { path }),
        Err(DecodeError::WrongKey) => return Err(StoreError::WrongKey { path }),
        Err(DecodeError::Damaged { why, head }) => (why, head.filter(|(key, _)| names::stem(key) == stem)),
    };
    problems.push(format!("{} cannot be read: {why}", path.display()));
    Ok(Reading::Damaged(head))
}

/// A chain whose token may be spent keeps its space, or gets it now; other spares go. A login does not outlive its
/// daemon.
fn prepare_spares(folder: &Folder, spares: &[String], known: &HashMap<RecordKey, Known>, problems: &mut Vec<String>) {
    let wanted: Vec<Names> = known
        .iter()
        .filter(|(key, entry)| entry.spends && !matches!(key, RecordKey::Quota(_)))
        .map(|(key, _)| Names::of(&space_of(key)))
        .collect();
    for spare in spares.iter().filter(|spare| wanted.iter().all(|names| names.spare != **spare)) {
        discard(folder, spare);
    }
    for names in &wanted {
        if let Err(error) = reserve(folder, names) {
            let cause = error.source().map(|source| format!(" ({source})")).unwrap_or_default();
            problems.push(format!("{error}{cause}: the next token of this chain may not be stored at once"));
        }
    }
}
