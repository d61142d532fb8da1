//! The questions of one connection that the core has not answered yet.

use std::collections::HashMap;
use std::task::{Context, Poll};

use tokend_proto::ErrorReply;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::call::Subject;
use super::subscription::Watching;
use crate::core::id::WaiterId;
use crate::core::time::BootTime;
use crate::socket::admission::Permit;
use crate::socket::message::Answer;

/// Made for a connection's first question and dropped with its last answer, so that an idle connection is small.
pub(in crate::socket) struct OpenQuestions<T> {
    questions: HashMap<WaiterId, Open<T>>,
    /// Of those questions that are watches, what their peer was told.
    watches: Vec<Watching>,
    /// Unbounded, but each open question sends one answer, and those are limited.
    sender: UnboundedSender<(WaiterId, Answer)>,
    receiver: UnboundedReceiver<(WaiterId, Answer)>,
}

/// One question.
pub(in crate::socket) struct Open<T> {
    /// As the peer numbers it.
    pub(in crate::socket) request_id: u64,
    /// What the audit record says of it.
    pub(in crate::socket) subject: Subject,
    /// When it is given up on this side, and what its peer gets then.
    pub(in crate::socket) overdue: Option<(BootTime, ErrorReply)>,
    /// The questions that wait hold these; watches have their own.
    pub(in crate::socket) permit: Option<Permit>,
    /// What is done with the answer.
    pub(in crate::socket) then: T,
}

impl<T> OpenQuestions<T> {
    pub(in crate::socket) fn new() -> Self {
        let (sender, receiver) = unbounded_channel();
        Self { questions: HashMap::new(), watches: Vec::new(), sender, receiver }
    }

    pub(in crate::socket) fn len(&self) -> usize {
        self.questions.len()
    }

    pub(in crate::socket) fn sender(&self) -> UnboundedSender<(WaiterId, Answer)> {
        self.sender.clone()
    }

    pub(in crate::socket) fn insert(&mut self, waiter: WaiterId, open: Open<T>) {
        self.questions.insert(waiter, open);
    }

    /// The next answer to a question that is still open.
    pub(in crate::socket) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<(Open<T>, Answer)> {
        loop {
            match self.receiver.poll_recv(cx) {
                Poll::Ready(Some((waiter, answer))) => {
                    if let Some(open) = self.questions.remove(&waiter) {
                        self.watches.retain(|watching| watching.waiter() != waiter);
                        return Poll::Ready((open, answer));
                    }
                }
                // We hold a sender ourselves: there is no end.
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// When the first of the questions has to be given up on this side.
    pub(in crate::socket) fn deadline(&self) -> Option<BootTime> {
        self.questions.values().filter_map(|open| open.overdue.as_ref()).map(|(until, _)| *until).min()
    }

    /// Takes a question that has to be given up by now.
    pub(in crate::socket) fn take_overdue(&mut self, now: BootTime) -> Option<(WaiterId, Open<T>)> {
        let overdue = |open: &Open<T>| open.overdue.as_ref().is_some_and(|(until, _)| *until <= now);
        let waiter = *self.questions.iter().find(|(_, open)| overdue(open))?.0;
        Some((waiter, self.questions.remove(&waiter)?))
    }

    /// A question that was inserted is a watch.
    pub(in crate::socket) fn insert_watch(&mut self, watching: Watching) {
        self.watches.push(watching);
    }

    pub(in crate::socket) fn watches(&mut self) -> &mut Vec<Watching> {
        &mut self.watches
    }

    /// Takes the watches of which this holds out, with their questions.
    pub(in crate::socket) fn end_watches(&mut self, is_over: impl FnMut(&mut Watching) -> bool) -> Vec<Watching> {
        let over: Vec<Watching> = self.watches.extract_if(.., is_over).collect();
        for watching in &over {
            self.questions.remove(&watching.waiter());
        }
        over
    }

    pub(in crate::socket) fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.questions.values().map(|open| &open.subject)
    }

    pub(in crate::socket) fn waiters(&self) -> Vec<WaiterId> {
        self.questions.keys().copied().collect()
    }
}
