//! `Rights` and `WhoAmI`: who the peer is, and what it may do.

use tokend_proto::{ErrorReply, NameRights, Peer, Reply, Rights, TokenName};

use super::call::Call;
use super::listed::{Listed, Progress};
use super::name::after_name;
use super::pages;
use crate::core::query::{Query, View};
use crate::socket::errors;
use crate::socket::session::{Pending, Session};

impl Session {
    pub(super) fn rights(&mut self, call: &mut Call<'_>, after: Option<&str>) -> Result<(), ErrorReply> {
        let listed = self.listed(after.map(after_name).transpose()?, pages::NAMES)?;
        self.query_rights(call.request_id, listed.after(), listed)
    }

    /// Asks for what comes after this name.
    fn query_rights(
        &mut self,
        request_id: u64,
        after: Option<TokenName>,
        listed: Listed<NameRights, TokenName>,
    ) -> Result<(), ErrorReply> {
        let page = listed.page(after, self.peer(listed.access()));
        let pending = Pending::view(None, move |session, call, view| {
            let View::Rights(part) = view else { return Err(errors::mismatched()) };
            match listed.add(part, session.shared.context.access.load_full()) {
                Progress::Page(names, more) => {
                    let rights = pages::rights(names, more, session.who());
                    session.reply(call, &Reply::Rights(rights));
                }
                Progress::On(after, listed) => return session.query_rights(call.request_id, after, listed),
            }
            Ok(())
        });
        self.query(request_id, Query::Rights { page }, pending)
    }

    /// Who the peer is, without the names that it may read.
    fn who(&self) -> Rights {
        let (slices, no_unit) = match self.unit() {
            Ok(unit) => (unit.slices.clone(), None),
            Err(why) => (Vec::new(), Some(why.to_string())),
        };
        Rights { peer: self.describe_peer(), slices, no_unit, names: Vec::new(), more: false }
    }

    pub(super) fn whoami(&self, call: &mut Call<'_>) -> Result<(), ErrorReply> {
        self.reply(call, &Reply::Peer(self.describe_peer()));
        Ok(())
    }

    fn describe_peer(&self) -> Peer {
        let access = self.shared.context.access.load();
        // Also where no rule wants to know it.
        let unit = self.unit().as_ref().ok().map(|unit| unit.name.clone());
        let peer = &*self.peer;
        Peer {
            uid: peer.uid,
            gid: peer.gid,
            groups: peer.groups.clone(),
            pid: peer.pid,
            unit,
            superuser: access.is_superuser(peer),
            may_read: access.readable_patterns(peer),
            may_admin: access.admin_patterns(peer),
        }
    }
}
