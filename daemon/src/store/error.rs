//! What goes wrong with a store.

use std::path::PathBuf;
use std::{fmt, io};

use crate::core::record::{RecordKey, Revision};

/// Why the store did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote in between.
    #[error("the {what} has revision {found}, not {replaces}: it was changed meanwhile", found = found.0, replaces = replaces.0)]
    Conflict {
        /// Which record.
        what: Subject,
        /// What is there.
        found: Revision,
        /// What was to be replaced.
        replaces: Revision,
    },
    /// Another daemon uses the same folder.
    #[error("{folder} is in use by another tokend ({by}): stop it first, or give this one a `state_dir` of its own", folder = folder.display())]
    Locked {
        /// The state folder.
        folder: PathBuf,
        /// How the other one names itself: `pid 123, tokend 0.1.0`.
        by: String,
    },
    /// The disk is full, or the quota on it.
    #[error("no room to {doing} {path}: free some space; until then nothing is sent that could not be stored", path = path.display())]
    NoSpace {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk failed, is read-only, or access is denied.
    #[error("cannot {doing} {path}", path = path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may have read or written a file or folder.
    #[error("{path} {fault}: {remedy}", path = path.display())]
    Unsafe {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
        /// What would put it right.
        remedy: String,
    },
    /// Written by a later version.
    #[error("{path} has format {version}, this tokend knows {known} only: install the version that wrote it", known = super::envelope::VERSION, path = path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        version: u16,
    },
    /// Sealed, and there is no key.
    #[error("{path} is sealed and `[state] key` is not set: set the key it was sealed with, or move the file away", path = path.display())]
    SealedWithoutKey {
        /// Which file.
        path: PathBuf,
    },
    /// Sealed with another key, or forged.
    #[error("{path} cannot be opened with `[state] key`: set the key it was sealed with, or move the file away", path = path.display())]
    WrongKey {
        /// Which file.
        path: PathBuf,
    },
    /// A record that could not be read back.
    #[error("the {what} takes {bytes} bytes, at most {limit} can be stored", limit = super::envelope::MAX_RECORD)]
    TooLarge {
        /// Which record.
        what: Subject,
        /// Its size, as far as it was counted.
        bytes: usize,
    },
    /// A record under the key of another kind: a fault in the daemon.
    #[error("the {what} cannot hold a record of another kind")]
    WrongKind {
        /// Which record.
        what: Subject,
    },
    /// A write before [`super::Store::load`]: a fault in the daemon.
    #[error("nothing may be written before the store was read")]
    NotLoaded,
    /// The system has no random numbers to seal with.
    #[error("no random numbers to seal the record with")]
    NoRandomness(#[source] getrandom::Error),
    /// The store's thread is gone.
    #[error("the store has stopped")]
    Stopped,
}

impl StoreError {
    pub(super) fn io(doing: &'static str, path: PathBuf, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { doing, path, source },
            _ => Self::Io { doing, path, source },
        }
    }
}

/// A record's key, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(pub RecordKey);

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            RecordKey::Chain(key) => write!(f, "chain of profile {}", key.profile),
            RecordKey::Candidate(key) => write!(f, "imported token of profile {}", key.profile),
            RecordKey::Quota(key) => {
                write!(f, "login quota of {} at {}", key.client_id.escape_debug(), key.gateway.escape_debug())
            }
        }
    }
}
