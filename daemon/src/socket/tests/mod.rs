//! The whole socket: real connections to a real thread, with a scripted core at the other end of the queue.

//mod drain;
mod harness;
//mod limits;
//mod names;
mod questions;
mod wire;
