//! One call: how long it may take, and what is asked again when the connection breaks.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokend_proto::limits::MAX_WAIT;
use tokend_proto::{Request, codec};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use crate::client::Client;
use crate::driver::{Answer, Call, Failure};
use crate::error::is_passing;
use crate::{DaemonError, Error};

/// What the daemon may take on top of the wait that it was asked for.
const MARGIN: Duration = Duration::from_secs(5);

/// What the daemon may take when it has to ask a provider first: two exchanges of 30 s, one after the other
/// (a parent and its tenant, a rotation in flight and an import), and connecting.
const PROVIDER_TIME: Duration = Duration::from_secs(75);

/// What kind of call it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// May be asked again though the daemon may have acted already.
    repeatable: bool,
    /// How long the call goes on trying to reach a daemon.
    wait: Duration,
    /// When the caller gives up, counted from the start.
    total: Duration,
}

impl Plan {
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
}

/// Somebody listens, and has more callers than room for them just now: EAGAIN, unix(7).
fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

impl Client {
    /// Asks until there is an answer or the plan is at its end. `request` is given the wait that is left.
    pub(crate) async fn call<'a>(
        &self,
        plan: Plan,
        request: impl Fn(Duration) -> Request<'a>,
    ) -> Result<Answer, Error> {
        let start = Instant::now();
        let deadline = start + plan.total;
        let mut last = None;
        loop {
            let id = self.next_id();
            let left = plan.wait.saturating_sub(start.elapsed());
            let frame = Zeroizing::new(codec::encode_request(id, &request(left)).map_err(Error::TooLong)?);
            let Ok(result) = timeout_at(deadline, self.ask(id, frame, deadline)).await else {
                return Err(last.unwrap_or(Error::Timeout(plan.total)));
            };
            let failure = match result {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let waits = start.elapsed() < plan.wait;
            let again = match &failure {
                Failure::NotSent => waits || last.is_none(),
                Failure::Broken => plan.repeatable && (waits || last.is_none()),
                Failure::Connect(error) => waits && self.may_come_back(error),
                Failure::Refused(_) | Failure::Protocol(_) | Failure::Version(_) => false,
            };
            let error = self.describe(failure);
            if !again {
                return Err(error);
            }
            tracing::debug!(%error, "asking tokend again");
            last = Some(error);
        }
    }

    async fn ask(&self, id: u64, frame: Zeroizing<Vec<u8>>, deadline: Instant) -> Result<Answer, Failure> {
        let (answer, answered) = oneshot::channel();
        let call = Call::Ask { id, frame, deadline, answer };
        // The task ends only with its runtime; the next attempt starts another one.
        self.driver().send(call).await.map_err(|_| Failure::NotSent)?;
        answered.await.unwrap_or(Err(Failure::Broken))
    }

    /// Whether a daemon that could not be reached because of this may be reached in a moment.
    pub(crate) fn may_come_back(&self, error: &io::Error) -> bool {
        is_full(error) || is_passing(error) && self.waits_for_daemon()
    }

    fn waits_for_daemon(&self) -> bool {
        self.inner.settings.wait_for_daemon || self.inner.was_connected.load(Ordering::Relaxed)
    }

    pub(crate) fn describe(&self, failure: Failure) -> Error {
        match failure {
            Failure::Connect(source) => Error::Connect { path: self.inner.path.clone(), source },
            Failure::NotSent | Failure::Broken => Error::Disconnected,
            Failure::Refused(reply) => Error::Daemon(DaemonError::from(reply)),
            Failure::Protocol(error) => Error::Protocol(error),
            Failure::Version(version) => {
                Error::Unsupported { versions: vec![version], message: "its answer is of another version".to_owned() }
            }
        }
    }
}
