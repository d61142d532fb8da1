//! How a name is doing, with nothing said that need not be: the one sample of the tests of all crates.

use tokend_proto::{Health, NameStatus};

pub(crate) fn name_status(name: &str, health: Health) -> NameStatus {
    NameStatus {
        name: name.into(),
        label: None,
        kind: "central".into(),
        health,
        fingerprint: None,
        expires_at: None,
        next_at: None,
        last_error: None,
        action: None,
        chain: None,
    }
}
