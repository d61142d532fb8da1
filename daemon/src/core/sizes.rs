//! How much the core holds. Each number has a bound, and a simulation holds the core to it.

use super::Core;

/// How many there are of everything that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Token names: profiles, warm tenants, and those on demand.
    pub names: usize,
    /// Chains, of profiles that are no longer configured as well.
    pub chains: usize,
    /// Questions that have not been answered.
    pub waiters: usize,
    /// Places in the lists of names and of tenant listings that wait: at least one for each waiter, or none.
    pub waiting: usize,
    /// Requests that have not been answered.
    pub requests: usize,
    /// Writes whose result is not known.
    pub writes: usize,
    /// Requests that wait for a slot.
    pub queued: usize,
    /// Times at which to look again.
    pub alarms: usize,
}

impl Core {
    /// How much it holds now.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let of_names = self.names.values().map(|name| name.waiters.len() + name.watch.len());
        let of_lists = self.profiles.values().filter_map(|state| Some(state.listing.as_ref()?.waiters.len()));
        Sizes {
            names: self.names.len(),
            chains: self.chains.len(),
            waiters: self.waiters.len(),
            waiting: of_names.chain(of_lists).sum(),
            requests: self.requests.len(),
            writes: self.writes.len(),
            queued: self.egress.queued(),
            alarms: self.alarms.len(),
        }
    }
}
