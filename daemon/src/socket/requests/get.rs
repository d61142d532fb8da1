//! `Get`: the newest token of a name, and what its reply has in common with that of `Reject`.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{ErrorReply, Flags, Millis, Reply, TokenName, limits};

use super::about::AboutName;
use super::call::Call;
use super::name;
use crate::audit::Kind;
use crate::core::effect::Outcome;
use crate::core::input::Question;
use crate::core::issued::AccessToken;
use crate::core::time::BootTime;
use crate::socket::errors;
use crate::socket::session::{Pending, Session};

/// What the core is given at least to look a workspace name up in the list it has: a peer that does not want to
/// wait means for the provider.
const LOOK_UP_TIME: Duration = Duration::from_millis(250);

/// A read that the token cache alone could not answer.
#[derive(Clone, Copy)]
pub(super) struct Get {
    min_ttl: Duration,
    until: BootTime,
}

impl AboutName for Get {
    const AUDIT: Kind = Kind::of_peer("get");

    fn until(self, now: BootTime) -> BootTime {
        self.until.max(now + LOOK_UP_TIME)
    }

    fn serve(self, session: &mut Session, call: &mut Call<'_>, _: &str, name: TokenName) -> Result<(), ErrorReply> {
        let Self { min_ttl, until } = self;
        if let Some(slot) = session.shared.context.token_cache.slot(&name.to_string())
            && let Some(fingerprint) = call.out.serve(&slot, call.now, min_ttl, call.request_id)
        {
            session.record_served(Self::AUDIT, slot.text(), fingerprint);
            return Ok(());
        }
        let question = Question::Get { name: name.clone(), min_ttl, wait: until.since(call.now) };
        session.ask_for_token(call.request_id, question, Self::AUDIT, name, min_ttl)
    }
}

impl Session {
    /// The hot path: a canonical name that is in the token cache costs no allocation and, for the name that this
    /// connection read last, no look-up.
    pub(super) fn get(
        &mut self,
        call: &mut Call<'_>,
        asked: &str,
        min_ttl: Millis,
        wait: Millis,
    ) -> Result<(), ErrorReply> {
        let min_ttl = Duration::from(min_ttl);
        let rules = &self.shared.context.access;
        let edition = rules.edition();
        if let Some((allowed_by, slot)) = &self.allowed
            && *allowed_by == edition
            && slot.text() == asked
            && let Some(fingerprint) = call.out.serve(slot, call.now, min_ttl, call.request_id)
        {
            self.record_served(Get::AUDIT, asked, fingerprint);
            return Ok(());
        }
        if let Some(slot) = self.shared.context.token_cache.slot(asked) {
            let access = rules.load();
            let peer = self.peer(&access);
            // For most peers there is no need to take the name apart.
            let may_read = |name| access.may_read(peer, &name);
            if !access.may_read_everything(peer) && !name::canonical(asked).is_some_and(may_read) {
                call.out.charge();
                return Err(errors::may_not_read(asked));
            }
            let served = call.out.serve(&slot, call.now, min_ttl, call.request_id);
            self.allowed = Some((edition, slot));
            if let Some(fingerprint) = served {
                self.record_served(Get::AUDIT, asked, fingerprint);
                return Ok(());
            }
        }
        call.out.charge();
        let wait = Duration::from(wait).min(limits::MAX_WAIT);
        self.about(call, asked, Get { min_ttl, until: call.now + wait })
    }

    /// Asks the core a question that a token answers.
    pub(super) fn ask_for_token(
        &mut self,
        request_id: u64,
        question: Question,
        kind: Kind,
        name: TokenName,
        min_ttl: Duration,
    ) -> Result<(), ErrorReply> {
        let subject = Some((kind, Some(name.to_string().into())));
        let pending = Pending::outcome(subject, move |session, call, outcome| match outcome {
            Outcome::Token { token, flags } => {
                let served = session.token(call, &name, min_ttl, &token, flags)?;
                session.record_served(kind, &served, token.fingerprint);
                Ok(())
            }
            _ => Err(errors::mismatched()),
        });
        self.ask(request_id, question, pending)
    }

    /// The rules may have changed and time has passed while the question was open. Returns the name as it is kept.
    fn token(
        &self,
        call: &mut Call<'_>,
        name: &TokenName,
        min_ttl: Duration,
        token: &Arc<AccessToken>,
        flags: Flags,
    ) -> Result<String, ErrorReply> {
        let text = name.to_string();
        self.may_still_read(name, &text)?;
        if token.expires <= call.now {
            return Err(errors::expired_meanwhile());
        }
        let flags = if token.left(call.now) < min_ttl { flags.union(Flags::FALLS_SHORT) } else { flags };
        let context = &self.shared.context;
        let slot = context.token_cache.slot(&text);
        if !slot.is_some_and(|slot| slot.copy_of(token, call.request_id, flags, call.out.frame())) {
            let reply = Reply::Token(token.to_wire(context.clock.now()));
            self.send(call.out, call.request_id, flags, &reply);
        }
        Ok(text)
    }
}
