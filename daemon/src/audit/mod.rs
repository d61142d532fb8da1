//! The audit record: who was refused what, what admins did, and, where `[audit] reads` says so, who was given which
//! token. A token is named by its fingerprint and is itself never here.
//!
//! A record is an event of the log with a target of its own, [`TARGET`], so that a filter can choose it: a line for
//! people, and fields for machines (as JSON, and as `F_UID=` and so on in the journal).
//!
//! The socket's thread only puts records into a queue; the log's thread writes them, so that a log that is slow keeps
//! no peer waiting. When the queue is full, tokens are given out all the same: what could not be recorded is counted,
//! and the count recorded as soon as the log takes something again. What a peer can bring about as often as it likes is
//! limited for each user ([`flood`]), here and not in the log, whose own limit would hit everything else that the
//! daemon says.
//!
//! Not here: what is refused (`crate::access::policy`), and where that is noticed (`crate::socket`).

mod flood;
mod line;
mod record;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread::{self, Thread};

use crate::core::time::BootTime;
use crate::log::late;
use crate::os::clock;
use flood::{Floods, LeftOut};

pub use line::AuditAsLine;
pub use record::{Kind, Outcome, Record, TARGET};

/// Records that wait to be written, some hundred KiB: a log that stands still for longer than so many requests take
/// misses some.
const QUEUE: usize = 4_096;

/// Of these, what is kept for records other than reads, so that these are not lost because of many reads.
const RESERVED: usize = 1_024;

/// Where the socket's thread leaves its records.
#[derive(Debug)]
pub struct Audit {
    reads: AtomicBool,
    shared: Arc<Shared>,
    /// Unbounded by itself; [`Shared::waiting`] bounds it.
    queue: mpsc::Sender<(BootTime, Record)>,
}

/// Where they are taken from to be written.
#[derive(Debug)]
pub struct Records {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<(BootTime, Record)>,
}

#[derive(Debug, Default)]
struct Shared {
    floods: Mutex<Floods>,
    waiting: AtomicUsize,
    lost: AtomicU64,
    /// Who is woken for each record.
    writer: OnceLock<Thread>,
}

impl Audit {
    /// `reads`: whether tokens that are given out are recorded too.
    #[must_use]
    pub fn new(reads: bool) -> (Self, Records) {
        let (sender, receiver) = mpsc::channel();
        let shared = Arc::<Shared>::default();
        let audit = Self { reads: AtomicBool::new(reads), shared: Arc::clone(&shared), queue: sender };
        (audit, Records { shared, queue: receiver })
    }

    /// Of the configuration in force.
    pub fn set_reads(&self, reads: bool) {
        self.reads.store(reads, Ordering::Relaxed);
    }

    /// Whether this is to be recorded now. To be asked first: most requests are not, and who a peer is may have to be
    /// found out for a record.
    pub fn wants(&self, uid: u32, outcome: Outcome, now: impl FnOnce() -> BootTime) -> bool {
        match outcome {
            Outcome::Served => self.reads.load(Ordering::Relaxed),
            Outcome::Done | Outcome::Unknown => true,
            Outcome::Refused | Outcome::Failed(_) => self.shared.floods().admits(uid, now()),
        }
    }

    /// Leaves a record to be written. Never waits.
    pub fn put(&self, record: Record) {
        let room = if record.outcome == Outcome::Served { QUEUE - RESERVED } else { QUEUE };
        // Only the socket's thread puts: between these two nobody else does.
        if self.shared.waiting.load(Ordering::Relaxed) >= room {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        // Nobody takes them only when the daemon has ended.
        let _ = self.queue.send((clock::boot(), record));
        if let Some(writer) = self.shared.writer.get() {
            writer.unpark();
        }
    }
}

impl Records {
    /// This thread writes them, and is unparked when there are some.
    pub(crate) fn are_written_here(&self) {
        let _ = self.shared.writer.set(thread::current());
    }

    /// Logs the next record and what else is to be recorded now; whether there was anything.
    pub(crate) fn write_next(&self, now: BootTime) -> bool {
        let entries = self.next(Some(now));
        entries.iter().for_each(|entry| entry.log(now));
        !entries.is_empty()
    }

    /// Logs what is left at the end.
    pub(crate) fn write_rest(&self, now: BootTime) {
        self.next(None).iter().for_each(|entry| entry.log(now));
    }

    /// When there is something to be recorded though no record comes.
    pub(crate) fn next_end(&self) -> Option<BootTime> {
        self.shared.floods().next_end()
    }

    /// One record, and the counts that are due: without a time all of them.
    fn next(&self, now: Option<BootTime>) -> Vec<Entry> {
        let record = self.queue.try_recv().ok();
        if record.is_some() {
            self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        let left_out = self.shared.floods().take_ended(now).into_iter().map(Entry::LeftOut);
        let lost = Some(self.shared.lost.swap(0, Ordering::Relaxed)).filter(|lost| *lost > 0).map(Entry::Lost);
        record.map(|(at, record)| Entry::Record(at, record)).into_iter().chain(left_out).chain(lost).collect()
    }
}

impl Shared {
    fn floods(&self) -> MutexGuard<'_, Floods> {
        self.floods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is written.
#[derive(Debug)]
enum Entry {
    /// When it was left here, and what it says.
    Record(BootTime, Record),
    LeftOut(LeftOut),
    Lost(u64),
}

impl Entry {
    fn log(&self, now: BootTime) {
        match self {
            Self::Record(at, record) => record.log(&late::waited(*at, now)),
            Self::LeftOut(LeftOut { uid: Some(uid), count }) => {
                tracing::warn!(target: TARGET, uid, left_out = count, "uid {uid}: {count} more refused or failed requests in the last minute");
            }
            Self::LeftOut(LeftOut { uid: None, count }) => {
                tracing::warn!(target: TARGET, left_out = count, "other users: {count} more refused or failed requests in the last minute");
            }
            Self::Lost(count) => {
                tracing::warn!(
                    target: TARGET,
                    lost = count,
                    "{count} requests are not recorded: the log was too slow to take the records"
                );
            }
        }
    }
}
