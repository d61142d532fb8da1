//! One host of a provider: how fast it may be asked, and what waits for it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::limiter::Limiter;
use super::queue::Queue;
use crate::core::time::BootTime;

/// One host of a provider.
#[derive(Debug)]
pub(in crate::core) struct Host {
    pub(in crate::core) limiter: Limiter,
    pub(in crate::core) queue: Queue,
    /// Nobody waits for anything in the queue, and it has time until then.
    pub(in crate::core) not_before: BootTime,
    /// Clients that were answered 429, and until when they are left alone.
    pub(in crate::core) paused: BTreeMap<String, BootTime>,
}

impl Host {
    /// At which nothing waits.
    pub(super) fn new(rate: NonZeroU32) -> Self {
        let (limiter, queue) = (Limiter::new(rate), Queue::default());
        Self { limiter, queue, not_before: BootTime::default(), paused: BTreeMap::new() }
    }
}
