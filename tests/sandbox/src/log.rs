//! What was asked of the provider, without anything secret.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use tokend_proto::Fingerprint;

use super::{Endpoint, Now};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number, from 1 on.
    pub seq: u64,
    /// When it arrived.
    pub at: Now,
    /// What it asked.
    pub endpoint: Endpoint,
    /// The client it named, or the one its token was minted for; known to the provider or not.
    pub client_id: Option<String>,
    /// The workspace in the path of a workspace token request, as it was written.
    pub workspace: Option<String>,
    /// The tenant in the path, as it was written.
    pub tenant: Option<String>,
    /// The bearer, subject or refresh token that it came with.
    #[serde(serialize_with = "as_text")]
    pub presented: Option<Fingerprint>,
    /// The access token that was issued, whether or not the client got it.
    #[serde(serialize_with = "as_text")]
    pub issued: Option<Fingerprint>,
    /// The status that was sent, or would have been if the reply had not been lost; none when it was reset before.
    pub status: Option<u16>,
    /// It reached the provider: false when a fault answered in its place.
    pub handled: bool,
    /// The fault that was at work.
    pub fault: Option<&'static str>,
}

impl Entry {
    /// Characters of a client's or a workspace's name; more of it is not kept.
    pub(super) const LONGEST_NAME: usize = 128;

    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self {
            seq: 0,
            at: 0,
            endpoint,
            client_id: None,
            workspace: None,
            tenant: None,
            presented: None,
            issued: None,
            status: None,
            handled: false,
            fault: None,
        }
    }
}

/// The last requests, and how many there have been of each kind.
#[derive(Debug, Clone, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    counts: BTreeMap<Endpoint, u64>,
    seen: u64,
}

impl Log {
    /// Entries that are kept; older ones are only counted.
    pub const KEPT: usize = 10_000;

    pub(super) fn push(&mut self, mut entry: Entry) {
        self.seen += 1;
        entry.seq = self.seen;
        *self.counts.entry(entry.endpoint).or_default() += 1;
        if self.entries.len() == Self::KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    pub(super) fn clear(&mut self) {
        *self = Self { seen: self.seen, ..Self::default() };
    }

    /// The entries that are kept, oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The entries of one kind, oldest first.
    pub fn of(&self, endpoint: Endpoint) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.endpoint == endpoint)
    }

    /// How many of that kind there have been, those that are no longer kept included.
    #[must_use]
    pub fn count(&self, endpoint: Endpoint) -> u64 {
        self.counts.get(&endpoint).copied().unwrap_or(0)
    }

    /// The counts of all kinds that were asked for.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<Endpoint, u64> {
        &self.counts
    }

    /// The number of the last request; it goes on counting when the log is cleared.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }
}

fn as_text<S: serde::Serializer>(fingerprint: &Option<Fingerprint>, to: S) -> Result<S::Ok, S::Error> {
    match fingerprint {
        Some(fingerprint) => to.collect_str(fingerprint),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_entries_are_dropped_but_stay_counted() {
        let mut log = Log::default();
        for _ in 0..Log::KEPT + 5 {
            log.push(Entry::new(Endpoint::Login));
        }
        assert_eq!((log.entries().count(), log.count(Endpoint::Login)), (Log::KEPT, Log::KEPT as u64 + 5));
        assert_eq!(log.entries().next().map(|e| e.seq), Some(6));
        log.clear();
        assert_eq!((log.count(Endpoint::Login), log.seen()), (0, Log::KEPT as u64 + 5));
    }
}
