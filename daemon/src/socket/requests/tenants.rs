//! `Tenants`: a page of the tenants of an MSP's workspace.

use tokend_proto::{ErrorReply, ProfileName, Reply, Tenant, WorkspaceId};

use super::call::Call;
use super::listed::{Listed, Progress};
use super::pages;
use crate::audit::Kind;
use crate::core::effect::Outcome;
use crate::core::input::Question;
use crate::socket::errors;
use crate::socket::session::{Pending, Session};

/// What the audit record calls it.
pub(super) const AUDIT: Kind = Kind::of_peer("tenants");

impl Session {
    pub(super) fn tenants(&mut self, call: &mut Call<'_>, asked: &str, after: Option<&str>) -> Result<(), ErrorReply> {
        let profile: ProfileName = asked.parse().map_err(|why| errors::profile(asked, why))?;
        let access = self.shared.context.access.load();
        if !access.may_read_some_tenant(self.peer(&access), &profile) {
            return Err(errors::may_not_read(asked));
        }
        let id = |text: &str| text.parse().map_err(|_| errors::after(text, "a tenant id"));
        let listed = self.listed(after.map(id).transpose()?, pages::TENANTS)?;
        self.ask_tenants(call.request_id, profile, listed.after(), listed)
    }

    /// Asks for what comes after this tenant.
    fn ask_tenants(
        &mut self,
        request_id: u64,
        profile: ProfileName,
        after: Option<WorkspaceId>,
        listed: Listed<Tenant, WorkspaceId>,
    ) -> Result<(), ErrorReply> {
        let page = listed.page(after, self.peer(listed.access()));
        let question = Question::Tenants { profile: profile.clone(), page };
        let pending = Pending::outcome(None, move |session, call, outcome| {
            let Outcome::Tenants(part) = outcome else { return Err(errors::mismatched()) };
            match listed.add(part, session.shared.context.access.load_full()) {
                Progress::Page(tenants, more) => {
                    session.reply(call, &Reply::Tenants(pages::tenants(tenants, more)));
                }
                Progress::On(after, listed) => return session.ask_tenants(call.request_id, profile, after, listed),
            }
            Ok(())
        });
        self.ask(request_id, question, pending)
    }
}
