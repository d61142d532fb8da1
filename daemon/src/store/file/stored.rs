//! What the files of one record say. Nothing is changed here: a start that is refused leaves all as it was.

use nix::fcntl::OFlag;

use super::folder::Folder;
use super::names::{self, Names};
use crate::core::record::{
    ChainState, LoginOutcome, QuotaRecord, Record, RecordKey, Restored, RestoredContent, Revision,
};
use crate::store::StoreError;
use crate::store::envelope::{DecodeError, Decoded, MAX_RECORD, decode};
use crate::store::state_key::StateKey;

/// What is known of a stored record.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Known {
    pub(in crate::store) revision: Revision,
    /// Whether the newest file is good enough to be kept as the previous one.
    pub(in crate::store) intact: bool,
    /// Whether a refresh token may be spent on it, so that the record that follows needs its space.
    pub(in crate::store) spends: bool,
}

/// Whether a token, or a login, is about to be spent once this record is durable, and the reply will want to be stored.
pub(in crate::store) fn spends(record: &Record) -> bool {
    match record {
        Record::Chain(chain) => matches!(chain.state, ChainState::InFlight { .. }),
        Record::Candidate(_) => true,
        Record::Quota(quota) => last_login(quota) == Some(LoginOutcome::Open),
    }
}

pub(in crate::store) fn last_login(quota: &QuotaRecord) -> Option<LoginOutcome> {
    quota.attempts.last().map(|attempt| attempt.outcome)
}

/// A record's files, read.
#[derive(Default)]
pub(in crate::store) struct Stored {
    main: Reading,
    /// The record before it; read only where the record itself is of no use.
    previous: Reading,
    /// The same on its way.
    link: Reading,
    /// Whether there is a record, good or not.
    pub(in crate::store) exists: bool,
    /// `previous` is but another name of the record, or of what takes its place.
    pub(in crate::store) doubled: bool,
    problems: Vec<String>,
}

#[derive(Default)]
enum Reading {
    #[default]
    Absent,
    Good(Box<Decoded>),
    Damaged(Option<(RecordKey, Revision)>),
}

impl Reading {
    fn revision(&self) -> Option<Revision> {
        match self {
            Self::Good(found) => Some(found.revision),
            Self::Damaged(head) => head.as_ref().map(|(_, revision)| *revision),
            Self::Absent => None,
        }
    }
}

impl Stored {
    /// # Errors
    /// When a file is not for us, sealed with another key, or of a later format.
    pub(in crate::store) fn read(folder: &Folder, stem: &str, seal: Option<&StateKey>) -> Result<Self, StoreError> {
        let names = Names::from_stem(stem);
        let mut stored = Self::default();
        let of = [&names.main, &names.previous, &names.link];
        let mut identities = [None; 3];
        for (identity, name) in identities.iter_mut().zip(of) {
            *identity = folder.identity(name)?;
        }
        // A crash may have left one file under several of the record's names.
        let links = |at: usize| identities.iter().filter(|other| **other == identities[at]).count() as u64;
        let [main, previous, link] = identities;
        stored.exists = main.is_some() || previous.is_some();
        stored.doubled = main.is_some() && main == previous;
        stored.main = stored.read_file(folder, &names.main, links(0), stem, seal)?;
        if matches!(stored.main, Reading::Good(_)) {
            // Not needed, but a secret all the same: it must not lie about open.
            folder.open_linked(&names.previous, OFlag::O_RDONLY, links(1))?;
            return Ok(stored);
        }
        if previous != main {
            stored.previous = stored.read_file(folder, &names.previous, links(1), stem, seal)?;
        }
        if link.is_some() && link != main && link != previous {
            stored.link = stored.read_file(folder, &names.link, links(2), stem, seal)?;
        }
        Ok(stored)
    }

    fn read_file(
        &mut self,
        folder: &Folder,
        name: &str,
        links: u64,
        stem: &str,
        seal: Option<&StateKey>,
    ) -> Result<Reading, StoreError> {
        let Some(content) = folder.read(name, MAX_RECORD, links)? else { return Ok(Reading::Absent) };
        let path = folder.path_of(name);
        let (why, head) = match decode(&content, seal) {
            Ok(found) if names::stem(&found.key) == stem => return Ok(Reading::Good(Box::new(found))),
            Ok(_) => ("it is the record of another name", None),
            Err(DecodeError::Damaged { why, head }) => (why, head.filter(|(key, _)| names::stem(key) == stem)),
            Err(error) => return Err(refusal(error, path)),
        };
        self.problems.push(format!("{} cannot be read: {why}", path.display()));
        Ok(Reading::Damaged(head))
    }

    /// Whether the record can be read, so that it is worth being kept as the previous one.
    pub(in crate::store) fn is_intact(&self) -> bool {
        matches!(self.main, Reading::Good(_))
    }

    /// Whether the record before is all there is, on its way to its name.
    pub(in crate::store) fn is_on_its_way(&self) -> bool {
        matches!(self.link, Reading::Good(_))
    }

    /// Whether a record of this revision that was found elsewhere comes after all that is here.
    ///
    /// It is the next one. Where the record is damaged down to its head, or gone from between the others, nobody knows
    /// its revision, and what is newer than all that can be read counts. Where there is nothing at all it is the first:
    /// others may belong to a record that was removed.
    pub(in crate::store) fn is_followed_by(&self, revision: Revision) -> bool {
        let readings = [&self.main, &self.previous, &self.link];
        let highest = readings.iter().filter_map(|reading| reading.revision()).max().unwrap_or_default();
        if self.main.revision().is_some() || !self.exists {
            highest.0.checked_add(1) == Some(revision.0)
        } else {
            revision > highest
        }
    }

    /// What there is to tell the operator when a newer record was found elsewhere.
    pub(in crate::store) fn damage(self) -> Vec<String> {
        self.problems
    }

    /// What the core gets; `None` when there is a record and nothing of it can be read, not even its key. Also
    /// whether the file on its way to be the previous one is the one that is used.
    pub(in crate::store) fn restore(
        self,
        folder: &Folder,
        stem: &str,
        problems: &mut Vec<String>,
    ) -> (Option<(Restored, Known)>, bool) {
        let names = Names::from_stem(stem);
        problems.extend(self.problems);
        let damaged = match self.main {
            Reading::Good(found) => {
                let content = RestoredContent::Newest(found.record);
                return (Some(restored(found.key, found.revision, content)), false);
            }
            Reading::Damaged(head) => head,
            Reading::Absent => {
                problems.push(format!("{} is missing", folder.path_of(&names.main).display()));
                None
            }
        };
        let lost = damaged.as_ref().map_or(Revision(0), |(_, revision)| *revision);
        let uses_link = matches!(self.link, Reading::Good(_))
            && (!matches!(self.previous, Reading::Good(_)) || self.link.revision() > self.previous.revision());
        let (before, name) = if uses_link { (self.link, &names.link) } else { (self.previous, &names.previous) };
        let found = match before {
            Reading::Good(found) => {
                problems.push(format!("{} is used instead", folder.path_of(name).display()));
                Some(restored(found.key, lost.max(found.revision), RestoredContent::Previous(found.record)))
            }
            Reading::Damaged(head) => {
                damaged.or(head).map(|(key, revision)| restored(key, revision, RestoredContent::Unreadable))
            }
            Reading::Absent => damaged.map(|(key, revision)| restored(key, revision, RestoredContent::Unreadable)),
        };
        (found, uses_link)
    }
}

/// With what is to be known of it.
pub(in crate::store) fn restored(key: RecordKey, revision: Revision, content: RestoredContent) -> (Restored, Known) {
    let spends = match &content {
        RestoredContent::Newest(record) | RestoredContent::Previous(record) => spends(record),
        RestoredContent::Unreadable => false,
    };
    let intact = matches!(content, RestoredContent::Newest(_));
    (Restored { key, revision, content }, Known { revision, intact, spends })
}

/// Why the start is refused because of this file.
pub(in crate::store) fn refusal(error: DecodeError, path: std::path::PathBuf) -> StoreError {
    match error {
        DecodeError::Newer(version) => StoreError::Newer { path, version },
        DecodeError::NoKey => StoreError::SealedWithoutKey { path },
        DecodeError::WrongKey => StoreError::WrongKey { path },
        DecodeError::Damaged { why, .. } => {
            StoreError::io("read", path, std::io::Error::new(std::io::ErrorKind::InvalidData, why))
        }
    }
}
