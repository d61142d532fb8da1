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
//! It asks what the async client asks, in the same frames, with the same errors and the same answer to a connection
//! that breaks. What differs: a call has the thread to itself, and a connection to itself; one connection is
//! kept for the next call.

mod attempts;
mod client;
mod connection;

pub use client::Client;
