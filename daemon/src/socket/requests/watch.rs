//! Watches: begun by a request, told by the token cache, ended by one of these: the peer, the core, a reload, the end.

use std::sync::Arc;
use std::task::Context;

use tokend_proto::{ErrorReply, Reply, TokenName};

use super::about::AboutName;
use super::call::{Call, Subject};
use super::subscription::{News, Watching};
use crate::audit::Kind;
use crate::core::id::WaiterId;
use crate::core::input::Question;
use crate::socket::buffers::Output;
use crate::socket::errors;
use crate::socket::message::{Message, ReplyTo};
use crate::socket::session::{Pending, Session};

/// A subscription to one name.
#[derive(Clone, Copy)]
pub(super) struct Watch;

impl AboutName for Watch {
    const AUDIT: Kind = Kind::of_peer("watch");

    fn serve(self, session: &mut Session, call: &mut Call<'_>, _: &str, name: TokenName) -> Result<(), ErrorReply> {
        let permit = session.place.watch().map_err(errors::too_many_watches)?;
        let access = session.shared.context.access.load_full();
        // Before the core is asked: what it says at once is not missed.
        let subscription = session.shared.context.token_cache.watch(&name);
        let question = Question::Watch { name: name.clone() };
        // It brings only its end, which is an error: what a watch brings is in the token cache.
        let pending = Pending::outcome(subject(&name), |_, _, _| Err(errors::mismatched()));
        let waiter = session.put(call.request_id, pending, None, |waiter, asker, open| {
            let reply = ReplyTo::new(waiter, open.sender());
            Message::Ask { waiter, asker, question, reply }
        })?;
        if let Some(open) = &mut session.open {
            open.insert_watch(Watching::new(waiter, call.request_id, name, access, subscription, permit));
        }
        Ok(())
    }
}

fn subject(name: &TokenName) -> Subject {
    Some((Watch::AUDIT, Some(name.to_string().into())))
}

impl Session {
    /// The peer has enough of it.
    pub(super) fn unwatch(&mut self, call: &mut Call<'_>, watch: u64) -> Result<(), ErrorReply> {
        if let Some(open) = &mut self.open {
            let over = open.end_watches(|watching| watching.request_id == watch);
            self.ended(&over);
        }
        self.reply(call, &Reply::Unwatched);
        Ok(())
    }

    /// Tells what is new to those who watch, and ends what may not go on.
    pub(crate) fn tell_watchers(&mut self, cx: &mut Context<'_>, out: &mut Output) {
        if self.open.as_mut().is_none_or(|open| open.watches().is_empty()) {
            return;
        }
        let Some(mut open) = self.open.take() else { return };
        let access = self.shared.context.access.load_full();
        let draining = self.shared.is_draining();
        let now = self.shared.context.clock.boot();
        let over = open.end_watches(|watching| {
            if out.is_enough() {
                return false;
            }
            let error = if draining {
                errors::stopping()
            } else if Arc::ptr_eq(&watching.allowed, &access) {
                return false;
            } else if access.may_read(self.peer(&access), &watching.name) {
                watching.allowed = Arc::clone(&access);
                return false;
            } else {
                errors::may_not_read(&watching.name.to_string())
            };
            let call = &mut Call { now, request_id: watching.request_id, out };
            self.refuse(call, &subject(&watching.name), error);
            true
        });
        let token_cache = &self.shared.context.token_cache;
        for watching in open.watches() {
            // One that has no room for its end has none for anything else.
            match watching.tell(token_cache, now, cx.waker(), out) {
                News::FirstToken(token) => self.record_served(Watch::AUDIT, &watching.name.to_string(), token),
                News::Nothing | News::More => {}
            }
        }
        self.open = Some(open);
        self.ended(&over);
    }

    /// The core need not keep these names for this peer any more.
    fn ended(&mut self, over: &[Watching]) {
        self.forget_if_answered();
        if over.is_empty() {
            return;
        }
        let waiters: Vec<WaiterId> = over.iter().map(Watching::waiter).collect();
        self.shared.context.to_core.leave(self.peer.uid, waiters);
    }
}
