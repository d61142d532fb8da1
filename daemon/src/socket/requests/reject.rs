//! `Reject`: a call with this token was answered 401, so its peer wants another one.

use std::time::Duration;

use tokend_proto::{ErrorReply, Fingerprint, TokenName};

use super::about::AboutName;
use super::call::Call;
use crate::audit::Kind;
use crate::core::input::Question;
use crate::socket::session::Session;

/// A complaint about one token.
#[derive(Clone, Copy)]
pub(super) struct Reject {
    pub(super) fingerprint: Fingerprint,
    pub(super) min_ttl: Duration,
}

impl AboutName for Reject {
    const AUDIT: Kind = Kind::of_peer("reject");

    fn serve(self, session: &mut Session, call: &mut Call<'_>, _: &str, name: TokenName) -> Result<(), ErrorReply> {
        let Self { fingerprint, min_ttl } = self;
        let question = Question::Reject { name: name.clone(), fingerprint, min_ttl };
        session.ask_for_token(call.request_id, question, Self::AUDIT, name, min_ttl)
    }
}
