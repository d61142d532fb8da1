//! How long a call may take, and which calls are sent again after the connection broke.

use std::io;
use std::time::Duration;

use tokend_proto::limits::MAX_WAIT;

use crate::error::is_passing;
use crate::wire::Failure;

/// How much longer than the requested wait the daemon may take.
const MARGIN: Duration = Duration::from_secs(5);

/// How long the daemon may take when it asks a provider first: two exchanges of 30 s, one after the other (a parent and
/// its tenant, a rotation in flight and an import), and connecting.
const PROVIDER_TIME: Duration = Duration::from_secs(75);

/// How long a call may take, and whether it may be repeated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryPolicy {
    /// The call may be sent again even if the daemon may have acted on it.
    repeatable: bool,
    /// How long the call goes on trying to reach a daemon.
    wait: Duration,
    /// The caller gives up this long after the start.
    pub(crate) total: Duration,
}

impl RetryPolicy {
    /// A read that the daemon answers within `wait`.
    pub(crate) fn read(wait: Duration) -> Self {
        let wait = wait.min(MAX_WAIT);
        Self { repeatable: true, wait, total: wait + MARGIN }
    }

    /// A call that is safe to repeat, for which the daemon may ask a provider first.
    pub(crate) fn slow_read(wait: Duration) -> Self {
        Self { total: PROVIDER_TIME + MARGIN, ..Self::read(wait.min(PROVIDER_TIME)) }
    }

    /// A call that must not be repeated.
    pub(crate) fn once(wait: Duration) -> Self {
        Self { repeatable: false, ..Self::slow_read(wait) }
    }

    /// The wait that is left after `elapsed`.
    pub(crate) fn left(&self, elapsed: Duration) -> Duration {
        self.wait.saturating_sub(elapsed)
    }

    /// Whether to send the request again after this failure. `first`: this is the call's first failure. `patient`: the
    /// call waits for a daemon that is not there.
    pub(crate) fn allows_retry(&self, failure: &Failure, elapsed: Duration, first: bool, patient: bool) -> bool {
        let waits = elapsed < self.wait;
        match failure {
            Failure::NotSent => waits || first,
            Failure::Broken => self.repeatable && (waits || first),
            Failure::Connect(error) => waits && may_come_back(error, patient),
            Failure::Refused(_) | Failure::Protocol(_) | Failure::Version(_) => false,
        }
    }
}

/// Whether a daemon that could not be reached because of this error may come back soon.
pub(crate) fn may_come_back(error: &io::Error, patient: bool) -> bool {
    is_full(error) || is_passing(error) && patient
}

/// A daemon listens, but its backlog is full: EAGAIN, unix(7).
fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
