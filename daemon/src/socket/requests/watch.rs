//! Watches: begun by a request, told by the board, ended by whoever is first: the peer, the core, a reload, the end.

use std::sync::Arc;
use std::task::Context;

use tokend_proto::{ErrorReply, TokenName};

use super::pending::Expects;
use super::subscription::{News, Watching};
use crate::access::policy::Access;
use crate::audit::Kind;
use crate::core::id::WaiterId;
use crate::core::input::Question;
use crate::socket::buffers::Output;
use crate::socket::errors;
use crate::socket::message::{Message, ReplyTo};
use crate::socket::session::Session;

impl Session {
    /// Begins to watch a name that `access` allows.
    pub(crate) fn watch(&mut self, request_id: u64, name: TokenName, access: Arc<Access>) -> Result<(), ErrorReply> {
        let permit = self.place.watch().map_err(errors::too_many_watches)?;
        // Before the core is asked: what it says at once is not missed.
        let subscription = self.shared.context.board.watch(&name);
        let question = Question::Watch { name: name.clone() };
        let waiter = self.put(request_id, Expects::Watch { name: name.clone() }, None, |waiter, asker, open| {
            let reply = ReplyTo::new(waiter, open.sender());
            Message::Ask { waiter, asker, question, reply }
        })?;
        if let Some(open) = &mut self.open {
            open.insert_watch(Watching::new(waiter, request_id, name, access, subscription, permit));
        }
        Ok(())
    }

    /// The peer has enough of it.
    pub(crate) fn unwatch(&mut self, request_id: u64) {
        let Some(open) = &mut self.open else { return };
        let over = open.end_watches(|watching| watching.request_id == request_id);
        self.ended(&over);
    }

    /// Tells what is new to those who watch, and ends what may not go on.
    pub(crate) fn tell_watchers(&mut self, cx: &mut Context<'_>, out: &mut Output) {
        if self.open.as_mut().is_none_or(|open| open.watches().is_empty()) {
            return;
        }
        let Some(mut open) = self.open.take() else { return };
        let access = self.shared.context.access.load_full();
        let draining = self.shared.is_draining();
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
            self.record_error(Some((Kind::Watch, Some(&watching.name.to_string()))), &error);
            self.refuse(out, watching.request_id, error);
            true
        });
        let now = self.shared.context.clock.boot();
        let board = &self.shared.context.board;
        for watching in open.watches() {
            // One that has no room for its end has none for anything else.
            match watching.tell(board, now, cx.waker(), out) {
                News::FirstToken(token) => self.record_served(Kind::Watch, &watching.name.to_string(), token),
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
