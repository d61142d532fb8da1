//! The client against a scripted peer on a real socket.

#![allow(clippy::unwrap_used, reason = "a test ends where an unwrap fails")]

mod breaking;
mod calls;
mod hostile;
mod keeping;
mod peer;
mod time;
mod watching;

#[path = "../script/mod.rs"]
#[allow(dead_code, reason = "each of these tests needs less of it")]
mod script;
