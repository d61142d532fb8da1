//! The built `tokenctl` against a scripted peer: exact stdout, stderr and status.

#![allow(clippy::unwrap_used, reason = "a test ends where an unwrap fails")]

mod errors;
mod exec;
mod get;
mod harness;
mod input;
mod peer;
mod readme;
mod reports;
mod terminal;
mod watching;

#[path = "../../../../proto/tests/samples/name_status.rs"]
mod name_status;
