//! What the kinds of profile have in common: what each makes of its keys, and what becomes of it.

use std::sync::Arc;

use super::ca_file::CaFile;
use crate::config::diagnostics::{Diagnostics, Spanned};
use crate::core::settings::{Kind, Profile};
use crate::secret::{ProfileSecrets, SecretSource};

/// What the shell needs of a profile and the core does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileExtras {
    /// Where its secrets come from.
    pub secrets: ProfileSecrets,
    /// Authorities that are trusted in addition to the system's.
    pub ca_file: Option<CaFile>,
}

/// A profile that is right in every part.
pub(in crate::config) type Parsed = (Arc<Profile>, ProfileExtras);

/// What a kind makes of its own keys.
pub(in crate::config) struct OfKind {
    pub(super) kind: Option<Kind>,
    pub(super) password: Option<SecretSource>,
}

/// Text that identifies something: not empty, nothing invisible in it.
pub(super) fn word(found: Spanned<String>, what: &str, diagnostics: &Diagnostics) -> Option<String> {
    let Spanned { value, place } = found;
    if value.is_empty() || value.trim() != value || value.chars().any(char::is_control) {
        diagnostics
            .error(&place, format!("is empty, or has blanks around it or control characters in it; expected {what}"));
        return None;
    }
    Some(value)
}
