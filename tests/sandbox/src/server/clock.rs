//! The one place of this crate that reads a clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Now;

/// Milliseconds since the Unix epoch, as it was at the start, and monotonic from there.
#[derive(Debug)]
pub(super) struct Clock {
    at_start: Now,
    started: Instant,
    ahead: AtomicU64,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the sandbox is a process of its own, or as good as one")]
    pub(super) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { at_start: millis(since_epoch), started: Instant::now(), ahead: AtomicU64::new(0) }
    }

    pub(super) fn now(&self) -> Now {
        let ahead = self.ahead.load(Ordering::Relaxed);
        (self.at_start + millis(self.started.elapsed())).saturating_add(ahead)
    }

    pub(super) fn advance(&self, by: Duration) {
        self.ahead.fetch_add(millis(by), Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
