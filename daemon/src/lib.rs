//! The daemon: every part of it. `cli` says what may be typed.
//!
//! `config` makes a validated configuration of a file. `core` decides everything and does nothing: a state machine
//! without I/O. `driver` owns it, on the thread of HTTP (`provider`), disk (`store`) and secrets (`system`). `socket`
//! serves peers on a thread of its own and reads tokens from the `board`, which with one bounded queue is all that the
//! two threads share. `audit` records what peers were refused or given. `startup` puts them together, `reload` changes
//! them while they run, `accounts` looks up again who could not be found, `service` speaks with the service manager.
//!
//! Not here: the wire format (`tokend-proto`), and anything that knows of a test.

pub mod access;
pub mod audit;
pub mod cli;
pub mod config;
pub mod core;
pub mod driver;
pub mod log;
pub mod os;
pub mod provider;
pub mod reload;
pub mod secret;
pub mod socket;
pub mod startup;
pub mod store;
pub mod systemd;
pub mod token_cache;

pub use driver::causes;
