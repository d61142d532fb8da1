//! `Reload`: a superuser wants the configuration read again.

use tokend_proto::{ErrorReply, Reply};

use super::call::Call;
use crate::audit::Kind;
use crate::socket::errors;
use crate::socket::message::{Answer, Message, ReloadReplyTo};
use crate::socket::session::{Pending, Session};

/// What the audit record calls it.
pub(super) const AUDIT: Kind = Kind::of_admin("reload");

impl Session {
    pub(super) fn reload(&mut self, call: &mut Call<'_>) -> Result<(), ErrorReply> {
        if !self.shared.context.access.load().is_superuser(&self.peer) {
            return Err(errors::may_not_reload());
        }
        // For the record, which is written even if the peer is gone by then.
        self.unit();
        let pending = Pending::new(Some((AUDIT, None)), |session, call, answer| match answer {
            Answer::Reloaded(result) => {
                let reloaded = result?;
                session.record_done(AUDIT, None, None);
                session.reply(call, &Reply::Reloaded(reloaded));
                Ok(())
            }
            Answer::Outcome(crate::core::effect::Outcome::Error(error)) => Err(error),
            Answer::Outcome(_) | Answer::View(_) => Err(errors::mismatched()),
        });
        self.put(call.request_id, pending, None, |waiter, _, open| Message::Reload {
            reply: ReloadReplyTo::new(waiter, open.sender()),
        })?;
        Ok(())
    }
}
