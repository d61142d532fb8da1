//! What is being done for a name.

use super::provider::RequestId;

/// One thing at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    Idle,
    /// Waits for a reading of the secrets.
    Secrets,
    /// Waits for its workspace's token.
    Parent,
    /// Waits for a slot of its host.
    Queued,
    Sent(RequestId),
    /// Its chain is at work.
    Chain,
}
