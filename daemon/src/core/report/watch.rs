//! Names that peers watch: kept as fresh as warm ones, and watchers hear of each change of how they are doing.
//!
//! A watch is a question that is open until it ends: its one answer says why. What a watcher gets meanwhile is on the
//! token cache, put there once for all of them.

use tokend_proto::{HealthReport, TokenName};

use super::errors;
use crate::core::Core;
use crate::core::effect::Effect;
use crate::core::id::WaiterId;
use crate::core::tenants::on_demand::no_room;
use crate::core::time::Now;
use crate::core::timers::Alarm;
use crate::core::token_state::{Place, Want};

impl Core {
    /// A watch of a name that is known begins.
    pub(in crate::core) fn begin_watch(&mut self, id: WaiterId, name: TokenName) {
        let Some(asker) = self.waiters.get(&id).map(|waiter| waiter.asker) else { return };
        if let Err(why) = self.place_for_watch(&name, asker) {
            return self.answer(id, no_room(&name.profile, asker, why));
        }
        let (Some(waiter), Some(entry)) = (self.waiters.get_mut(&id), self.names.get_mut(&name)) else { return };
        waiter.want = Want::Watch;
        waiter.place = Place::Name(name.clone());
        self.alarms.set(Alarm::Waiter(id), None);
        entry.watch.begin(id);
        self.mark_dirty(name);
    }

    /// The watcher is gone.
    pub(in crate::core) fn end_watch(&mut self, name: &TokenName, id: WaiterId, uid: u32) {
        let Some(entry) = self.names.get_mut(name) else { return };
        // A watcher has read whatever there was.
        if entry.watch.end(id) {
            entry.reads.seen |= entry.token.is_some();
        }
        let other = entry.watch.watchers().next();
        match other.map(|id| self.waiters.get(&id)) {
            Some(Some(other)) => self.hand_place_on(name, uid, other.asker.uid),
            Some(None) => {}
            None => self.mark_dirty(name.clone()),
        }
    }

    /// Tells the watchers of this name, and of the tenants that wait for its token, how they are doing, if that is
    /// something new.
    pub(in crate::core) fn tell_watchers(&mut self, now: Now, name: &TokenName) {
        self.tell_health(now, name);
        // What its tenants make of it changes rarely, and there may be very many of them.
        if name.tenant.is_none() && self.is_news_to_children(name) {
            for tenant in self.demand().waiting_children(name) {
                self.tell_health(now, &tenant);
            }
        }
    }

    fn is_news_to_children(&mut self, parent: &TokenName) -> bool {
        let Some(entry) = self.names.get(parent) else { return false };
        let now = (entry.is_in_passing_trouble(), entry.trouble.is_some());
        let Some(state) = self.profiles.get_mut(&parent.profile) else { return false };
        std::mem::replace(&mut state.told_of_parent, now) != now
    }

    fn tell_health(&mut self, now: Now, name: &TokenName) {
        let Some(entry) = self.names.get(name).filter(|entry| entry.watch.is_on()) else { return };
        let report = self.health_report(now, name, entry);
        let has_error = report.last_error.is_some();
        let Some(entry) = self.names.get_mut(name) else { return };
        if entry.watch.is_news(report.health, has_error) {
            self.effects.push_back(Effect::Health { name: name.clone(), report });
        }
    }

    fn health_report(&self, now: Now, name: &TokenName, entry: &crate::core::token_state::Name) -> HealthReport {
        HealthReport {
            name: name.to_string(),
            health: self.health(now, name, entry),
            last_error: self.last_error(name, entry),
            action: errors::advice(entry),
        }
    }
}
