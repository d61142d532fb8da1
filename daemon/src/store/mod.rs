//! What outlives the daemon: the records of [`crate::core::record`].
//!
//! [`Store`] is what the driver knows of; [`FileStore`] keeps one file per record in a folder of this machine.
//! Nothing in the trait assumes a local disk: it is asynchronous and compares a revision when it writes, so that a
//! store shared by several hosts fits behind it.
//!
//! What is not here: any decision about what a record means. A record that cannot be read is named, not guessed.

pub mod envelope;
mod error;
mod file;
mod payload;
mod state_key;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::future::Future;

pub use error::{StoreError, Subject};
pub use file::{FileStore, LockedFolder};
pub use state_key::{ParseStateKeyError, StateKey};

use crate::core::record::{Record, RecordKey, RecordName, Restored, Revision};

/// Keeps records durably.
pub trait Store: Send + Sync {
    /// Everything that is stored. Called once, before the first write. What it finds is durable when it returns, also
    /// what a daemon had written that came to its end before it could know.
    ///
    /// # Errors
    /// When starting would mean to guess or to lose something: a newer format, a wrong key, a file that others may
    /// have written.
    fn load(&self) -> impl Future<Output = Result<Loaded, StoreError>> + Send;

    /// What a record is kept under. A record that is destroyed can still be recognised by it.
    fn name_of(key: &RecordKey) -> RecordName;

    /// Replaces a record's `replaces` by `record`, whose revision is then one more; `None` removes it, whereafter its
    /// revision is 0 again. Durable when it returns. Once polled it is carried out, even if the future is dropped.
    ///
    /// A chain that goes in flight, a candidate, or a quota whose last login is open is only written when the space for
    /// the chain that follows it is certain.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when something else than `replaces` is there. After any other error nothing has
    /// changed as far as `load` tells. Only where the disk does not let the store undo what it had begun may the new
    /// record turn out to be there after all, until another one is written.
    fn write(
        &self,
        key: &RecordKey,
        replaces: Revision,
        record: Option<&Record>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What [`Store::load`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// In the order of their keys.
    pub records: Vec<Restored>,
    /// Of records that are there and do not even say any more whose they are. Their revision counts as 0.
    pub unreadable: BTreeSet<RecordName>,
    /// For the operator: what was damaged or left out, and why.
    pub problems: Vec<String>,
}
