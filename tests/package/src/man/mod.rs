//! The manual pages: tokend(8) and tokenctl(1) from what may be typed, tokend.toml(5) from the table of keys.

mod configuration;
mod page;
mod program;

/// All pages: the file's name, and its text.
#[must_use]
pub fn pages(epoch: i64) -> [(&'static str, String); 3] {
    [
        ("tokend.8", program::tokend(epoch)),
        ("tokend.toml.5", configuration::text(epoch)),
        ("tokenctl.1", program::tokenctl(epoch)),
    ]
}
