//! What the queues of the hosts say is sent: where egress meets names, lists and chains.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::TokenName;

use super::Demand;
use super::queue::Job;
use crate::core::activity::Activity;
use crate::core::effect::{Effect, Severity};
use crate::core::report::errors::seconds;
use crate::core::settings::Profile;
use crate::core::time::{BootTime, Now};
use crate::core::{Core, schedule};

/// How long a client is left alone after a 429 that does not say.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);

impl Core {
    pub(in crate::core) fn demand(&self) -> Demand<'_> {
        Demand { names: &self.names, profiles: &self.profiles }
    }

    pub(in crate::core) fn push_job(&mut self, host: &Arc<str>, job: Job) {
        let arrival = self.next_id();
        let turn = match &job {
            Job::Name(name) if name.tenant.is_some() => Some(self.demand().turn_of(name)),
            Job::Name(_) | Job::Listing(_) | Job::Chain(_) => None,
        };
        self.egress.push(host, self.settings.max_requests_per_second, arrival, job, turn);
    }

    /// Something about a name has changed: if it waits for a slot, what its turn goes by may be another thing.
    pub(in crate::core) fn move_in_queue(&mut self, name: &TokenName) {
        let (Some(tenant), Some(host)) = (name.tenant, self.queued_at(name)) else { return };
        let turn = self.demand().turn_of(name);
        if let Some(queue) = self.egress.queue(&host) {
            queue.move_tenant(&name.profile, tenant, turn);
        }
    }

    /// A user begins to wait for a name. However many do, that costs the same.
    pub(in crate::core) fn needed_by(&mut self, name: &TokenName, uid: u32) {
        if let (Some(tenant), Some(host)) = (name.tenant, self.queued_at(name))
            && let Some(queue) = self.egress.queue(&host)
        {
            queue.add_user(&name.profile, tenant, uid);
        }
    }

    /// A user waits for a name no more.
    pub(in crate::core) fn needed_no_more_by(&mut self, name: &TokenName, uid: u32) {
        if let (Some(tenant), Some(host)) = (name.tenant, self.queued_at(name))
            && let Some(queue) = self.egress.queue(&host)
        {
            queue.remove_user(&name.profile, tenant, uid);
        }
    }

    /// The host for whose slot a name waits.
    fn queued_at(&self, name: &TokenName) -> Option<Arc<str>> {
        let entry = self.names.get(name).filter(|entry| entry.activity == Activity::Queued)?;
        Some(Arc::clone(&entry.profile.endpoint().host))
    }

    /// A provider asked to be left alone by this client.
    pub(in crate::core) fn pause(&mut self, now: Now, profile: &Profile, asked: Option<Duration>) {
        let pause = asked.unwrap_or(DEFAULT_PAUSE).min(schedule::MAX_PAUSE);
        let host = &profile.endpoint().host;
        if self.egress.pause(host, &profile.client_id, now.boot + pause) {
            let message = format!("{host} asks to be left alone for {} s", seconds(pause));
            self.notice(Severity::Warning, &profile.name, message);
        }
    }

    /// Sends what may be sent now. Whether anything was done.
    pub(in crate::core) fn dispatch(&mut self, now: Now) -> bool {
        if self.stopping {
            // A rotation that was recorded and not sent is as good after the next start.
            self.egress.clear();
            return false;
        }
        let mut did = false;
        for host in self.egress.busy() {
            while let Some((job, uid)) = self.next_job(now, &host) {
                did = true;
                self.send(now, &host, job, uid);
            }
        }
        did
    }

    fn next_job(&mut self, now: Now, host: &str) -> Option<(Job, Option<u32>)> {
        let demand = Demand { names: &self.names, profiles: &self.profiles };
        self.egress.next(now.boot, host, &demand)
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
        if let Some(request) = request {
            self.egress.sent(now.boot, request.id, host, uid);
            self.effects.push_back(Effect::Send(request));
        }
    }

    /// When the first queued job may be sent.
    pub(in crate::core) fn next_slot(&self) -> Option<BootTime> {
        if self.stopping { None } else { self.egress.next_slot(&self.demand()) }
    }
}
