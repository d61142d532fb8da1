//! The hosts' queues: what is sent, and when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokend_proto::TokenName;

use super::Core;
use super::effect::{Effect, Severity};
use super::input::WaiterId;
use super::limiter::{Claim, Limiter};
use super::schedule;
use super::settings::Profile;
use super::state::{Activity, Fetch, Host, Job, Name, Place};
use super::time::{Boot, Now};

/// How long a client is left alone after a 429 that does not say.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);

impl Core {
    pub(super) fn push_job(&mut self, host: &Arc<str>, job: Job) {
        let arrival = self.next_id();
        let rate = self.settings.max_requests_per_second;
        let host = self.hosts.entry(host.clone()).or_insert_with(|| Host {
            limiter: Limiter::new(rate),
            queue: Vec::new(),
            paused: BTreeMap::new(),
        });
        host.queue.push((arrival, job));
    }

    pub(super) fn remove_job(&mut self, job: &Job) {
        for host in self.hosts.values_mut() {
            host.queue.retain(|(_, queued)| queued != job);
        }
    }

    /// A provider asked to be left alone by this client.
    pub(super) fn pause(&mut self, now: Now, profile: &Profile, asked: Option<Duration>) {
        let pause = asked.unwrap_or(DEFAULT_PAUSE).min(schedule::MAX_PAUSE);
        let host = &profile.endpoint().host;
        let Some(state) = self.hosts.get_mut(host) else { return };
        let until = state.paused.entry(profile.client_id.clone()).or_default();
        *until = (*until).max(now.boot + pause);
        let message = format!("{host} asks to be left alone for {} s", super::failure::seconds(pause));
        self.notice(Severity::Warning, &profile.name, message);
    }

    /// Sends what may be sent now. Whether anything was done.
    pub(super) fn dispatch(&mut self, now: Now) -> bool {
        let hosts: Vec<Arc<str>> =
            self.hosts.iter().filter(|(_, host)| !host.queue.is_empty()).map(|(name, _)| name.clone()).collect();
        let mut did = false;
        for host in hosts {
            while let Some((job, uid)) = self.next_job(now, &host) {
                did = true;
                self.send(now, &host, job, uid);
            }
        }
        did
    }

    fn next_job(&mut self, now: Now, name: &Arc<str>) -> Option<(Job, Option<u32>)> {
        let host = self.hosts.get_mut(name)?;
        host.paused.retain(|_, until| *until > now.boot);
        if self.stopping {
            // Nothing new is begun; a rotation that was marked and not sent is as good after the next start.
            host.queue.clear();
            return None;
        }
        let host = &self.hosts[name];
        if host.limiter.ready_at().is_none_or(|at| at > now.boot) {
            return None;
        }
        let eligible: Vec<usize> = (0..host.queue.len())
            .filter(|&index| self.client_of(&host.queue[index].1).is_none_or(|id| !host.paused.contains_key(id)))
            .collect();
        let claims: Vec<Claim> = eligible.iter().map(|&index| self.claim(host, &host.queue[index])).collect();
        let chosen = host.limiter.choose(&claims)?;
        let uid = claims[chosen].needed_by;
        let (_, job) = self.hosts.get_mut(name)?.queue.remove(eligible[chosen]);
        Some((job, uid))
    }

    fn send(&mut self, now: Now, host: &Arc<str>, job: Job, uid: Option<u32>) {
        let request = match &job {
            Job::Name(name) => {
                let request = self.request_token(now, name);
                if request.is_none() {
                    // Its parent's token or its secret went away while it waited: from the beginning.
                    self.set_activity(name, Activity::Idle);
                    self.mark(name.clone());
                }
                request
            }
            Job::Listing(profile) => self.request_listing(now, profile),
            Job::Chain(key) => self.request_chain(now, key),
        };
        let Some(request) = request else { return };
        if let Some(host) = self.hosts.get_mut(host) {
            host.limiter.take(now.boot, uid);
        }
        self.effects.push_back(Effect::Send(request));
    }

    /// When the first queued job may be sent.
    pub(super) fn next_slot(&self) -> Option<Boot> {
        if self.stopping {
            return None;
        }
        let of_host = |host: &Host| {
            let ready = host.limiter.ready_at()?;
            if host.paused.is_empty() {
                return (!host.queue.is_empty()).then_some(ready);
            }
            let times = host.queue.iter().map(|(_, job)| {
                let paused = self.client_of(job).and_then(|id| host.paused.get(id).copied());
                ready.max(paused.unwrap_or_default())
            });
            times.min()
        };
        self.hosts.values().filter_map(of_host).min()
    }

    fn client_of<'a>(&'a self, job: &'a Job) -> Option<&'a str> {
        let of_profile = |profile| self.profiles.get(profile).map(|state| state.profile.client_id.as_str());
        match job {
            Job::Name(name) => of_profile(&name.profile),
            Job::Listing(profile) => of_profile(profile),
            Job::Chain(key) => Some(&key.client_id),
        }
    }

    /// How much a job deserves the next slot.
    fn claim(&self, host: &Host, (arrival, job): &(u64, Job)) -> Claim {
        let name = match job {
            Job::Name(name) => name.clone(),
            Job::Listing(profile) => {
                let listing = self.profiles.get(profile).and_then(|state| state.listing.as_ref());
                let waiters = listing.map(|listing| listing.waiters.as_slice()).unwrap_or_default();
                let needed_by = self.neediest(host, waiters);
                return Claim { needed_by, expires: Boot(u64::MAX), arrival: *arrival };
            }
            Job::Chain(key) => TokenName::from(key.profile.clone()),
        };
        let mut claim = self.own_claim(host, &name, *arrival);
        if name.tenant.is_none() {
            // A parent inherits the place of the neediest of those that wait for it.
            for (child, _) in self.tenants_of(&name.profile).filter(|(_, entry)| entry.activity == Activity::Parent) {
                let of_child = self.own_claim(host, child, *arrival);
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
                claim.needed_by = self.neediest(host, &listing.waiters);
            }
        }
        claim
    }

    fn own_claim(&self, host: &Host, name: &TokenName, arrival: u64) -> Claim {
        let entry: Option<&Name> = self.names.get(name);
        let waiters = entry.map(|entry| entry.waiters.as_slice()).unwrap_or_default();
        let expires = entry.and_then(|entry| entry.token.as_ref()).map_or(Boot::default(), |token| token.expires);
        Claim { needed_by: self.neediest(host, waiters), expires, arrival }
    }

    fn neediest(&self, host: &Host, waiters: &[WaiterId]) -> Option<u32> {
        let uids = waiters.iter().filter_map(|id| self.waiters.get(id)).map(|waiter| waiter.uid);
        uids.min_by_key(|uid| host.limiter.last_turn(*uid))
    }

    /// Waiters that wait for the list of a profile's tenants.
    pub(super) fn listing_waiters(&mut self, profile: &tokend_proto::ProfileName) -> Vec<WaiterId> {
        let listing = self.profiles.get_mut(profile).and_then(|state| state.listing.as_mut());
        let ids = listing.map(|listing| std::mem::take(&mut listing.waiters)).unwrap_or_default();
        let here = |id: &WaiterId| self.waiters.get(id).is_some_and(|w| w.place == Place::Listing(profile.clone()));
        ids.into_iter().filter(here).collect()
    }
}
