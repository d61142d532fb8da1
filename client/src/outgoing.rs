//! What the calls of a client hand to the task behind it.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::mailbox::Mailbox;
use crate::wire::{Answer, Failure};

/// Something for the task to do.
pub(crate) enum Outgoing {
    /// A request with one answer.
    Ask {
        id: u64,
        frame: Zeroizing<Vec<u8>>,
        /// When its caller gives up.
        deadline: Instant,
        answer: oneshot::Sender<Result<Answer, Failure>>,
    },
    /// A request with answers until it ends.
    Watch { id: u64, frame: Zeroizing<Vec<u8>>, mailbox: Arc<Mailbox> },
    /// Nobody looks into this watch's mailbox any more.
    Unwatch { watch: u64 },
}

impl Outgoing {
    /// Whether nobody wants it any more, or there is nothing to do without a connection.
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
