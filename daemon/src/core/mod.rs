//! Every decision, sans I/O: no tokio, no sockets, no clock, no randomness of its own.
//!
//! Architecture invariant: only `std` and `tokend-proto` are imported here (a test holds it to that).

pub mod access;
pub mod effect;
pub mod exchange;
pub mod input;
pub mod record;
pub mod settings;
pub mod time;
