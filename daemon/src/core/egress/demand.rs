//! Who needs what: what the queues of the hosts ask of names and profiles.

use std::collections::BTreeMap;

use tokend_proto::{ProfileName, TokenName, WorkspaceId};

use super::host::Host;
use super::limiter::Claim;
use super::queue::{Job, Turn};
use crate::core::time::BootTime;
use crate::core::token_state::{Fetch, Name, ProfileState};
use crate::core::waiting::Waiting;

/// Names and profiles, to be read.
#[derive(Debug, Clone, Copy)]
pub(in crate::core) struct Demand<'a> {
    pub(in crate::core) names: &'a BTreeMap<TokenName, Name>,
    pub(in crate::core) profiles: &'a BTreeMap<ProfileName, ProfileState>,
}

impl<'a> Demand<'a> {
    /// What a tenant's turn goes by, as it is now.
    pub(in crate::core) fn turn_of(&self, name: &TokenName) -> Turn {
        let entry: Option<&Name> = self.names.get(name);
        match entry.filter(|entry| !entry.waiters.is_empty()) {
            None => Turn::Background(expires(entry)),
            Some(entry) => Turn::Needed(entry.waiters.users().collect()),
        }
    }

    /// The tenants that wait for this workspace's token.
    pub(in crate::core) fn waiting_children(&self, parent: &TokenName) -> Vec<TokenName> {
        let name = |id: &WorkspaceId| TokenName { profile: parent.profile.clone(), tenant: Some(*id) };
        let state = self.profiles.get(&parent.profile);
        state.map(|state| state.await_parent.iter().map(name).collect()).unwrap_or_default()
    }

    /// The client that a job is sent for.
    pub(in crate::core) fn client_of<'j>(&self, job: &'j Job) -> Option<&'j str>
    where
        'a: 'j,
    {
        let of_profile = |profile| self.profiles.get(profile).map(|state| state.profile.client_id.as_str());
        match job {
            Job::Name(name) => of_profile(&name.profile),
            Job::Listing(profile) => of_profile(profile),
            Job::Chain(key) => Some(&key.client_id),
        }
    }

    /// How much a job deserves the next slot.
    pub(in crate::core) fn claim(&self, host: &Host, arrival: u64, job: &Job) -> Claim {
        let name = match job {
            Job::Name(name) => name.clone(),
            Job::Listing(profile) => {
                let listing = self.profiles.get(profile).and_then(|state| state.listing.as_ref());
                let needed_by = listing.and_then(|listing| neediest(host, &listing.waiters));
                return Claim { needed_by, expires: BootTime(u64::MAX), arrival };
            }
            Job::Chain(key) => TokenName::from(key.profile.clone()),
        };
        let mut claim = self.own_claim(host, &name, arrival);
        if name.tenant.is_none() {
            // A parent inherits the place of the neediest of those that wait for it.
            for child in self.waiting_children(&name) {
                let of_child = self.own_claim(host, &child, arrival);
                claim.expires = claim.expires.min(of_child.expires);
                claim.needed_by = [claim.needed_by, of_child.needed_by]
                    .into_iter()
                    .flatten()
                    .min_by_key(|uid| host.limiter.last_turn(*uid));
            }
            if claim.needed_by.is_none()
                && let Some(listing) = self.profiles.get(&name.profile).and_then(|state| state.listing.as_ref())
                && listing.activity == Fetch::Parent
            {
                claim.needed_by = neediest(host, &listing.waiters);
            }
        }
        claim
    }

    fn own_claim(&self, host: &Host, name: &TokenName, arrival: u64) -> Claim {
        let entry: Option<&Name> = self.names.get(name);
        let needed_by = entry.and_then(|entry| neediest(host, &entry.waiters));
        Claim { needed_by, expires: expires(entry), arrival }
    }
}

/// The user with the best claim among those who wait. A host remembers the turns of some users only, and a user who had
/// none has the best claim there is: hardly more of them are looked at, however many there are.
fn neediest(host: &Host, waiting: &Waiting) -> Option<u32> {
    let turn = |uid| (host.limiter.last_turn(uid), uid);
    let mut best = None;
    for claim in waiting.users().map(turn) {
        best = Some(best.map_or(claim, |best| claim.min(best)));
        if claim.0 == 0 {
            break;
        }
    }
    best.map(|(_, uid)| uid)
}

/// When a name's token expires: at once, if it has none.
fn expires(entry: Option<&Name>) -> BootTime {
    entry.and_then(|entry| entry.token.as_ref()).map_or(BootTime::default(), |token| token.expires)
}
