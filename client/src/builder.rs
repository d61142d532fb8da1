//! The settings of a client.

use std::path::PathBuf;
use std::time::Duration;

use crate::socket_path;

/// How long a call waits for a token or for a daemon that restarts, unless the call sets its own wait.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);

/// Settings of a client. Nothing is opened before the first call.
#[derive(Debug, Clone)]
pub struct Builder {
    pub(crate) socket: Option<PathBuf>,
    pub(crate) wait: Duration,
    pub(crate) wait_for_daemon: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self { socket: None, wait: DEFAULT_WAIT, wait_for_daemon: false }
    }
}

impl Builder {
    /// The daemon's socket, in place of [`socket_path`]'s choice.
    #[must_use]
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket = Some(path.into());
        self
    }

    /// How long a call waits for a token or for the daemon to come back, unless the call sets its own wait. 10 s by
    /// default.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Whether to wait also for a daemon that was never reached. Without this, the first call fails at once when nobody
    /// listens; only a daemon that was reached before is waited for.
    #[must_use]
    pub fn wait_for_daemon(mut self, yes: bool) -> Self {
        self.wait_for_daemon = yes;
        self
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(socket_path)
    }
}
