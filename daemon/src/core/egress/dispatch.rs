//! The hosts' queues: what is sent, and when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{TokenName, WorkspaceId};

use super::limiter::{Claim, Limiter};
use super::queue::{Queue, Turn};
use crate::core::Core;
use crate::core::activity::Activity;
use crate::core::effect::{Effect, Severity};
use crate::core::egress::host::Host;
use crate::core::egress::queue::Job;
use crate::core::schedule;
use crate::core::settings::Profile;
use crate::core::time::{BootTime, Now};
use crate::core::token_state::{Fetch, Name};
use crate::core::waiting::Waiting;

/// How long a client is left alone after a 429 that does not say.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);

impl Core {
    pub(in crate::core) fn push_job(&mut self, host: &Arc<str>, job: Job) {
        let arrival = self.next_id();
        let rate = self.settings.max_requests_per_second;
        let tenant = match &job {
            Job::Name(name) => name.tenant.map(|tenant| (name.profile.clone(), tenant, self.turn_of(name))),
            Job::Listing(_) | Job::Chain(_) => None,
        };
        let host = self.hosts.entry(host.clone()).or_insert_with(|| Host {
            limiter: Limiter::new(rate),
            queue: Queue::default(),
            not_before: BootTime::default(),
            paused: BTreeMap::new(),
        });
        match tenant {
            Some((profile, tenant, turn)) => host.queue.push_tenant(arrival, &profile, tenant, turn),
            None => host.queue.push_own(arrival, job),
        }
    }

    pub(in crate::core) fn remove_job(&mut self, job: &Job) {
        for host in self.hosts.values_mut() {
            host.queue.remove(job);
        }
    }

    /// Something about a name has changed: if it waits for a slot, what its turn goes by may be another thing.
    pub(in crate::core) fn move_in_queue(&mut self, name: &TokenName) {
        let (Some(tenant), Some(entry)) = (name.tenant, self.names.get(name)) else { return };
        if entry.activity == Activity::Queued {
            let (turn, host) = (self.turn_of(name), Arc::clone(&entry.profile.endpoint().host));
            if let Some(host) = self.hosts.get_mut(&host) {
                host.queue.move_tenant(&name.profile, tenant, turn);
            }
        }
    }

    /// What a tenant's turn goes by, as it is now.
    pub(in crate::core) fn turn_of(&self, name: &TokenName) -> Turn {
        let entry: Option<&Name> = self.names.get(name);
        match entry.filter(|entry| !entry.waiters.is_empty()) {
            None => Turn::Background(expires(entry)),
            Some(entry) => Turn::Needed(entry.waiters.users().collect()),
        }
    }

    /// A user begins to wait for a name. However many do, that costs the same.
    pub(in crate::core) fn needed_by(&mut self, name: &TokenName, uid: u32) {
        if let Some((queue, tenant)) = self.queue_of(name) {
            queue.add_user(&name.profile, tenant, uid);
        }
    }

    /// A user waits for a name no more.
    pub(in crate::core) fn needed_no_more_by(&mut self, name: &TokenName, uid: u32) {
        if let Some((queue, tenant)) = self.queue_of(name) {
            queue.remove_user(&name.profile, tenant, uid);
        }
    }

    /// Where a tenant stands that waits for a slot.
    fn queue_of(&mut self, name: &TokenName) -> Option<(&mut Queue, WorkspaceId)> {
        let entry = self.names.get(name).filter(|entry| entry.activity == Activity::Queued)?;
        Some((&mut self.hosts.get_mut(&entry.profile.endpoint().host)?.queue, name.tenant?))
    }

    /// A provider asked to be left alone by this client.
    pub(in crate::core) fn pause(&mut self, now: Now, profile: &Profile, asked: Option<Duration>) {
        let pause = asked.unwrap_or(DEFAULT_PAUSE).min(schedule::MAX_PAUSE);
        let host = &profile.endpoint().host;
        let Some(state) = self.hosts.get_mut(host) else { return };
        let until = state.paused.entry(profile.client_id.clone()).or_default();
        *until = (*until).max(now.boot + pause);
        let message = format!("{host} asks to be left alone for {} s", crate::core::report::errors::seconds(pause));
        self.notice(Severity::Warning, &profile.name, message);
    }

    /// Sends what may be sent now. Whether anything was done.
    pub(in crate::core) fn dispatch(&mut self, now: Now) -> bool {
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
        host.not_before = BootTime::default();
        host.limiter.wait(now.boot, host.queue.len());
        let has_room = self.in_flight.has_room(name);
        if host.queue.is_empty() || !has_room || host.limiter.ready_at().is_none_or(|at| at > now.boot) {
            return None;
        }
        let host = &self.hosts[name];
        let (jobs, claims): (Vec<Job>, Vec<Claim>) = host
            .queue
            .foremost(|uid| host.limiter.last_turn(uid))
            .filter(|(_, job)| self.client_of(job).is_none_or(|id| !host.paused.contains_key(id)))
            .map(|(arrival, job)| {
                let claim = self.claim(host, arrival, &job);
                (job, claim)
            })
            .unzip();
        let chosen = host.limiter.choose(&claims)?;
        if claims.iter().all(|claim| claim.needed_by.is_none())
            && let Some(at) = host.limiter.background_at(now.boot).filter(|at| *at > now.boot)
        {
            self.hosts.get_mut(name)?.not_before = at;
            return None;
        }
        let (job, uid) = (jobs.into_iter().nth(chosen)?, claims[chosen].needed_by);
        self.hosts.get_mut(name)?.queue.remove(&job);
        Some((job, uid))
    }

    fn send(&mut self, now: Now, host: &Arc<str>, job: Job, uid: Option<u32>) {
        let request = match &job {
            Job::Name(name) => {
                let request = self.request_token(now, name);
                if request.is_none() {
                    // Its parent's token or its secret went away while it waited: from the beginning.
                    if let Some(entry) = self.names.get_mut(name) {
                        entry.activity = Activity::Idle;
                        entry.secrets_refused = 0;
                    }
                    self.mark_dirty(name.clone());
                }
                request
            }
            Job::Listing(profile) => self.request_listing(now, profile),
            Job::Chain(key) => self.request_chain(now, key),
        };
        let Some(request) = request else { return };
        self.in_flight.sent(request.id, host);
        if let Some(host) = self.hosts.get_mut(host) {
            host.limiter.take(now.boot, uid);
        }
        self.effects.push_back(Effect::Send(request));
    }

    /// When the first queued job may be sent.
    pub(in crate::core) fn next_slot(&self) -> Option<BootTime> {
        if self.stopping {
            return None;
        }
        let of_host = |(name, host): (&Arc<str>, &Host)| {
            if !self.in_flight.has_room(name) {
                return None; // an answer makes it
            }
            let ready = host.limiter.ready_at()?.max(host.not_before);
            if host.paused.is_empty() {
                return (!host.queue.is_empty()).then_some(ready);
            }
            let times = host.queue.foremost(|uid| host.limiter.last_turn(uid)).map(|(_, job)| {
                let paused = self.client_of(&job).and_then(|id| host.paused.get(id).copied());
                ready.max(paused.unwrap_or_default())
            });
            times.min()
        };
        self.hosts.iter().filter_map(of_host).min()
    }

    pub(in crate::core) fn client_of<'a>(&'a self, job: &'a Job) -> Option<&'a str> {
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

/// The user with the best claim among those who wait. A host remembers the turns of some users only, and a user who had none
/// has the best claim there is: hardly more of them are looked at, however many there are.
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
