//! The whole socket: real connections to a real thread, with a scripted core at the other end of the queue.

mod access;
mod drain;
mod harness;
mod limits;
mod lists;
mod questions;
mod records;
mod units;
mod wire;
mod workspaces;
