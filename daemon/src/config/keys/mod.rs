//! What every key of the configuration means, in one place: the installed file, `tokend init` and tokend.toml(5) are
//! generated from it. A test holds it against what is accepted.
//!
//! Not here: what is accepted (the file of each subject beside this folder).

mod common;
mod key;
mod profiles;

pub use common::{ACCESS, AUDIT, PROVIDERS, REFRESH, ROOT, SECRET, SERVER, STATE};
pub use key::{Key, Table, Unsaid};
pub use profiles::{CENTRAL, CLASSIC, GLP, Kind, LOGIN, OAUTH2, PROFILE, ProfileKind, TENANTS};

/// What stands for a client's id until a person has put it in.
pub const PLACEHOLDER_CLIENT_ID: &str = "YOUR-CLIENT-ID";

/// All sections, in the order in which they are shown.
pub const TABLES: [&Table; 13] = [
    &SERVER, &PROVIDERS, &REFRESH, &STATE, &PROFILE, &CENTRAL, &GLP, &TENANTS, &CLASSIC, &LOGIN, &OAUTH2, &ACCESS,
    &AUDIT,
];
