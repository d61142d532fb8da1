//! The questions of one connection that the core has not answered yet.

use std::collections::HashMap;
use std::task::{Context, Poll};
use std::time::Duration;

use tokend_proto::{Fingerprint, NameRights, NameStatus, ProfileName, Tenant, TokenName, WorkspaceId};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::listed::Listed;
use super::subscription::Watching;
use crate::audit::Kind;
use crate::core::id::WaiterId;
use crate::core::time::Boot;
use crate::socket::admission::Permit;
use crate::socket::message::Answer;

/// Made for a connection's first question and dropped with its last answer, so that an idle connection is small.
pub(in crate::socket) struct OpenQuestions {
    questions: HashMap<WaiterId, Open>,
    /// Of those questions that are watches, what their peer was told.
    watches: Vec<Watching>,
    /// Unbounded, but each open question sends one answer, and those are limited.
    sender: UnboundedSender<(WaiterId, Answer)>,
    receiver: UnboundedReceiver<(WaiterId, Answer)>,
}

/// One question.
pub(in crate::socket) struct Open {
    /// As the peer numbers it.
    pub(in crate::socket) request_id: u64,
    pub(in crate::socket) expects: Expects,
    /// The questions that wait hold these; watches have their own.
    pub(in crate::socket) _permit: Option<Permit>,
}

/// Which answer is to come, and what to do with it.
pub(in crate::socket) enum Expects {
    Token {
        kind: Kind,
        name: TokenName,
        min_ttl: Duration,
    },
    /// Only its end: what a watch brings is on the board.
    Watch {
        name: TokenName,
    },
    Explained {
        name: TokenName,
    },
    Renewed {
        name: TokenName,
    },
    Imported {
        profile: ProfileName,
    },
    Reloaded,
    StatusOf {
        asked: Box<str>,
        name: TokenName,
    },
    Status(Listed<NameStatus, TokenName>),
    Rights(Listed<NameRights, TokenName>),
    Tenants {
        profile: ProfileName,
        listed: Listed<Tenant, WorkspaceId>,
    },
    Resolved {
        asked: Box<str>,
        profile: ProfileName,
        then: Then,
        until: Boot,
    },
}

/// What is wanted of a name, once it is known which it is.
#[derive(Clone, Copy)]
pub(in crate::socket) enum Then {
    Get { min_ttl: Duration, until: Boot },
    Reject { fingerprint: Fingerprint, min_ttl: Duration },
    Watch,
    Refresh,
    Status,
    Explain,
}

impl OpenQuestions {
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

    pub(in crate::socket) fn insert(&mut self, waiter: WaiterId, open: Open) {
        self.questions.insert(waiter, open);
    }

    /// The next answer to a question that is still open.
    pub(in crate::socket) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<(Open, Answer)> {
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
    pub(in crate::socket) fn deadline(&self) -> Option<Boot> {
        self.questions.values().filter_map(Open::until).min()
    }

    /// Takes a question that has to be given up by now.
    pub(in crate::socket) fn take_overdue(&mut self, now: Boot) -> Option<(WaiterId, Open)> {
        let overdue = |open: &Open| open.until().is_some_and(|until| until <= now);
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

    pub(in crate::socket) fn expected(&self) -> impl Iterator<Item = &Expects> {
        self.questions.values().map(|open| &open.expects)
    }

    pub(in crate::socket) fn waiters(&self) -> Vec<WaiterId> {
        self.questions.keys().copied().collect()
    }
}

impl Open {
    fn until(&self) -> Option<Boot> {
        match self.expects {
            Expects::Resolved { until, .. } => Some(until),
            _ => None,
        }
    }
}
