//! The whole socket: real connections to a real thread, with a scripted core at the other end of the queue.

mod access;
mod drain;
mod harness;
mod limits;
mod lists;
#[path = "../../../../proto/tests/samples/name_status.rs"]
mod name_status;
mod questions;
mod records;
mod units;
mod watches;
mod wire;
mod workspaces;
