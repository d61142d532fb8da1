//! A list of tenants goes on to its end: after a page that is not the last one, and that brought something, the next
//! request asks for what follows.

use std::collections::{BTreeMap, BTreeSet};

use tokend::core::provider::{Grant, ProviderRequest, TenantPage};
use tokend_proto::{ProfileName, WorkspaceId};

use super::Invariants;

/// A list that is being fetched.
#[derive(Default)]
struct Partial {
    seen: BTreeSet<WorkspaceId>,
    goes_on: bool,
}

/// Of this life of the daemon.
#[derive(Default)]
pub(super) struct Lists(BTreeMap<ProfileName, Partial>);

impl Invariants {
    /// A request is sent.
    pub(super) fn list_goes_on(&mut self, request: &ProviderRequest) {
        let Grant::ListTenants { offset, .. } = &request.grant else { return };
        let profile = &request.profile.name;
        if *offset == 0 && self.lists.0.remove(profile).is_some_and(|partial| partial.goes_on) {
            self.fail("whole-list", format!("{profile}: its list was not at its end, and is begun again"));
        }
    }

    /// A page has arrived.
    pub(crate) fn page_received(&mut self, request: &ProviderRequest, page: &TenantPage) {
        let Grant::ListTenants { offset, .. } = &request.grant else { return };
        if *offset == 0 {
            self.lists.0.entry(request.profile.name.clone()).or_default();
        }
        // Without its first page nobody can say what is new.
        let Some(partial) = self.lists.0.get_mut(&request.profile.name) else { return };
        let before = partial.seen.len();
        partial.seen.extend(page.items.iter().map(|(id, _)| *id));
        partial.goes_on = partial.seen.len() > before && offset.saturating_add(page.received) < page.total;
        if partial.goes_on {
            *self.judged.entry("whole-list").or_default() += 1;
        }
    }

    /// A request has failed.
    pub(crate) fn forget_list_of(&mut self, request: &ProviderRequest) {
        if matches!(request.grant, Grant::ListTenants { .. }) {
            self.forget_list(&request.profile.name);
        }
    }

    /// The list has failed, or whose it is has changed.
    pub(crate) fn forget_list(&mut self, profile: &ProfileName) {
        self.lists.0.remove(profile);
    }

    pub(super) fn forget_lists(&mut self) {
        self.lists.0.clear();
    }
}
