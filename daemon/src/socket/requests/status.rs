//! `Status`: how one name is doing, or a page of names.

use tokend_proto::{ErrorReply, NameStatus, Reply, TokenName};

use super::about::AboutName;
use super::call::Call;
use super::listed::{Listed, Progress};
use super::name::after_name;
use super::pages;
use crate::audit::Kind;
use crate::core::query::{Query, View};
use crate::socket::errors;
use crate::socket::session::{Pending, Session};

/// The status of one name.
#[derive(Clone, Copy)]
pub(super) struct Status;

impl AboutName for Status {
    const AUDIT: Kind = Kind::of_peer("status");

    fn serve(self, session: &mut Session, call: &mut Call<'_>, asked: &str, name: TokenName) -> Result<(), ErrorReply> {
        let query = Query::StatusOf { name: name.clone() };
        let asked: Box<str> = asked.into();
        let pending = Pending::view(None, move |session, call, view| {
            let View::Status(part) = view else { return Err(errors::mismatched()) };
            session.may_still_read(&name, &asked)?;
            if part.entries.is_empty() {
                return Err(errors::no_such_name(&asked));
            }
            session.status_page(call, part.entries, false);
            Ok(())
        });
        session.query(call.request_id, query, pending)
    }
}

impl Session {
    pub(super) fn status(&mut self, call: &mut Call<'_>, after: Option<&str>) -> Result<(), ErrorReply> {
        let listed = self.listed(after.map(after_name).transpose()?, pages::NAMES)?;
        self.query_status(call.request_id, listed.after(), listed)
    }

    /// Asks for what comes after this name.
    fn query_status(
        &mut self,
        request_id: u64,
        after: Option<TokenName>,
        listed: Listed<NameStatus, TokenName>,
    ) -> Result<(), ErrorReply> {
        let page = listed.page(after, self.peer(listed.access()));
        let pending = Pending::view(None, move |session, call, view| {
            let View::Status(part) = view else { return Err(errors::mismatched()) };
            match listed.add(part, session.shared.context.access.load_full()) {
                Progress::Page(names, more) => session.status_page(call, names, more),
                Progress::On(after, listed) => return session.query_status(call.request_id, after, listed),
            }
            Ok(())
        });
        self.query(request_id, Query::Status { page }, pending)
    }

    fn status_page(&self, call: &mut Call<'_>, names: Vec<NameStatus>, more: bool) {
        let notes = self.shared.context.notes.load();
        self.reply(call, &Reply::Status(pages::status(names, more, &notes)));
    }
}
