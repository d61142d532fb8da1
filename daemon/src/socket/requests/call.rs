//! A request while it is served.

use crate::audit::Kind;
use crate::core::time::BootTime;
use crate::socket::buffers::Output;

/// What is needed to reply to it.
pub(in crate::socket) struct Call<'o> {
    /// When this was begun.
    pub(in crate::socket) now: BootTime,
    /// As the peer numbers it.
    pub(in crate::socket) request_id: u64,
    /// Where the reply goes.
    pub(in crate::socket) out: &'o mut Output,
}

/// A request as a record names it: what is asked for, of which name. Without one a request is never recorded.
pub(in crate::socket) type Subject = Option<(Kind, Option<Box<str>>)>;
