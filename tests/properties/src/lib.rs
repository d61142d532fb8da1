//! What must hold for whatever bytes come in: one function for each place where somebody else's bytes are read.
//!
//! Each function takes any bytes and panics when a property does not hold. `tests/fuzz/` gives them to libFuzzer;
//! `tests/corpus.rs` beside this runs them over the seeds and some thousand changes of these under `cargo test`.
//!
//! Not here: anything that has to agree with a decision of the core; that is the simulation's.

mod configuration;
mod frames;
mod records;
mod replies;
mod requests;
mod tenants;
mod token_responses;

pub use configuration::configuration;
pub use frames::frames;
pub use records::records;
pub use replies::replies;
pub use requests::requests;
pub use tenants::tenants;
pub use token_responses::token_responses;

/// A target's name, which is that of its folder of seeds, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 7] = [
    ("configuration", configuration),
    ("frames", frames),
    ("records", records),
    ("replies", replies),
    ("requests", requests),
    ("tenants", tenants),
    ("token_responses", token_responses),
];
