//! Load on a daemon's socket: peers that behave, and crowds that do not.
//!
//! Blocking std and a thread per behaving peer, so that what is measured is the daemon and the machine, and no
//! runtime of ours. [`Line`] is one peer's connection, [`Slice`] what some peers saw during a span of time, [`Crowd`]
//! the connections that are stuck.

mod crowd;
mod line;
mod slice;
mod soak;
mod stopwatch;

pub use crowd::{Crowd, Manner, Reopened};
pub use line::{Line, LineError};
pub use slice::{Habit, Slice};
pub use soak::Soak;
pub use stopwatch::Stopwatch;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises this process's soft limit of descriptors to the hard one, and says what that is.
///
/// # Panics
/// When the system refuses, which it has no reason to.
pub fn raise_descriptor_limit() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit is everybody's right");
    hard
}
