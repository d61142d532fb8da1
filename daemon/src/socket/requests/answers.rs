//! From the core's answer to a reply.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{ErrorCode, ErrorReply, Flags, NameStatus, Reply, Rights, TokenName};

use super::listed::Progress;
use super::pages;
use super::pending::{Expects, Open};
use crate::audit::Kind;
use crate::core::effect::Outcome;
use crate::core::issued::Issued;
use crate::core::time::Boot;
use crate::socket::buffers::Output;
use crate::socket::errors;
use crate::socket::message::Answer;
use crate::socket::session::Session;

impl Session {
    /// Turns one answer into a reply, or into the next question.
    pub(crate) fn answer(&mut self, open: Open, answer: Answer, out: &mut Output) {
        let Open { request_id, expects, _permit: permit } = open;
        drop(permit);
        out.charge();
        let subject = expects.subject();
        // Not the moment that this turn began: the answer may be younger.
        let now = self.shared.context.clock.boot();
        let handled = match (expects, answer) {
            (Expects::Resolved { asked, profile, then, .. }, Answer::Outcome(outcome)) => match outcome {
                Outcome::Resolved(name) => self.act(now, request_id, &asked, name, then, out),
                Outcome::Error(error) => {
                    let access = self.shared.context.access.load();
                    let all = access.may_read_every_tenant(self.peer(&access), &profile);
                    Err(if all { error } else { conceal(error, &asked) })
                }
                _ => Err(errors::mismatched()),
            },
            (_, Answer::Outcome(Outcome::Error(error))) => Err(error),
            (Expects::Token { kind, name, min_ttl }, Answer::Outcome(Outcome::Token { token, flags })) => {
                let served = self.token(now, request_id, &name, min_ttl, &token, flags, out);
                served.map(|name| self.record_served(kind, &name, token.fingerprint))
            }
            (Expects::Renewed { name }, Answer::Outcome(Outcome::Renewed(renewed))) => {
                self.record_done(Kind::Refresh, Some(&name.to_string()), Some(renewed.fingerprint));
                self.reply(out, request_id, &Reply::Renewed(renewed));
                Ok(())
            }
            (Expects::Explained { name }, Answer::Outcome(Outcome::Explained(explanation))) => {
                let access = self.shared.context.access.load();
                if access.may_read(self.peer(&access), &name) {
                    self.reply(out, request_id, &Reply::Explanation(explanation));
                    Ok(())
                } else {
                    Err(errors::may_not_read(&name.to_string()))
                }
            }
            (Expects::Imported { profile }, Answer::Outcome(Outcome::Imported(imported))) => {
                self.record_done(Kind::Import, Some(profile.as_str()), None);
                self.reply(out, request_id, &Reply::Imported(imported));
                Ok(())
            }
            (Expects::StatusOf { asked, name }, Answer::Outcome(Outcome::Status(part))) => {
                let access = self.shared.context.access.load();
                if !access.may_read(self.peer(&access), &name) {
                    Err(errors::may_not_read(&asked))
                } else if part.entries.is_empty() {
                    Err(errors::no_such_name(&asked))
                } else {
                    self.status_page(request_id, part.entries, false, out);
                    Ok(())
                }
            }
            (Expects::Status(listed), Answer::Outcome(Outcome::Status(part))) => {
                match listed.add(part, self.shared.context.access.load_full()) {
                    Progress::Page(names, more) => {
                        self.status_page(request_id, names, more, out);
                        Ok(())
                    }
                    Progress::On(after, listed) => self.ask_status(request_id, after, listed),
                }
            }
            (Expects::Tenants { profile, listed }, Answer::Outcome(Outcome::Tenants(part))) => {
                match listed.add(part, self.shared.context.access.load_full()) {
                    Progress::Page(tenants, more) => {
                        self.reply(out, request_id, &Reply::Tenants(pages::tenants(tenants, more)));
                        Ok(())
                    }
                    Progress::On(after, listed) => self.ask_tenants(request_id, profile, after, listed),
                }
            }
            (Expects::Rights(listed), Answer::Outcome(Outcome::Rights(part))) => {
                match listed.add(part, self.shared.context.access.load_full()) {
                    Progress::Page(names, more) => {
                        let rights = pages::rights(names, more, self.rights());
                        self.reply(out, request_id, &Reply::Rights(rights));
                        Ok(())
                    }
                    Progress::On(after, listed) => self.ask_rights(request_id, after, listed),
                }
            }
            (Expects::Reloaded, Answer::Reloaded(result)) => result.map(|reloaded| {
                self.record_done(Kind::Reload, None, None);
                self.reply(out, request_id, &Reply::Reloaded(reloaded));
            }),
            _ => Err(errors::mismatched()),
        };
        if let Err(error) = handled {
            let subject = subject.as_ref().map(|(kind, name)| (*kind, name.as_deref()));
            self.record_error(subject, &error);
            self.refuse(out, request_id, error);
        }
    }

    /// The rules may have changed and time has passed while the question was open. Returns the name as it is kept.
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
    ) -> Result<String, ErrorReply> {
        let text = name.to_string();
        let access = self.shared.context.access.load();
        if !access.may_read(self.peer(&access), name) {
            return Err(errors::may_not_read(&text));
        }
        if token.expires <= now {
            return Err(errors::expired_meanwhile());
        }
        let flags = if token.left(now) < min_ttl { flags.union(Flags::FALLS_SHORT) } else { flags };
        let context = &self.shared.context;
        if !context.board.slot(&text).is_some_and(|slot| slot.copy_of(token, request_id, flags, out.frame())) {
            self.reply_flagged(out, request_id, flags, &Reply::Token(token.to_wire(context.clock.now())));
        }
        Ok(text)
    }

    fn status_page(&self, request_id: u64, names: Vec<NameStatus>, more: bool, out: &mut Output) {
        let notes = self.shared.context.notes.load();
        self.reply(out, request_id, &Reply::Status(pages::status(names, more, &notes)));
    }

    /// Who the peer is, without the names that it may read.
    fn rights(&self) -> Rights {
        let access = self.shared.context.access.load();
        let peer = self.describe_peer(&access);
        let (slices, no_unit) = match self.unit() {
            Ok(unit) => (unit.slices.clone(), None),
            Err(why) => (Vec::new(), Some(why.to_string())),
        };
        Rights { peer, slices, no_unit, names: Vec::new(), more: false }
    }
}

/// A peer that may not read every tenant is not told whether a workspace name exists or how often.
fn conceal(error: ErrorReply, asked: &str) -> ErrorReply {
    match error.code {
        ErrorCode::NoSuchName | ErrorCode::InvalidArgument => errors::may_not_read(asked),
        _ => error,
    }
}
