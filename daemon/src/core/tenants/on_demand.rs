//! Tenants on demand: whose places they have.
//!
//! A tenant counts for the user who asked for it first; one that is watched, which keeps it, counts for one of its
//! watchers. Those that nobody has asked for since the start, or since they were warm, count for nobody.

use std::time::Duration;

use tokend_proto::{ErrorCode, ProfileName, TokenName};

use crate::core::Core;
use crate::core::effect::Outcome;
use crate::core::id::Asker;
use crate::core::report::errors;
use crate::core::shares::NoPlace;
use crate::core::token_state::MAX_ON_DEMAND;

/// The user that no process has: chown(2) takes it for "no change".
const NOBODY: u32 = u32::MAX;

impl Core {
    /// Takes a place for a tenant that is not kept warm.
    pub(in crate::core) fn take_on_demand(&mut self, profile: &ProfileName, asker: Asker) -> Result<(), NoPlace> {
        self.profiles.get_mut(profile).map_or(Err(NoPlace::Left), |state| state.on_demand.take(asker))
    }

    /// A tenant is warm or on demand from now on, or gone.
    pub(in crate::core) fn count_on_demand(&mut self, name: &TokenName, counts: bool) {
        let (Some(entry), Some(state)) = (self.names.get_mut(name), self.profiles.get_mut(&name.profile)) else {
            return;
        };
        match (counts, entry.place_of) {
            (true, None) => {
                entry.place_of = Some(NOBODY);
                state.on_demand.add(NOBODY);
            }
            (false, Some(uid)) => {
                entry.place_of = None;
                state.on_demand.give_back(uid);
            }
            _ => {}
        }
    }

    /// A tenant on demand that is not watched yet is about to be: it counts for the watcher.
    pub(in crate::core) fn place_for_watch(&mut self, name: &TokenName, asker: Asker) -> Result<(), NoPlace> {
        let Some(entry) = self.names.get(name) else { return Ok(()) };
        let Some(before) = entry.place_of.filter(|uid| *uid != asker.uid && !entry.watch.is_on()) else {
            return Ok(());
        };
        let Some(state) = self.profiles.get_mut(&name.profile) else { return Ok(()) };
        state.on_demand.give_back(before);
        let taken = state.on_demand.take(asker);
        if taken.is_err() {
            state.on_demand.add(before);
        } else if let Some(entry) = self.names.get_mut(name) {
            entry.place_of = Some(asker.uid);
        }
        taken
    }

    /// The user for whom a tenant counts watches it no more, and this one still does.
    pub(in crate::core) fn hand_place_on(&mut self, name: &TokenName, from: u32, to: u32) {
        let (Some(entry), Some(state)) = (self.names.get_mut(name), self.profiles.get_mut(&name.profile)) else {
            return;
        };
        if entry.place_of == Some(from) && from != to {
            entry.place_of = Some(to);
            state.on_demand.give_back(from);
            state.on_demand.add(to);
        }
    }
}

pub(in crate::core) fn no_room(profile: &ProfileName, asker: Asker, why: NoPlace) -> Outcome {
    let who = match why {
        NoPlace::OfUser(count) => format!("user {} has {count} on-demand tenants of profile {profile}", asker.uid),
        NoPlace::Left => format!("profile {profile} keeps {MAX_ON_DEMAND} on-demand tenants"),
    };
    let message = format!("{who} already; one that nobody reads makes room when its token expires");
    errors::error(ErrorCode::Unavailable, message, Some(Duration::from_secs(60)))
}
