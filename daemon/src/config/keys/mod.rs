//! What every key of the configuration means, in one place: the installed file, `tokend init` and tokend.toml(5) are
//! generated from it. A test holds it against what is accepted.
//!
//! Not here: what is accepted (the file of each subject beside this folder).

mod common;
mod profiles;

use clap::ValueEnum;

pub use common::{ACCESS, AUDIT, PROVIDERS, REFRESH, SECRET, SERVER, STATE};
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

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it takes.
    pub value: &'static str,
    /// What it is when nothing is said.
    pub default: Unsaid,
    /// A value as TOML has it: the default where there is one that can be written.
    pub example: &'static str,
    /// Meaning, units, limits. Plain text; `code` stands between backticks.
    pub doc: &'static str,
    /// The key that this one takes the place of: never both.
    pub instead_of: Option<&'static str>,
}

/// What a key is when nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsaid {
    /// There is none: the key has to be there.
    Needed,
    /// In words: it cannot be written as one value, or nothing is done.
    Words(&'static str),
    /// The example.
    Example,
}

/// The keys of one section.
#[derive(Debug)]
pub struct Table {
    /// As it is written, such as `[server]`. Profiles are called NAME.
    pub header: &'static str,
    /// What the section is for. Plain text; `code` stands between backticks.
    pub doc: &'static str,
    /// Its keys, in the order of their importance.
    pub keys: &'static [Key],
}

/// All sections, in the order in which they are shown.
pub const TABLES: [&Table; 12] =
    [&SERVER, &PROVIDERS, &REFRESH, &STATE, &PROFILE, &CENTRAL, &GLP, &TENANTS, &CLASSIC, &LOGIN, &ACCESS, &AUDIT];
