//! What every key of the configuration means, in one place: the installed file, `tokend init` and tokend.toml(5) are
//! generated from it. A test holds it against what is accepted.
//!
//! Not here: what is accepted (the file of each subject beside this folder).

mod common;
mod key;
mod profiles;

use clap::ValueEnum;

pub use common::{ACCESS, AUDIT, PROVIDERS, REFRESH, SECRET, SERVER, STATE};
pub use key::{Key, Table, Unsaid};
pub use profiles::{CENTRAL, CLASSIC, GLP, LOGIN, PROFILE, TENANTS};

/// What a profile holds the credentials of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum ProfileKind {
    /// HPE Aruba Networking Central: 2-hour tokens
    Central,
    /// HPE GreenLake, also for the tenants of an MSP: 15-minute tokens
    Glp,
    /// Classic Central: rotating refresh tokens
    Classic,
}

/// What stands for a client's id until a person has put it in.
pub const PLACEHOLDER_CLIENT_ID: &str = "YOUR-CLIENT-ID";

/// All sections, in the order in which they are shown.
pub const TABLES: [&Table; 12] =
    [&SERVER, &PROVIDERS, &REFRESH, &STATE, &PROFILE, &CENTRAL, &GLP, &TENANTS, &CLASSIC, &LOGIN, &ACCESS, &AUDIT];
