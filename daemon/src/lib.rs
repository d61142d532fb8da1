//! The daemon: every part of it but the command line.

pub mod board;
pub mod config;
pub mod core;
pub mod provider;
pub mod socket;
pub mod store;
pub mod system;
