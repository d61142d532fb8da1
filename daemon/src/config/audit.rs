//! `[audit]`: what is recorded about peers.

use super::value::Section;

/// What is recorded. Refused requests and what admins do are, whatever this says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditSettings {
    /// Also each token that a peer is given.
    pub reads: bool,
}

pub(super) fn parse(mut section: Section<'_>) -> AuditSettings {
    let reads = section.boolean("reads").unwrap_or_default();
    section.finish();
    AuditSettings { reads }
}
