//! What the operating system and the service manager give: clocks, timers, secrets, limits, the log, a watchdog, and a
//! place for tokens across a restart.

pub mod clock;
pub mod detached;
pub mod log;
pub(crate) mod looks;
pub mod notify;
pub mod passed;
pub mod process;
pub mod secret;
pub mod stderr;
pub mod timer;
pub mod token_file;
pub mod watchdog;
