//! Load on a daemon's socket: peers that behave, and crowds that do not.
//!
//! Blocking std and a thread per behaving peer, so that what is measured is the daemon and the machine, and no
//! runtime of ours. [`Line`] is one peer's connection, [`Slice`] what some peers saw during a span of time, [`Crowd`]
//! the connections that are stuck.

mod crowd;
mod line;
mod slice;
mod soak;

pub use crowd::{Crowd, Manner, Reopened};
pub use line::{Line, LineError};
pub use slice::{Habit, Slice};
pub use soak::Soak;
