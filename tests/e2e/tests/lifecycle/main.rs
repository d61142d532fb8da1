//! The daemon's beginning and end: signals, a second daemon, the socket, and what it leaves on disk.

#![allow(clippy::unwrap_used, reason = "a test")]

mod beginnings;
mod endings;
mod handed_on;
mod handed_over;
mod manager;
mod service;
