//! The disk at its worst, seen from outside: the whole daemon on a state folder that is full, read-only, damaged, from
//! the future, or not its own. What must hold: a clear state and never a guess, no refresh whose result could not be
//! stored, and the previous record where that is right.
//!
//! The same of the store alone, step by step: `daemon/src/store/tests`.

#![allow(clippy::unwrap_used, reason = "a test")]

mod damage;
mod gap;
mod refusals;
mod scene;
mod space;
