//! Makes one call: sends it again until there is an answer or its time is over.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokend_proto::{Request, codec};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use crate::Error;
use crate::calls::Call;
use crate::client::Client;
use crate::outgoing::Outgoing;
use crate::retry::{self, RetryPolicy};
use crate::wire::{Answer, Failure};

impl Client {
    /// Makes a call, in as many requests as it needs.
    pub(crate) async fn ask<C: Call>(&self, mut call: C) -> Result<C::Answer, Error> {
        loop {
            let answer = self.call(call.policy(), |left| call.request(left)).await?;
            if let Some(whole) = call.read(answer)? {
                return Ok(whole);
            }
        }
    }

    /// Sends one request until there is a reply or the policy allows no retry. `request` gets the wait that is left.
    async fn call<'a>(&self, policy: RetryPolicy, request: impl Fn(Duration) -> Request<'a>) -> Result<Answer, Error> {
        let start = Instant::now();
        let deadline = start + policy.total;
        let mut last = None;
        loop {
            let id = self.next_id();
            let request = request(policy.left(start.elapsed()));
            let frame = Zeroizing::new(codec::encode_request(id, &request).map_err(Error::TooLong)?);
            let Ok(result) = timeout_at(deadline, self.send(id, frame, deadline)).await else {
                return Err(last.unwrap_or(Error::Timeout(policy.total)));
            };
            let failure = match result {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let again = policy.allows_retry(&failure, start.elapsed(), last.is_none(), self.waits_for_daemon());
            let error = failure.describe(self.path());
            if !again {
                return Err(error);
            }
            tracing::debug!(%error, "asking tokend again");
            last = Some(error);
        }
    }

    async fn send(&self, id: u64, frame: Zeroizing<Vec<u8>>, deadline: Instant) -> Result<Answer, Failure> {
        let (answer, answered) = oneshot::channel();
        let call = Outgoing::Ask { id, frame, deadline, answer };
        // The worker ends only with its runtime; the next attempt starts another one.
        self.worker().send(call).await.map_err(|_| Failure::NotSent)?;
        answered.await.unwrap_or(Err(Failure::Broken))
    }

    /// Whether a daemon that could not be reached because of this error may come back soon.
    pub(crate) fn may_come_back(&self, error: &io::Error) -> bool {
        retry::may_come_back(error, self.waits_for_daemon())
    }

    fn waits_for_daemon(&self) -> bool {
        self.inner.settings.wait_for_daemon || self.inner.was_connected.load(Ordering::Relaxed)
    }
}
