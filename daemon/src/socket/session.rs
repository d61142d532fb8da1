//! What one peer asks and is answered: requests, the token cache, questions and replies. Of the stream it only asks who
//! is at its other end.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokend_proto::{ErrorReply, Flags, Reply, codec, limits};
use zeroize::Zeroizing;

use super::admission::{Permit, Place};
use super::buffers::Output;
use super::errors;
use super::message::{Answer, Message, ReplyTo};
use super::requests::call::{Call, Subject};
use super::requests::pending::{Open, OpenQuestions};
use super::shared::Shared;
use super::stream::Stream;
use crate::access::cgroup::unit_of_peer;
use crate::access::policy::{Access, PeerIdentity};
use crate::access::unit::{NoUnit, PeerUnit};
use crate::core::effect::Outcome;
use crate::core::id::{Asker, WaiterId};
use crate::core::input::Question;
use crate::core::query::{Query, View};
use crate::core::time::BootTime;
use crate::token_cache::Slot;

/// What is done with an answer.
pub(super) type Answered = Box<dyn FnOnce(&mut Session, &mut Call<'_>, Answer) -> Result<(), ErrorReply> + Send>;

/// What is known of a question besides its answer.
pub(in crate::socket) struct Pending {
    /// What the audit record says of it.
    pub(in crate::socket) subject: Subject,
    /// When it is given up on this side, and what its peer gets then.
    pub(in crate::socket) overdue: Option<(BootTime, ErrorReply)>,
    pub(in crate::socket) answered: Answered,
}

impl Pending {
    /// `answered` replies, or asks the next question.
    pub(in crate::socket) fn new(
        subject: Subject,
        answered: impl FnOnce(&mut Session, &mut Call<'_>, Answer) -> Result<(), ErrorReply> + Send + 'static,
    ) -> Self {
        Self { subject, overdue: None, answered: Box::new(answered) }
    }

    /// To a question that may wait. An error is passed on.
    pub(in crate::socket) fn outcome(
        subject: Subject,
        answered: impl FnOnce(&mut Session, &mut Call<'_>, Outcome) -> Result<(), ErrorReply> + Send + 'static,
    ) -> Self {
        Self::new(subject, |session, call, answer| match answer {
            Answer::Outcome(Outcome::Error(error)) => Err(error),
            Answer::Outcome(outcome) => answered(session, call, outcome),
            Answer::View(_) | Answer::Reloaded(_) => Err(errors::mismatched()),
        })
    }

    /// To a query. An error is passed on.
    pub(in crate::socket) fn view(
        subject: Subject,
        answered: impl FnOnce(&mut Session, &mut Call<'_>, View) -> Result<(), ErrorReply> + Send + 'static,
    ) -> Self {
        Self::new(subject, |session, call, answer| match answer {
            Answer::View(view) => answered(session, call, view?),
            Answer::Outcome(Outcome::Error(error)) => Err(error),
            Answer::Outcome(_) | Answer::Reloaded(_) => Err(errors::mismatched()),
        })
    }
}

/// One connection's side of the conversation.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    stream: Stream,
    pub(super) peer: Box<PeerIdentity>,
    pub(super) place: Place,
    /// The name that was read last, and the edition of the rules that allowed it.
    pub(super) allowed: Option<(u64, Arc<Slot>)>,
    pub(super) open: Option<Box<OpenQuestions<Answered>>>,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, stream: Stream, peer: PeerIdentity, place: Place) -> Self {
        Self { shared, stream, peer: Box::new(peer), place, allowed: None, open: None }
    }

    /// To read from and write to.
    pub(super) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether the peer is owed an answer.
    pub(super) fn is_waiting(&self) -> bool {
        self.open.is_some()
    }

    /// When [`Session::give_up_overdue`] has something to do.
    pub(super) fn deadline(&self) -> Option<BootTime> {
        self.open.as_ref()?.deadline()
    }

    /// The peer leaves its questions behind.
    pub(super) fn leave(&mut self) {
        if let Some(open) = self.open.take() {
            open.subjects().for_each(|subject| self.record_left(subject));
            self.shared.context.to_core.leave(self.peer.uid, open.waiters());
        }
    }

    /// Answers what the core has answered, as long as there is room.
    pub(super) fn collect(&mut self, cx: &mut Context<'_>, out: &mut Output) {
        while let Some(open) = &mut self.open
            && !out.is_enough()
        {
            match open.poll_answer(cx) {
                Poll::Ready((open, answer)) => self.answered(open, answer, out),
                Poll::Pending => break,
            }
            self.forget_if_answered();
        }
        self.tell_watchers(cx, out);
    }

    /// Answers questions about workspace names that the core took too long for.
    pub(super) fn give_up_overdue(&mut self, now: BootTime, out: &mut Output) {
        while !out.is_enough()
            && let Some((waiter, question)) = self.open.as_mut().and_then(|open| open.take_overdue(now))
        {
            self.shared.context.to_core.leave(self.peer.uid, vec![waiter]);
            if let Some((_, error)) = question.overdue {
                self.refuse(&mut Call { now, request_id: question.request_id, out }, &question.subject, error);
            }
        }
        self.forget_if_answered();
    }

    /// Who asks, as far as the rules want to know it.
    pub(super) fn peer(&self, access: &Access) -> &PeerIdentity {
        if access.asks_for_units() && !access.is_superuser(&self.peer) {
            self.unit();
        }
        &self.peer
    }

    /// The peer's unit, found out once.
    pub(super) fn unit(&self) -> &Result<PeerUnit, NoUnit> {
        let look_up = || match self.stream.descriptor() {
            Some(stream) => unit_of_peer(&stream, self.peer.pid, &self.shared.unit_trouble_told),
            None => Err(NoUnit::Failed),
        };
        self.peer.unit.get_or_init(look_up)
    }

    /// Replies with an error to what is recorded as `subject`.
    pub(super) fn refuse(&self, call: &mut Call<'_>, subject: &Subject, error: ErrorReply) {
        self.record_error(subject, &error);
        self.reply(call, &Reply::Error(error));
    }

    /// Replies with anything that is not in the token cache.
    pub(super) fn reply(&self, call: &mut Call<'_>, reply: &Reply) {
        self.send(call.out, call.request_id, Flags::NONE, reply);
    }

    /// The same, outside of a call, or flagged.
    pub(super) fn send(&self, out: &mut Output, request_id: u64, flags: Flags, reply: &Reply) {
        match codec::encode_reply(request_id, flags, reply) {
            Ok(frame) if matches!(reply, Reply::Token(_)) => out.frame().extend_from_slice(&Zeroizing::new(frame)),
            Ok(frame) => out.frame().extend_from_slice(&frame),
            Err(codec::EncodeError::TooLong) => {
                tracing::error!(peer = ?self.peer, "an answer is over the frame limit");
                self.send(out, request_id, Flags::NONE, &Reply::Error(errors::unsendable()));
            }
        }
    }

    /// Puts a question to the core.
    pub(super) fn ask(&mut self, request_id: u64, question: Question, pending: Pending) -> Result<(), ErrorReply> {
        self.put_question(request_id, pending, |waiter, asker, reply| Message::Ask { waiter, asker, question, reply })
    }

    /// Has the core read what it knows.
    pub(super) fn query(&mut self, request_id: u64, query: Query, pending: Pending) -> Result<(), ErrorReply> {
        self.put_question(request_id, pending, |waiter, asker, reply| Message::Query { waiter, asker, query, reply })
    }

    fn put_question(
        &mut self,
        request_id: u64,
        pending: Pending,
        message: impl FnOnce(WaiterId, Asker, ReplyTo) -> Message,
    ) -> Result<(), ErrorReply> {
        let permit = self.place.question().map_err(|why| errors::too_many_questions(self.peer.uid, why))?;
        self.put(request_id, pending, Some(permit), |waiter, asker, open| {
            message(waiter, asker, ReplyTo::new(waiter, open.sender()))
        })?;
        Ok(())
    }

    pub(super) fn put(
        &mut self,
        request_id: u64,
        pending: Pending,
        permit: Option<Permit>,
        message: impl FnOnce(WaiterId, Asker, &OpenQuestions<Answered>) -> Message,
    ) -> Result<WaiterId, ErrorReply> {
        if self.shared.is_draining() {
            return Err(errors::stopping());
        }
        if self.open.as_ref().is_some_and(|open| open.len() >= limits::MAX_IN_FLIGHT) {
            return Err(errors::too_many_requests());
        }
        let asker = self.place.asker();
        let to_core = &self.shared.context.to_core;
        let Pending { subject, overdue, answered } = pending;
        let slot = to_core.reserve(asker).map_err(|why| errors::queue(asker.uid, why))?;
        let waiter = self.shared.next_waiter();
        let open = self.open.get_or_insert_with(|| Box::new(OpenQuestions::new()));
        open.insert(waiter, Open { request_id, subject, overdue, permit, then: answered });
        slot.send(message(waiter, asker, open));
        Ok(waiter)
    }

    pub(super) fn forget_if_answered(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.len() == 0) {
            self.open = None;
        }
    }
}
