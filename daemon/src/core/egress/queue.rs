//! What waits for a slot of one host.
//!
//! There may be ten thousand tenants among it, so they stand in the order in which they are due, and a slot costs the
//! same however many they are. Of what is a profile's own there are three jobs at most, and what they deserve hangs on
//! the tenants that wait for them: they are looked at again each time.
//!
//! Not here: who gets the slot ([`super::limiter`]), and when a turn changes (`dispatch`).

use std::collections::{BTreeMap, BTreeSet};

use tokend_proto::{ProfileName, TokenName, WorkspaceId};

use crate::core::record::ChainKey;
use crate::core::time::BootTime;

/// What waits for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::core) enum Job {
    Name(TokenName),
    Listing(ProfileName),
    Chain(ChainKey),
}

/// By profile, because a provider may want one left alone for a while. No lane is empty.
#[derive(Debug, Default)]
pub(in crate::core) struct Queue(BTreeMap<ProfileName, Lane>);

/// One profile's.
#[derive(Debug, Default)]
struct Lane {
    /// Its own token, the list of its tenants, its chain: with their arrival.
    own: Vec<(u64, Job)>,
    tenants: BTreeMap<WorkspaceId, (u64, Turn)>,
    background: BTreeSet<(BootTime, u64, WorkspaceId)>,
    needed: BTreeMap<u32, BTreeSet<(u64, WorkspaceId)>>,
}

/// What a tenant's turn goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::core) enum Turn {
    /// When its token expires.
    Background(BootTime),
    /// The users who wait for it; there is one at least.
    Needed(BTreeSet<u32>),
}

impl Queue {
    /// Of a profile's own.
    pub(in crate::core) fn push_own(&mut self, arrival: u64, job: Job) {
        self.0.entry(job.profile().clone()).or_default().own.push((arrival, job));
    }

    pub(in crate::core) fn push_tenant(
        &mut self,
        arrival: u64,
        profile: &ProfileName,
        tenant: WorkspaceId,
        turn: Turn,
    ) {
        let lane = self.0.entry(profile.clone()).or_default();
        debug_assert!(!lane.tenants.contains_key(&tenant), "a name has one request at most");
        lane.stand(arrival, tenant, turn);
    }

    /// What a tenant's turn goes by is another thing now.
    pub(in crate::core) fn move_tenant(&mut self, profile: &ProfileName, tenant: WorkspaceId, turn: Turn) {
        let Some(lane) = self.0.get_mut(profile) else { return };
        let Some((arrival, before)) = lane.tenants.get(&tenant) else { return };
        if *before != turn {
            let arrival = *arrival;
            lane.leave(tenant);
            lane.stand(arrival, tenant, turn);
        }
    }

    /// One more user waits for a tenant.
    pub(in crate::core) fn add_user(&mut self, profile: &ProfileName, tenant: WorkspaceId, uid: u32) {
        let Some(lane) = self.0.get_mut(profile) else { return };
        match lane.tenants.get_mut(&tenant) {
            Some((arrival, Turn::Needed(by))) => {
                by.insert(uid);
                lane.needed.entry(uid).or_default().insert((*arrival, tenant));
            }
            Some((_, Turn::Background(_))) => {
                self.move_tenant(profile, tenant, Turn::Needed(BTreeSet::from([uid])));
            }
            None => {}
        }
    }

    /// A user waits for a tenant no more. If it was the last one, the caller, who knows when the tenant's token
    /// expires, moves it.
    pub(in crate::core) fn remove_user(&mut self, profile: &ProfileName, tenant: WorkspaceId, uid: u32) {
        let Some(lane) = self.0.get_mut(profile) else { return };
        if let Some((arrival, Turn::Needed(by))) = lane.tenants.get_mut(&tenant)
            && by.len() > 1
            && by.remove(&uid)
        {
            let arrival = *arrival;
            lane.leave_user(arrival, tenant, uid);
        }
    }

    pub(in crate::core) fn remove(&mut self, job: &Job) {
        let profile = job.profile();
        let Some(lane) = self.0.get_mut(profile) else { return };
        match job.tenant() {
            Some(tenant) => lane.leave(tenant),
            None => lane.own.retain(|(_, queued)| queued != job),
        }
        if lane.own.is_empty() && lane.tenants.is_empty() {
            self.0.remove(profile);
        }
    }

    /// Among these, with their arrival, is whatever deserves the next slot most: of each profile what is its own, the
    /// tenant whose token expires first of those that nobody waits for, and of the others the one whose turn it is.
    /// The lower what `last_turn` says of a user, the better its claim.
    pub(in crate::core) fn foremost(&self, last_turn: impl Fn(u32) -> u64) -> impl Iterator<Item = (u64, Job)> {
        self.0.iter().flat_map(move |(profile, lane)| {
            let background = lane.background.first().map(|(_, arrival, tenant)| (*arrival, *tenant));
            let first_of = |(uid, of_user): (&u32, &BTreeSet<(u64, WorkspaceId)>)| {
                of_user.first().map(|(arrival, tenant)| (last_turn(*uid), *arrival, *tenant))
            };
            let needed = lane.needed.iter().filter_map(first_of).min().map(|(_, arrival, tenant)| (arrival, tenant));
            let tenant = |(arrival, id): (u64, WorkspaceId)| {
                (arrival, Job::Name(TokenName { profile: profile.clone(), tenant: Some(id) }))
            };
            lane.own.iter().cloned().chain(background.into_iter().chain(needed).map(tenant)).collect::<Vec<_>>()
        })
    }

    /// All that waits, for comparison.
    #[cfg(test)]
    pub(in crate::core) fn all(&self) -> Vec<(u64, Job)> {
        let of_lane = |(profile, lane): (&ProfileName, &Lane)| {
            let name = |id: &WorkspaceId| TokenName { profile: profile.clone(), tenant: Some(*id) };
            let tenants = lane.tenants.iter().map(|(id, (arrival, _))| (*arrival, Job::Name(name(id))));
            lane.own.iter().cloned().chain(tenants).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_lane).collect()
    }

    pub(in crate::core) fn clear(&mut self) {
        self.0.clear();
    }

    pub(in crate::core) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::core) fn len(&self) -> usize {
        self.0.values().map(|lane| lane.own.len() + lane.tenants.len()).sum()
    }
}

impl Lane {
    fn stand(&mut self, arrival: u64, tenant: WorkspaceId, turn: Turn) {
        match &turn {
            Turn::Background(expires) => {
                self.background.insert((*expires, arrival, tenant));
            }
            Turn::Needed(by) => {
                for uid in by {
                    self.needed.entry(*uid).or_default().insert((arrival, tenant));
                }
            }
        }
        self.tenants.insert(tenant, (arrival, turn));
    }

    fn leave(&mut self, tenant: WorkspaceId) {
        let Some((arrival, turn)) = self.tenants.remove(&tenant) else { return };
        match turn {
            Turn::Background(expires) => {
                self.background.remove(&(expires, arrival, tenant));
            }
            Turn::Needed(by) => {
                for uid in by {
                    self.leave_user(arrival, tenant, uid);
                }
            }
        }
    }

    fn leave_user(&mut self, arrival: u64, tenant: WorkspaceId, uid: u32) {
        if let Some(of_user) = self.needed.get_mut(&uid) {
            of_user.remove(&(arrival, tenant));
            if of_user.is_empty() {
                self.needed.remove(&uid);
            }
        }
    }
}

impl Job {
    fn profile(&self) -> &ProfileName {
        match self {
            Self::Name(name) => &name.profile,
            Self::Listing(profile) => profile,
            Self::Chain(key) => &key.profile,
        }
    }

    fn tenant(&self) -> Option<WorkspaceId> {
        match self {
            Self::Name(name) => name.tenant,
            Self::Listing(_) | Self::Chain(_) => None,
        }
    }
}
