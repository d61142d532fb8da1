//! The client for programs without a runtime: it connects, asks, and is done.
//!
//! ```no_run
//! # fn example() -> Result<(), tokend_client::Error> {
//! let client = tokend_client::blocking::Client::from_env();
//! let token = client.token("campus")?;
//! println!("{} bytes", token.secret().len());
//! # Ok(()) }
//! ```
//!
//! It makes the same calls as the async client, in the same frames, with the same errors, and it retries in the same
//! way when a connection breaks. What differs: a call has its thread and its connection to itself, and one connection
//! is kept for the next call.

mod attempts;
mod client;
mod connection;

pub use client::Client;
