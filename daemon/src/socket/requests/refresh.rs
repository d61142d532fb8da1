//! `Refresh`: an admin wants a name renewed now.

use tokend_proto::{ErrorReply, Reply, TokenName};

use super::about::AboutName;
use super::call::Call;
use crate::audit::Kind;
use crate::core::effect::Outcome;
use crate::core::input::Question;
use crate::socket::errors;
use crate::socket::session::{Pending, Session};

/// A renewal on demand.
#[derive(Clone, Copy)]
pub(super) struct Refresh;

impl AboutName for Refresh {
    const AUDIT: Kind = Kind::of_admin("refresh");

    fn serve(self, session: &mut Session, call: &mut Call<'_>, _: &str, name: TokenName) -> Result<(), ErrorReply> {
        let text: Box<str> = name.to_string().into();
        let pending = Pending::outcome(Some((Self::AUDIT, Some(text.clone()))), move |session, call, outcome| {
            let Outcome::Renewed(renewed) = outcome else { return Err(errors::mismatched()) };
            session.record_done(Self::AUDIT, Some(&text), Some(renewed.fingerprint));
            session.reply(call, &Reply::Renewed(renewed));
            Ok(())
        });
        session.ask(call.request_id, Question::Refresh { name }, pending)
    }
}
