//! Requests on their way out: who is next, how many a second, how many at a time.
//!
//! [`Egress`] owns the hosts with their queues. Who needs what it asks [`Demand`], which only reads.

mod demand;
mod dispatch;
pub(super) mod host;
pub(super) mod in_flight;
pub(super) mod limiter;
pub(super) mod queue;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use tokend_proto::TokenName;

pub(super) use demand::Demand;
use host::Host;
use in_flight::InFlight;
use limiter::Claim;
use queue::{Job, Queue, Turn};

use super::provider::RequestId;
use super::time::BootTime;

/// All hosts, and what is on its way to them.
#[derive(Debug, Default)]
pub(super) struct Egress {
    hosts: BTreeMap<Arc<str>, Host>,
    in_flight: InFlight,
}

impl Egress {
    /// A job begins to wait for a slot of this host, to which `rate` requests a second may go. `turn` is a tenant's.
    pub(super) fn push(&mut self, host: &Arc<str>, rate: NonZeroU32, arrival: u64, job: Job, turn: Option<Turn>) {
        let host = self.hosts.entry(Arc::clone(host)).or_insert_with(|| Host::new(rate));
        match (job, turn) {
            (Job::Name(TokenName { profile, tenant: Some(tenant) }), Some(turn)) => {
                host.queue.push_tenant(arrival, &profile, tenant, turn);
            }
            (job, _) => host.queue.push_own(arrival, job),
        }
    }

    /// It waits no more, at no host.
    pub(super) fn remove(&mut self, job: &Job) {
        self.hosts.values_mut().for_each(|host| host.queue.remove(job));
    }

    /// What waits at a host.
    pub(super) fn queue(&mut self, host: &str) -> Option<&mut Queue> {
        self.hosts.get_mut(host).map(|host| &mut host.queue)
    }

    /// How many jobs wait in all.
    pub(super) fn queued(&self) -> usize {
        self.hosts.values().map(|host| host.queue.len()).sum()
    }

    /// The hosts at which something waits.
    fn busy(&self) -> Vec<Arc<str>> {
        self.hosts.iter().filter(|(_, host)| !host.queue.is_empty()).map(|(name, _)| Arc::clone(name)).collect()
    }

    /// So many requests a second may go to each host from now on.
    pub(super) fn set_rate(&mut self, rate: NonZeroU32) {
        self.hosts.values_mut().for_each(|host| host.limiter.set_rate(rate));
    }

    /// A host asks to be left alone by this client until then. Returns whether it is known.
    pub(super) fn pause(&mut self, host: &str, client: &str, until: BootTime) -> bool {
        let Some(host) = self.hosts.get_mut(host) else { return false };
        let before = host.paused.entry(client.to_owned()).or_default();
        *before = (*before).max(until);
        true
    }

    /// Nothing new is begun: what waits is given up.
    fn clear(&mut self) {
        self.hosts.values_mut().for_each(|host| host.queue.clear());
    }

    /// Takes the job that may be sent to this host now, with the user whose turn that is.
    fn next(&mut self, now: BootTime, name: &str, demand: &Demand<'_>) -> Option<(Job, Option<u32>)> {
        let has_room = self.in_flight.has_room(name);
        let host = self.hosts.get_mut(name)?;
        host.paused.retain(|_, until| *until > now);
        host.not_before = BootTime::default();
        host.limiter.wait(now, host.queue.len());
        if host.queue.is_empty() || !has_room || host.limiter.ready_at().is_none_or(|at| at > now) {
            return None;
        }
        let (jobs, claims): (Vec<Job>, Vec<Claim>) = host
            .queue
            .foremost(|uid| host.limiter.last_turn(uid))
            .filter(|(_, job)| demand.client_of(job).is_none_or(|id| !host.paused.contains_key(id)))
            .map(|(arrival, job)| {
                let claim = demand.claim(host, arrival, &job);
                (job, claim)
            })
            .unzip();
        let chosen = host.limiter.choose(&claims)?;
        if claims.iter().all(|claim| claim.needed_by.is_none())
            && let Some(at) = host.limiter.background_at(now).filter(|at| *at > now)
        {
            host.not_before = at;
            return None;
        }
        let (job, uid) = (jobs.into_iter().nth(chosen)?, claims[chosen].needed_by);
        host.queue.remove(&job);
        Some((job, uid))
    }

    /// A request is on the wire.
    fn sent(&mut self, now: BootTime, request: RequestId, host: &Arc<str>, uid: Option<u32>) {
        self.in_flight.sent(request, host);
        if let Some(host) = self.hosts.get_mut(host) {
            host.limiter.take(now, uid);
        }
    }

    /// Its answer is here.
    pub(super) fn answered(&mut self, request: RequestId) {
        self.in_flight.answered(request);
    }

    /// A login's steps keep a host busy from its request to its answer.
    pub(super) fn login_began(&mut self, host: &str) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.limiter.login_began();
        }
    }

    /// See [`Egress::login_began`].
    pub(super) fn login_ended(&mut self, now: BootTime, host: &str) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.limiter.login_ended(now);
        }
    }

    /// When the first queued job may be sent.
    pub(super) fn next_slot(&self, demand: &Demand<'_>) -> Option<BootTime> {
        let of_host = |(name, host): (&Arc<str>, &Host)| {
            if !self.in_flight.has_room(name) {
                return None; // an answer makes it
            }
            let ready = host.limiter.ready_at()?.max(host.not_before);
            if host.paused.is_empty() {
                return (!host.queue.is_empty()).then_some(ready);
            }
            let times = host.queue.foremost(|uid| host.limiter.last_turn(uid)).map(|(_, job)| {
                let paused = demand.client_of(&job).and_then(|id| host.paused.get(id).copied());
                ready.max(paused.unwrap_or_default())
            });
            times.min()
        };
        self.hosts.iter().filter_map(of_host).min()
    }

    #[cfg(test)]
    pub(super) fn hosts(&self) -> &BTreeMap<Arc<str>, Host> {
        &self.hosts
    }
}
