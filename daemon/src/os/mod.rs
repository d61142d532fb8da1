//! What the operating system is asked: time, timers, users and groups, the process itself, and threads for what may
//! hang.

pub mod accounts;
pub mod clock;
pub mod detached;
pub(crate) mod looks;
pub mod process;
pub mod timer;
