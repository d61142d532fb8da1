//! `Explain`: why a name is as it is, and what is done next.

use tokend_proto::{ErrorReply, Reply, TokenName};

use super::about::AboutName;
use super::call::Call;
use crate::audit::Kind;
use crate::core::query::{Query, View};
use crate::socket::errors;
use crate::socket::session::{Pending, Session};

/// A question for reasons.
#[derive(Clone, Copy)]
pub(super) struct Explain;

impl AboutName for Explain {
    const AUDIT: Kind = Kind::of_peer("explain");

    fn serve(self, session: &mut Session, call: &mut Call<'_>, _: &str, name: TokenName) -> Result<(), ErrorReply> {
        let query = Query::Explain { name: name.clone() };
        let text: Box<str> = name.to_string().into();
        let pending = Pending::view(Some((Self::AUDIT, Some(text.clone()))), move |session, call, view| {
            let View::Explanation(explanation) = view else { return Err(errors::mismatched()) };
            session.may_still_read(&name, &text)?;
            session.reply(call, &Reply::Explanation(explanation));
            Ok(())
        });
        session.query(call.request_id, query, pending)
    }
}
