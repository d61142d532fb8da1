//! What the operating system gives: clocks, timers, secrets, limits, the log.

pub mod clock;
pub mod log;
pub mod process;
pub mod secret;
pub mod timer;
