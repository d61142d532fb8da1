//! Load on a daemon's socket: peers that behave, and crowds that do not.
//!
//! Blocking std and a thread per behaving peer, so that what is measured is the daemon and the machine, and no runtime
//! of ours. [`Line`] is one peer's connection, [`Slice`] what some peers saw during a span of time, [`StuckPeers`] the
//! connections that are stuck.

mod line;
mod slice;
mod soak;
mod stuck_peers;

pub use line::{Line, LineError};
pub use slice::{Habit, Slice};
pub use soak::Soak;
pub use stuck_peers::{Manner, Reopened, StuckPeers};
