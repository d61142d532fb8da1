//! What the configuration is read for.

use std::time::Duration;

/// For all users and groups together, and for all secrets and `ca_file`s, when the daemon starts: peers wait for it,
/// and what is in order is not to wait for what does not answer.
const PATIENCE_AT_START: Duration = Duration::from_secs(2);

/// The same when nobody waits to be served.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To run with it. What it names outside of the file is not looked at, but for users and groups.
    Start,
    /// To run with it from now on.
    Reload,
    /// To tell what is wrong with it, from anywhere.
    Check,
    /// To tell what would keep the daemon from starting.
    CheckStart,
}

impl Purpose {
    /// For what is outside of the file.
    pub(super) fn patience(self) -> Duration {
        match self {
            Self::Start | Self::CheckStart => PATIENCE_AT_START,
            Self::Reload | Self::Check => PATIENCE,
        }
    }

    /// It need not run inside the unit, or as its user.
    pub(super) fn is_check(self) -> bool {
        matches!(self, Self::Check | Self::CheckStart)
    }
}
