//! The moment from which a request may have arrived.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Stands before the first byte of a request. The HTTP library takes the body after it has written the head into its
/// buffer and before it flushes that buffer: a request whose body was not taken has sent nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<AtomicU8>);

const WAITING: u8 = 0;
const PASSED: u8 = 1;
const CLOSED: u8 = 2;

impl Gate {
    /// The body that passes through this gate. The library does not take an empty one, so that counts as passed.
    pub(super) fn body(&self, bytes: Bytes) -> reqwest::Body {
        if bytes.is_empty() {
            self.0.store(PASSED, Ordering::Release);
            return reqwest::Body::from(bytes);
        }
        reqwest::Body::wrap(Gated { gate: self.clone(), bytes })
    }

    /// Whether nothing has passed. From then on nothing will.
    pub(super) fn close(&self) -> bool {
        let before = self.0.compare_exchange(WAITING, CLOSED, Ordering::AcqRel, Ordering::Acquire);
        matches!(before, Ok(_) | Err(CLOSED))
    }

    fn pass(&self) -> bool {
        let before = self.0.compare_exchange(WAITING, PASSED, Ordering::AcqRel, Ordering::Acquire);
        matches!(before, Ok(_) | Err(PASSED))
    }
}

struct Gated {
    gate: Gate,
    bytes: Bytes,
}

/// Ends the connection before its buffer is flushed.
#[derive(Debug, thiserror::Error)]
#[error("the request was given up before it was sent")]
struct GivenUp;

impl Body for Gated {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        if !self.gate.pass() {
            return Poll::Ready(Some(Err(GivenUp)));
        }
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_passed_cannot_be_called_back_and_what_was_called_back_does_not_pass() {
        let gate = Gate::default();
        assert!(gate.pass() && gate.pass() && !gate.close());
        let gate = Gate::default();
        assert!(gate.close() && gate.close() && !gate.pass());
    }

    #[test]
    fn an_empty_body_counts_as_passed() {
        let gate = Gate::default();
        let _body = gate.body(Bytes::new());
        assert!(!gate.close());
    }

    #[test]
    fn a_body_that_is_taken_passes_and_one_that_is_late_ends_the_request() {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut gated = Gated { gate: Gate::default(), bytes: Bytes::from_static(b"a=b") };
        assert_eq!(gated.size_hint().exact(), Some(3));
        let frame = Pin::new(&mut gated).poll_frame(&mut context);
        assert!(matches!(frame, Poll::Ready(Some(Ok(frame))) if frame.data_ref().is_some_and(|data| data == "a=b")));
        assert!(gated.is_end_stream() && !gated.gate.close());

        let mut gated = Gated { gate: Gate::default(), bytes: Bytes::from_static(b"a=b") };
        assert!(gated.gate.close());
        assert!(matches!(Pin::new(&mut gated).poll_frame(&mut context), Poll::Ready(Some(Err(GivenUp)))));
    }
}
