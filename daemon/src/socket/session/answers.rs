//! From the core's answer to a reply.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{ErrorCode, ErrorReply, Flags, NameStatus, Reply, Tenant, TokenName};

use super::super::buffers::Output;
use super::super::message::Answer;
use super::super::open::{Expects, Open};
use super::super::{pages, refusal};
use super::Session;
use crate::core::effect::{Issued, Outcome};
use crate::core::time::Boot;

impl Session {
    /// Turns one answer into a reply, or into the next question.
    pub(super) fn answer(&mut self, open: Open, answer: Answer, out: &mut Output) {
        let Open { request_id, expects } = open;
        // Not the moment that this turn began: the answer may be younger.
        let now = self.shared.context.clock.boot();
        let handled = match (expects, answer) {
            (Expects::Resolved { asked, profile, then, .. }, Answer::Outcome(outcome)) => match outcome {
                Outcome::Resolved(name) => self.act(now, request_id, &asked, name, then, out),
                Outcome::Error(error) => {
                    let all = self.shared.context.access.load().may_read_every_tenant(&self.peer, &profile);
                    Err(if all { error } else { conceal(error, &asked) })
                }
                _ => Err(refusal::mismatched()),
            },
            (_, Answer::Outcome(Outcome::Error(error))) => Err(error),
            (Expects::Token { name, min_ttl }, Answer::Outcome(Outcome::Token { token, flags })) => {
                self.token(now, request_id, &name, min_ttl, &token, flags, out)
            }
            (Expects::Renewed, Answer::Outcome(Outcome::Renewed(renewed))) => {
                self.reply(out, request_id, &Reply::Renewed(renewed));
                Ok(())
            }
            (Expects::Imported, Answer::Outcome(Outcome::Imported(imported))) => {
                self.reply(out, request_id, &Reply::Imported(imported));
                Ok(())
            }
            (Expects::Status { only, after, _permit }, Answer::Outcome(Outcome::Status(all))) => {
                self.status_page(request_id, all, only, after, out)
            }
            (Expects::Tenants { profile, after, _permit }, Answer::Outcome(Outcome::Tenants(all))) => {
                let page = self.tenants_page(all, &profile, after);
                self.reply(out, request_id, &page);
                Ok(())
            }
            (Expects::Reloaded, Answer::Reloaded(result)) => {
                result.map(|reloaded| self.reply(out, request_id, &Reply::Reloaded(reloaded)))
            }
            _ => Err(refusal::mismatched()),
        };
        if let Err(error) = handled {
            self.refuse(out, request_id, error);
        }
    }

    /// The rules may have changed and time has passed while the question was open.
    #[expect(clippy::too_many_arguments, reason = "the parts of one open question, taken apart once")]
    fn token(
        &self,
        now: Boot,
        request_id: u64,
        name: &TokenName,
        min_ttl: Duration,
        token: &Arc<Issued>,
        flags: Flags,
        out: &mut Output,
    ) -> Result<(), ErrorReply> {
        let text = name.to_string();
        if !self.shared.context.access.load().may_read(&self.peer, name) {
            return Err(refusal::may_not_read(&text));
        }
        if token.expires <= now {
            return Err(refusal::expired_meanwhile());
        }
        let flags = if token.left(now) < min_ttl { flags.union(Flags::FALLS_SHORT) } else { flags };
        let context = &self.shared.context;
        if !context.board.slot(&text).is_some_and(|slot| slot.copy_of(token, request_id, flags, out.frame())) {
            self.reply_flagged(out, request_id, flags, &Reply::Token(token.to_wire(context.clock.now())));
        }
        Ok(())
    }

    fn status_page(
        &self,
        request_id: u64,
        all: Vec<NameStatus>,
        only: Option<(Box<str>, TokenName)>,
        after: Option<TokenName>,
        out: &mut Output,
    ) -> Result<(), ErrorReply> {
        let context = &self.shared.context;
        let (access, notes) = (context.access.load(), context.notes.load());
        let asked = only.as_ref().map(|(_, name)| name);
        match pages::status(all, (&access, &self.peer), asked, after.as_ref(), &notes) {
            Some(page) => {
                self.reply(out, request_id, &Reply::Status(page));
                Ok(())
            }
            None => Err(refusal::no_such_name(only.as_ref().map_or("", |(asked, _)| asked))),
        }
    }

    fn tenants_page(
        &self,
        all: Vec<Tenant>,
        profile: &tokend_proto::ProfileName,
        after: Option<tokend_proto::WorkspaceId>,
    ) -> Reply {
        let access = self.shared.context.access.load();
        Reply::Tenants(pages::tenants(all, (&access, &self.peer), profile, after))
    }
}

/// A peer that may not read every tenant is not told whether a workspace name exists or how often.
fn conceal(error: ErrorReply, asked: &str) -> ErrorReply {
    match error.code {
        ErrorCode::NoSuchName | ErrorCode::InvalidArgument => refusal::may_not_read(asked),
        _ => error,
    }
}
