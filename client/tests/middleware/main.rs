//! The middleware between a scripted daemon and an API on the loopback interface.

#![allow(clippy::unwrap_used, reason = "a test ends where an unwrap fails")]

mod api;
mod requests;

#[path = "../connection/peer.rs"]
#[allow(dead_code, reason = "this test needs less of it")]
mod peer;

#[path = "../script/mod.rs"]
#[allow(dead_code, reason = "this test needs less of it")]
mod script;
