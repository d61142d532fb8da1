//! What is shared by the tests that cross crates, and by the demo.
//!
//! Nothing here is published and nothing in the other crates depends on it.

pub mod bench;
pub mod demo;
pub mod fuzz;
pub mod harness;
pub mod kills;
pub mod load;
pub mod machine;
pub mod package;
pub mod sandbox;
pub mod simulation;
pub mod stop;
