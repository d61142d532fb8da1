//! The daemon. `cli` says what may be typed on its command line.
//!
//! `config` makes a validated configuration from a file. `core` makes each decision and has no I/O: it is a state
//! machine. `driver` owns it, on the thread of HTTP (`provider`), disk (`store`) and secrets (`secret`). `socket`
//! serves peers on its own thread: `access` says what a peer may do, and tokens come from the `token_cache`. The two
//! threads share only this cache and one bounded queue. `audit` records what peers were refused or given.
//!
//! `startup` puts the parts together, `reload` changes them while they run. `systemd` speaks with the service manager,
//! `os` with the operating system, `log` writes the log.
//!
//! Not here: the wire format (`tokend-proto`), and anything that knows of a test.

pub mod access;
pub mod audit;
pub mod cli;
pub mod config;
pub mod core;
pub mod driver;
pub mod error;
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
