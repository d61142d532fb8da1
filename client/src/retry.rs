//! How long a call may take, and what is asked again when the connection breaks.

use std::io;
use std::time::Duration;

use tokend_proto::limits::MAX_WAIT;

use crate::error::is_passing;
use crate::wire::Failure;

/// What the daemon may take on top of the wait that it was asked for.
const MARGIN: Duration = Duration::from_secs(5);

/// What the daemon may take when it has to ask a provider first: two exchanges of 30 s, one after the other
/// (a parent and its tenant, a rotation in flight and an import), and connecting.
const PROVIDER_TIME: Duration = Duration::from_secs(75);

/// What kind of call it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryPolicy {
    /// May be asked again though the daemon may have acted already.
    repeatable: bool,
    /// How long the call goes on trying to reach a daemon.
    wait: Duration,
    /// When the caller gives up, counted from the start.
    pub(crate) total: Duration,
}

impl RetryPolicy {
    /// A read that the daemon answers within `wait`.
    pub(crate) fn read(wait: Duration) -> Self {
        let wait = wait.min(MAX_WAIT);
        Self { repeatable: true, wait, total: wait + MARGIN }
    }

    /// Safe to repeat, but the daemon may ask a provider first.
    pub(crate) fn slow_read(wait: Duration) -> Self {
        Self { total: PROVIDER_TIME + MARGIN, ..Self::read(wait.min(PROVIDER_TIME)) }
    }

    /// Not to be repeated.
    pub(crate) fn once(wait: Duration) -> Self {
        Self { repeatable: false, ..Self::slow_read(wait) }
    }

    /// The wait that is left after this time.
    pub(crate) fn left(&self, elapsed: Duration) -> Duration {
        self.wait.saturating_sub(elapsed)
    }

    /// Whether to ask again after this failure, which is the `first` of the call or not. `patient`: a daemon that
    /// is not there is waited for.
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

/// Whether a daemon that could not be reached because of this may be reached in a moment.
pub(crate) fn may_come_back(error: &io::Error, patient: bool) -> bool {
    is_full(error) || is_passing(error) && patient
}

/// Somebody listens, and has more callers than room for them just now: EAGAIN, unix(7).
fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
