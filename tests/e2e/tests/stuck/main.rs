//! The log or the service manager stands still: nobody reads stderr, journald or the manager's socket. The daemon
//! starts, serves, renews, rotates and ends all the same.

#![allow(clippy::unwrap_used, reason = "a test")]

mod journal;
mod log;
mod manager;
mod scene;
