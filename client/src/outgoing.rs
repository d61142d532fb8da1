//! What a client's calls send to its worker.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::mailbox::Mailbox;
use crate::wire::{Answer, Failure};

/// A task for the worker.
pub(crate) enum Outgoing {
    /// A request with one answer.
    Ask {
        id: u64,
        frame: Zeroizing<Vec<u8>>,
        /// When its caller gives up.
        deadline: Instant,
        answer: oneshot::Sender<Result<Answer, Failure>>,
    },
    /// A request with answers until the watch ends.
    Watch { id: u64, frame: Zeroizing<Vec<u8>>, mailbox: Arc<Mailbox> },
    /// Nobody reads this watch's mailbox any more.
    Unwatch { watch: u64 },
}

impl Outgoing {
    /// Whether nobody waits for it any more, or it does nothing without a connection.
    pub(crate) fn is_pointless(&self) -> bool {
        match self {
            Self::Ask { answer, .. } => answer.is_closed(),
            Self::Watch { mailbox, .. } => mailbox.is_abandoned(),
            Self::Unwatch { .. } => true,
        }
    }

    pub(crate) fn fail(self, failure: Failure) {
        match self {
            Self::Ask { answer, .. } => drop(answer.send(Err(failure))),
            Self::Watch { mailbox, .. } => mailbox.end(failure),
            Self::Unwatch { .. } => {}
        }
    }
}
