//! What happened last, for when it goes wrong; and a digest of all that happened, to compare runs by.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};

use tokend_proto::{Fingerprint, TokenName};

use super::machine::{BEGIN, Time};

/// Entries that are kept.
const KEPT: usize = 160;

/// One thing that happened.
#[derive(Debug, Clone, Hash)]
pub(super) enum Entry {
    Sent {
        request: u64,
        what: &'static str,
        name: TokenName,
    },
    AtProvider {
        request: u64,
        what: &'static str,
        status: Option<u16>,
        fault: Option<&'static str>,
        orphan: bool,
    },
    Answered {
        request: u64,
        what: &'static str,
        kind: String,
    },
    Writing {
        write: u64,
        record: &'static str,
        profile: String,
        state: &'static str,
    },
    Written {
        write: u64,
        error: Option<&'static str>,
    },
    Published {
        name: TokenName,
        token: Fingerprint,
        mode: &'static str,
    },
    Withdrawn(TokenName),
    Asked {
        waiter: u64,
        what: &'static str,
        name: TokenName,
    },
    Told {
        waiter: u64,
        what: String,
    },
    /// A page of status: so many names of it the peer may see.
    Listed {
        seen: usize,
        of: usize,
    },
    Read {
        name: TokenName,
        token: Fingerprint,
    },
    Denied {
        uid: u32,
        name: TokenName,
    },
    Left(u64),
    Notice {
        subject: String,
        message: String,
    },
    Crashed {
        effects: u64,
        why: &'static str,
    },
    Started {
        reboot: bool,
        records: usize,
        rotten: usize,
    },
    Operator(String),
    Weather(String),
    Machine(String),
    Phase(&'static str),
}

/// The last entries and a digest of all.
pub(super) struct Journal {
    last: VecDeque<(Time, Entry)>,
    digest: Fnv,
    seen: u64,
    aloud: bool,
}

impl Journal {
    pub(super) fn new(aloud: bool) -> Self {
        Self { last: VecDeque::with_capacity(KEPT), digest: Fnv(0xcbf2_9ce4_8422_2325), seen: 0, aloud }
    }

    pub(super) fn note(&mut self, at: Time, entry: Entry) {
        (at, &entry).hash(&mut self.digest);
        self.seen += 1;
        if self.aloud {
            eprintln!("{} {entry:?}", moment(at));
        }
        if matches!(entry, Entry::Read { .. }) {
            return; // so many of them that nothing else would be left
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back((at, entry));
    }

    /// Stands for all that happened, in order.
    pub(super) fn digest(&self) -> u64 {
        self.digest.finish()
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// The last entries as text.
    pub(super) fn tail(&self) -> String {
        self.last.iter().fold(String::new(), |mut text, (at, entry)| {
            let _ = writeln!(text, "  {} {entry:?}", moment(*at));
            text
        })
    }
}

/// Days, hours, minutes, seconds and milliseconds since the beginning.
pub(super) fn moment(at: Time) -> String {
    let since = at - BEGIN;
    let (seconds, millis) = (since / 1000, since % 1000);
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    format!("{days:>2}d {hours:02}:{:02}:{:02}.{millis:03}", seconds / 60 % 60, seconds % 60)
}

/// FNV-1a (Fowler, Noll, Vo): the standard library's hasher may change from one release to the next.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
