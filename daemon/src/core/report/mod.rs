//! What the core says of itself: errors, the status of names, explanations, watches, the summary.

pub(super) mod errors;
mod explain;
pub mod page;
mod status;
pub(super) mod summary;
pub(super) mod watch;
