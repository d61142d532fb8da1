//! The store, simulated: what it says is durable survives, of all else the rng decide.
//!
//! The contract is that of `tokend::store::Store`: writes compare a revision; a record that lets a token be spent is
//! only written when the space for the one that follows is certain; after an error the old record is there, or on a
//! disk that did not let the store undo it the new one after all. A rotten record is found as its predecessor or not at
//! all.
//!
//! A write under way has two ends: first its bytes are fsynced, later its name is. A crash after the first leaves the
//! new record, and nothing takes it away any more. A crash before it leaves the old one or the new one, and a power cut
//! before the next start the old one: nothing survives that was not fsynced.

use std::collections::BTreeMap;

use tokend::core::id::WriteId;
use tokend::core::record::{ChainKey, ChainState, Record, RecordKey, Restored, RestoredContent, Revision};

use tokend::core::settings::Profile;
use tokend_proto::Secret;

use super::invariants::requests::chain_key;
use super::machine::Time;
use super::rng::Rng;

/// What is wrong with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum DiskFault {
    Full,
    ReadOnly,
    Slow,
}

/// A write under way.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) key: RecordKey,
    pub(super) replaces: Revision,
    pub(super) record: Option<Record>,
    /// From then on its bytes are on disk, if the disk takes any.
    pub(super) synced: Time,
}

#[derive(Clone)]
struct Stored {
    revision: Revision,
    record: Record,
    previous: Option<Record>,
    /// Only the previous one, if any, can be read.
    damaged: bool,
    /// A write that failed, and that may be found after all.
    perhaps: Option<Record>,
}

#[derive(Default)]
pub(super) struct Disk {
    stored: BTreeMap<RecordKey, Stored>,
    /// Removals that failed, and that may have happened after all.
    perhaps_gone: Vec<RecordKey>,
    /// What a crash has left that a power cut before the next start takes back, and what there is then.
    afloat: Vec<(RecordKey, Option<Stored>)>,
    pub(super) pending: BTreeMap<WriteId, Pending>,
    pub(super) fault: Option<DiskFault>,
}

/// How a write ended.
pub(super) enum Ended {
    Durable,
    Failed(&'static str),
    /// The store would refuse it: the core has lost count.
    Conflict(Revision),
}

impl Disk {
    /// What would be found now.
    pub(super) fn record(&self, key: &RecordKey) -> Option<&Record> {
        let stored = self.stored.get(key)?;
        if stored.damaged { stored.previous.as_ref() } else { Some(&stored.record) }
    }

    pub(super) fn chain(&self, key: &ChainKey) -> Option<&tokend::core::record::ChainRecord> {
        match self.record(&RecordKey::Chain(key.clone())) {
            Some(Record::Chain(record)) => Some(record),
            _ => None,
        }
    }

    /// Whether this is the refresh token of the profile's chain, rather than one on trial.
    pub(super) fn is_current(&self, profile: &Profile, token: &Secret) -> bool {
        let record = chain_key(profile).and_then(|key| self.chain(&key));
        record.is_some_and(|record| record.refresh_token.as_ref() == Some(token))
    }

    /// Whose chains there are.
    pub(super) fn chains(&self) -> Vec<ChainKey> {
        let of_chain = |key: &RecordKey| match key {
            RecordKey::Chain(key) => Some(key.clone()),
            _ => None,
        };
        self.stored.keys().filter_map(of_chain).collect()
    }

    pub(super) fn records(&self) -> usize {
        self.stored.len()
    }

    pub(super) fn finish(&mut self, pending: &Pending, rng: &mut Rng) -> Ended {
        let found = self.stored.get(&pending.key).map_or(Revision(0), |stored| stored.revision);
        if found != pending.replaces {
            return Ended::Conflict(found);
        }
        let why = match self.fault {
            Some(DiskFault::ReadOnly) => Some("read-only file system"),
            Some(DiskFault::Full) if !self.has_space_for(pending) => Some("no space left on device"),
            _ => None,
        };
        let Some(why) = why else {
            self.put(pending);
            return Ended::Durable;
        };
        // On a full disk a write can be undone.
        if self.fault == Some(DiskFault::ReadOnly) && rng.chance(0.2) {
            match (&pending.record, self.stored.get_mut(&pending.key)) {
                (Some(record), Some(stored)) => stored.perhaps = Some(record.clone()),
                (Some(_), None) => {}
                (None, _) => self.perhaps_gone.push(pending.key.clone()),
            }
        }
        Ended::Failed(why)
    }

    fn put(&mut self, pending: &Pending) {
        self.perhaps_gone.retain(|key| *key != pending.key);
        let Some(record) = pending.record.clone() else {
            self.stored.remove(&pending.key);
            return;
        };
        let before = self.stored.remove(&pending.key);
        let previous = before.and_then(|before| if before.damaged { before.previous } else { Some(before.record) });
        let revision = Revision(pending.replaces.0 + 1);
        let stored = Stored { revision, record, previous, damaged: false, perhaps: None };
        self.stored.insert(pending.key.clone(), stored);
    }

    /// A removal needs none, and a chain whose token may be spent has had its space reserved.
    fn has_space_for(&self, pending: &Pending) -> bool {
        let RecordKey::Chain(key) = &pending.key else { return pending.record.is_none() };
        let spends =
            |record: &Record| matches!(record, Record::Chain(c) if matches!(c.state, ChainState::InFlight { .. }));
        match &pending.record {
            None => true,
            Some(record) if spends(record) => false,
            Some(_) => {
                self.record(&pending.key).is_some_and(spends)
                    || self.stored.contains_key(&RecordKey::Candidate(key.clone()))
            }
        }
    }

    /// The daemon is gone, and perhaps the power. Tells which records were on disk already.
    pub(super) fn crash(&mut self, rng: &mut Rng, at: Time, power_cut: bool) -> Vec<(RecordKey, Record)> {
        let mut on_disk = Vec::new();
        for (_, pending) in std::mem::take(&mut self.pending) {
            let found = self.stored.get(&pending.key).map_or(Revision(0), |stored| stored.revision);
            let possible = match self.fault {
                None | Some(DiskFault::Slow) => true,
                Some(DiskFault::Full) => self.has_space_for(&pending),
                Some(DiskFault::ReadOnly) => false,
            };
            if !possible || found != pending.replaces {
                continue;
            }
            match &pending.record {
                Some(record) if pending.synced <= at => {
                    on_disk.push((pending.key.clone(), record.clone()));
                    self.put(&pending);
                }
                _ if !power_cut && rng.chance(0.5) => {
                    self.afloat.push((pending.key.clone(), self.stored.get(&pending.key).cloned()));
                    self.put(&pending);
                }
                _ => {}
            }
        }
        for key in std::mem::take(&mut self.perhaps_gone) {
            if rng.chance(0.5) {
                self.stored.remove(&key);
            }
        }
        for stored in self.stored.values_mut() {
            if let Some(record) = stored.perhaps.take()
                && rng.chance(0.5)
            {
                let before = std::mem::replace(&mut stored.record, record);
                if !std::mem::take(&mut stored.damaged) {
                    stored.previous = Some(before);
                }
                stored.revision.0 += 1;
            }
        }
        on_disk
    }

    /// Whether a power cut would take this record back.
    pub(super) fn is_afloat(&self, key: &ChainKey) -> bool {
        let key = RecordKey::Chain(key.clone());
        self.afloat.iter().any(|(afloat, _)| *afloat == key)
    }

    /// The daemon starts, after a power cut or not: what it finds now is durable. Tells which records were afloat.
    pub(super) fn settle(&mut self, power_cut: bool) -> Vec<RecordKey> {
        let afloat = std::mem::take(&mut self.afloat);
        let keys = afloat.iter().map(|(key, _)| key.clone()).collect();
        if power_cut {
            for (key, before) in afloat {
                match before {
                    Some(before) => drop(self.stored.insert(key, before)),
                    None => drop(self.stored.remove(&key)),
                }
            }
        }
        keys
    }

    /// What the daemon finds at its start. `rot` is the chance that a record is damaged; it returns whose were.
    pub(super) fn load(&mut self, rng: &mut Rng, rot: f64) -> (Vec<Restored>, Vec<RecordKey>) {
        let mut rotten = Vec::new();
        let mut restored = Vec::new();
        for (key, stored) in &mut self.stored {
            if !stored.damaged && rng.chance(rot) {
                stored.damaged = true;
                rotten.push(key.clone());
            }
            let content = match &stored.previous {
                _ if !stored.damaged => RestoredContent::Newest(stored.record.clone()),
                Some(previous) => RestoredContent::Previous(previous.clone()),
                None => RestoredContent::Unreadable,
            };
            restored.push(Restored { key: key.clone(), revision: stored.revision, content });
        }
        (restored, rotten)
    }
}
