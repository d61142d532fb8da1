//! Peers on the real socket: hostile ones, and ones that may not do everything.

#![allow(clippy::unwrap_used, reason = "a test")]

mod access;
mod audit;
mod crowd;
mod directory;
mod hostile;
mod raw;
mod reader;
mod stranger;
mod whoami;
