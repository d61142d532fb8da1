//! What the socket's thread says to the core's thread, and how it is answered.

use std::fmt;

use tokend_proto::{ErrorReply, Reloaded};
use tokio::sync::mpsc::UnboundedSender;

use super::errors;
use crate::core::effect::Outcome;
use crate::core::id::{Asker, WaiterId};
use crate::core::input::Question;
use crate::core::query::{Query, View};

/// One entry of the queue to the core's thread.
#[derive(Debug)]
pub enum Message {
    /// A peer asks something; the access rules have let it.
    Ask {
        /// Unique in this process.
        waiter: WaiterId,
        /// The peer's user.
        asker: Asker,
        /// What it asks.
        question: Question,
        /// Where the one answer goes.
        reply: ReplyTo,
    },
    /// A peer reads what is known now; the access rules have let it.
    Query {
        /// Unique in this process.
        waiter: WaiterId,
        /// The peer's user.
        asker: Asker,
        /// What it reads.
        query: Query,
        /// Where the one answer goes.
        reply: ReplyTo,
    },
    /// These questions need no answer any more: their peer is gone, or has been told something else.
    Leave(Vec<WaiterId>),
    /// A peer that may do so wants the configuration read again.
    Reload {
        /// Where the one answer goes.
        reply: ReloadReplyTo,
    },
}

/// What comes back to a connection.
#[derive(Debug)]
pub(super) enum Answer {
    Outcome(Outcome),
    View(Result<View, ErrorReply>),
    Reloaded(Result<Reloaded, ErrorReply>),
}

/// The way back for an [`Outcome`]. Sending never blocks. One that is dropped unused answers `Internal`, so
/// that no peer waits for ever.
#[derive(Debug)]
pub struct ReplyTo(Return);

impl ReplyTo {
    pub(super) fn new(waiter: WaiterId, connection: UnboundedSender<(WaiterId, Answer)>) -> Self {
        Self(Return { waiter, connection: Some(connection) })
    }

    /// Answers the question.
    pub fn send(self, outcome: Outcome) {
        self.0.send(Answer::Outcome(outcome));
    }

    /// Answers the query.
    pub fn send_view(self, view: Result<View, ErrorReply>) {
        self.0.send(Answer::View(view));
    }
}

/// The way back for what became of a reload. As [`ReplyTo`].
#[derive(Debug)]
pub struct ReloadReplyTo(Return);

impl ReloadReplyTo {
    pub(super) fn new(waiter: WaiterId, connection: UnboundedSender<(WaiterId, Answer)>) -> Self {
        Self(Return { waiter, connection: Some(connection) })
    }

    /// Answers the request.
    pub fn send(self, result: Result<Reloaded, ErrorReply>) {
        self.0.send(Answer::Reloaded(result));
    }
}

struct Return {
    waiter: WaiterId,
    /// Holds at most one message for each open question of its connection, which are limited.
    connection: Option<UnboundedSender<(WaiterId, Answer)>>,
}

impl Return {
    fn send(mut self, answer: Answer) {
        if let Some(connection) = self.connection.take() {
            // The connection may be gone; then nobody wants to know.
            let _ = connection.send((self.waiter, answer));
        }
    }
}

impl Drop for Return {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = connection.send((self.waiter, Answer::Outcome(Outcome::Error(errors::dropped()))));
        }
    }
}

impl fmt::Debug for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.waiter.fmt(f)
    }
}
