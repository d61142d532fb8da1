//! The service manager: what it passes to the daemon, what the daemon says to it, and what it keeps for the next start.

pub mod debounce;
pub mod fd_store;
pub mod listen_fds;
pub mod notify;
pub mod service;
pub mod watchdog;
