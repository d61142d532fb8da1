//! What is shared by the tests that cross crates, by the demo, the benchmark, and the programs that build the package.
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
