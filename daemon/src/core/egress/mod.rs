//! Requests on their way out: who is next, how many a second, how many at a time.

mod dispatch;
pub(super) mod host;
pub(super) mod in_flight;
pub(super) mod limiter;
pub(super) mod queue;
