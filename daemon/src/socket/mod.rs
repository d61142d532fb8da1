//! The socket: listener, connections, and who is at their other end.
//!
//! One current-thread runtime on a thread of its own serves all peers. What stands on the [`TokenCache`] is answered
//! here; everything else becomes a [`Message`] to the core's thread, through one bounded queue, and its answer
//! comes back through the question's [`ReplyTo`].
//!
//! Users are apart. In the queue they take turns. Of its places, of open questions, lists and watches each user has a
//! share, which is half of what is there if it is alone, and some are kept for root and the daemon's own user
//! ([`crate::core::shares`]). What one request costs does not grow with those that wait, nor with the names that there
//! are: a list comes in pages.
//!
//! Not here: what a rule means ([`crate::access::policy`]), any decision about a token ([`crate::core`]).

mod admission;
mod buffers;
mod connection;
mod deadlines;
mod errors;
mod listener;
mod message;
mod queue;
mod requests;
mod session;
mod shared;
mod stream;
mod thread;

use std::sync::Arc;

use std::time::Duration;

use arc_swap::ArcSwap;
use tokend_proto::limits;

use crate::access::current::Rules;
use crate::audit::Audit;
use crate::core::time::{BootTime, Now};
use crate::token_cache::TokenCache;

pub use listener::{Admitted, Door, ListenError, Listener};
pub use message::{Message, ReloadReplyTo, ReplyTo};
pub use queue::{Messages, ToCore, queue};
pub use thread::SocketThread;

/// Questions that may be in the queue to the core. Beyond a user's share of them the answer is `Busy`; the core takes
/// some microseconds for a question, so this many are a few milliseconds' work.
pub const CORE_QUEUE: usize = 4_096;

/// Connections kept for root and the daemon's own user, so that an operator gets in whatever the others do.
pub const RESERVED_CONNECTIONS: usize = 64;

/// Where the socket's thread reads the time. [`crate::os::clock`] has the real one.
pub trait Clock: Send + Sync {
    /// Boot time alone: read once for each wake-up of a connection.
    fn boot(&self) -> BootTime;
    /// Both clocks.
    fn now(&self) -> Now;
}

impl Clock for crate::os::clock::Clock {
    fn boot(&self) -> BootTime {
        Self::boot(self)
    }

    fn now(&self) -> Now {
        Self::now(self)
    }
}

/// What connections may use up. The numbers of connections can be changed by a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all, of which [`RESERVED_CONNECTIONS`] are kept back.
    pub max_connections: usize,
    /// Connections of one user.
    pub max_connections_per_uid: usize,
    /// To finish a frame once begun, and to take a reply.
    pub frame_time: Duration,
    /// Without anything asked or answered.
    pub idle_time: Duration,
    /// For peers to take what they are owed, once the daemon stops.
    pub drain_time: Duration,
}

impl Limits {
    /// With so many connections, and the usual times.
    #[must_use]
    pub fn of_connections(max_connections: u32, max_connections_per_uid: u32) -> Self {
        Self {
            max_connections: max_connections as usize,
            max_connections_per_uid: max_connections_per_uid as usize,
            frame_time: limits::FRAME_TIME,
            idle_time: limits::IDLE_TIME,
            drain_time: Duration::from_secs(10),
        }
    }
}

/// What the socket's thread works with.
pub struct Context {
    /// Shared with the core's thread.
    pub token_cache: Arc<TokenCache>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// The rules in force; a reload stores others.
    pub access: Arc<Rules>,
    /// Warnings about the daemon as a whole, shown by `Status`.
    pub notes: Arc<ArcSwap<Vec<String>>>,
    /// Where refusals and what admins do are recorded.
    pub audit: Arc<Audit>,
    /// The queue to the core: [`CORE_QUEUE`] places.
    pub to_core: ToCore,
    /// What connections may use up.
    pub limits: Limits,
}

#[cfg(test)]
mod tests;
