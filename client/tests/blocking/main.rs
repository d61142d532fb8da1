//! The blocking client against a scripted peer on a real socket.

#![allow(clippy::unwrap_used, reason = "a test ends where an unwrap fails")]

mod breaking;
mod calls;
mod examples;
mod hostile;
mod peer;
mod time;
mod weight;

#[path = "../script/mod.rs"]
#[allow(dead_code, reason = "each of these tests needs less of it")]
mod script;
