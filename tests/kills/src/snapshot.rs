//! What a kill leaves in the state folder: what the next daemon will make of a copy of it, and beside that what its
//! files hold. Whether a pair was lost is judged by the latter.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tokend::core::record::{ChainState, LoginOutcome, Record, RecordKey, RestoredContent};
use tokend::error;
use tokend::store::{FileStore, Store};
use tokend_proto::Fingerprint;

use super::bytes::Tokens;

/// What the next daemon will find.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// Refresh tokens that may have been spent.
    pub(super) in_flight: Vec<Fingerprint>,
    /// Of them, those of chains; the others are imports on trial.
    pub(super) rotations: usize,
    /// Every token in the files, read without the daemon's help.
    pub(super) tokens: Tokens,
    /// Clients with a login of which nobody knows how it ended.
    pub(super) open_logins: BTreeSet<String>,
    /// What is not as it was written.
    pub(super) problems: Vec<String>,
}

impl Snapshot {
    /// Reads a state folder of which no daemon has hold.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub(super) fn of(state_dir: &Path) -> Self {
        if !state_dir.exists() {
            return Self::default();
        }
        // Beside it: in memory where the world is. The peers wait meanwhile, and a busy disk takes long for an fsync.
        let world = state_dir.parent().expect("it is in the world's folder");
        let copy = tempfile::Builder::new().prefix("snapshot-").tempdir_in(world).expect("a temporary folder");
        for entry in fs::read_dir(state_dir).expect("the state folder is ours") {
            let entry = entry.expect("the state folder is ours");
            if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
                continue; // lost+found
            }
            fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("a file of ours");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let loaded = FileStore::open(copy.path(), None).and_then(|store| runtime.block_on(store.load()));
        let mut snapshot = Self { tokens: Tokens::of(state_dir), ..Self::default() };
        match loaded {
            Err(error) => snapshot.problems.push(error::chain(&error)),
            Ok(loaded) => {
                snapshot.problems = loaded.problems;
                for restored in loaded.records {
                    snapshot.take(restored.key, restored.content);
                }
            }
        }
        snapshot
    }

    fn take(&mut self, key: RecordKey, content: RestoredContent) {
        let RestoredContent::Newest(record) = content else {
            self.problems.push(format!("the newest record of {key:?} is not whole"));
            return;
        };
        match (key, record) {
            (_, Record::Chain(chain)) => {
                if let ChainState::InFlight { sent, .. } = chain.state {
                    self.in_flight.push(sent);
                    self.rotations += 1;
                }
            }
            (_, Record::Candidate(candidate)) => self.in_flight.push(Fingerprint::of(&candidate.refresh_token)),
            (RecordKey::Quota(key), Record::Quota(quota)) => {
                if quota.attempts.iter().any(|attempt| attempt.outcome == LoginOutcome::Open) {
                    self.open_logins.insert(key.client_id);
                }
            }
            _ => unreachable!("the store refuses a record of another kind"),
        }
    }
}
