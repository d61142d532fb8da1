//! Makes one call: sends it again until there is an answer or its time is over.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tokend_proto::{Request, codec};
use zeroize::Zeroizing;

use super::client::Client;
use super::connection::{Connection, now};
use crate::Error;
use crate::backoff::Backoff;
use crate::calls::Call;
use crate::retry::RetryPolicy;
use crate::wire::{Answer, Failure};

impl Client {
    /// Makes a call, in as many requests as it needs.
    pub(super) fn ask<C: Call>(&self, mut call: C) -> Result<C::Answer, Error> {
        loop {
            let answer = self.call(call.policy(), |left| call.request(left))?;
            if let Some(whole) = call.read(answer)? {
                return Ok(whole);
            }
        }
    }

    /// Sends one request until there is a reply or the policy allows no retry. `request` gets the wait that is left.
    fn call<'a>(&self, policy: RetryPolicy, request: impl Fn(Duration) -> Request<'a>) -> Result<Answer, Error> {
        let start = now();
        let deadline = start + policy.total;
        let mut backoff = Backoff::new();
        let mut last = None;
        loop {
            // Ids start at 1: the id 0 means the whole connection.
            let id = self.inner.last_id.fetch_add(1, Ordering::Relaxed) + 1;
            let left = policy.left(start.elapsed());
            let frame = Zeroizing::new(codec::encode_request(id, &request(left)).map_err(Error::TooLong)?);
            let (failure, faulty) = match self.send(id, &frame, left, deadline) {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => return Err(last.unwrap_or(Error::Timeout(policy.total))),
                Err(failed) => failed,
            };
            let again = policy.allows_retry(&failure, start.elapsed(), last.is_none(), self.waits_for_daemon());
            let error = failure.describe(self.path());
            if !again {
                return Err(error);
            }
            last = Some(error);
            if faulty {
                sleep(backoff.next().min(deadline.saturating_duration_since(now())));
            }
        }
    }

    /// Sends over the kept connection or over a new one. `None`: the deadline passed. A failure says whether its
    /// connection never worked: the caller then pauses, so that a daemon in trouble does not get a storm of
    /// connections.
    fn send(
        &self,
        id: u64,
        frame: &[u8],
        connect_time: Duration,
        deadline: Instant,
    ) -> Result<Option<Answer>, (Failure, bool)> {
        let kept = self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut connection = match kept.filter(Connection::is_free) {
            Some(kept) => kept,
            None => Connection::open(self.path(), connect_time)
                .map_err(|error| (Failure::Connect(Arc::new(error)), true))?,
        };
        self.inner.was_connected.store(true, Ordering::Relaxed);
        let outcome = connection.ask(id, frame, deadline);
        let worked = connection.has_worked();
        if connection.is_free() {
            *self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        }
        outcome.map_err(|failure| (failure, !worked))
    }

    fn waits_for_daemon(&self) -> bool {
        self.inner.settings.wait_for_daemon || self.inner.was_connected.load(Ordering::Relaxed)
    }
}
