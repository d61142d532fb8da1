//! One name at a time: expire its token, answer its waiters, decide whether to renew it.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{ErrorCode, Flags, Renewed, TokenName};

use super::activity::Activity;
use super::classic::state::chain_key;
use super::effect::{Effect, Outcome};
use super::id::WaiterId;
use super::issued::{AccessToken, ReadMode};
use super::report::errors;
use super::time::{BootTime, Now};
use super::timers::Alarm;
use super::token_state::{Name, Reads, TroubleKind, Waiter, Want};
use super::{Core, schedule};

/// How long after its pause a failure of an on-demand tenant still counts.
const REMEMBERED_FAILURE: Duration = Duration::from_secs(60);
const REMEMBERED_REFUSAL: Duration = Duration::from_secs(600);

impl Core {
    pub(super) fn update(&mut self, now: Now, name: &TokenName) {
        self.expire(now, name);
        self.answer_waiters(now, name);
        let Some(entry) = self.names.get(name) else { return };
        if entry.activity == Activity::Idle {
            if self.wants_request(now, name, entry) {
                self.begin(now, name);
                self.answer_waiters(now, name); // what was begun may have failed at once
            } else if self.is_done_with(now, entry) {
                self.drop_name(name);
                return;
            } else if may_be_let_go(entry, now.boot) {
                self.ask_last_read(name);
            }
        }
        let Some(entry) = self.names.get(name) else { return };
        self.set_alarm(name, self.wake(now.boot, entry));
        self.move_in_queue(name);
        self.tell_watchers(now, name);
    }

    fn expire(&mut self, now: Now, name: &TokenName) {
        let Some(entry) = self.names.get_mut(name) else { return };
        if entry.token.is_some() && entry.good(now.boot).is_none() {
            entry.token = None;
            entry.hold_until = None;
            entry.mode = ReadMode::Serve;
            entry.forced = None;
            let held = !entry.is_classic();
            self.held_version += u64::from(held);
            self.effects.push_back(Effect::Withdraw(name.clone()));
        }
        if entry.hold_until.is_some_and(|until| until <= now.boot) {
            entry.hold_until = None;
            self.set_mode(name, ReadMode::ServeRenewing);
        }
    }

    /// Answers those who wait for a name, if something about it is another thing than when they were last looked at.
    pub(super) fn answer_waiters(&mut self, now: Now, name: &TokenName) {
        let Some(entry) = self.names.get(name).filter(|entry| !entry.waiters.is_empty()) else { return };
        let prospect = entry.prospect(self.parent_in_trouble(name, entry));
        if !self.names.get_mut(name).is_some_and(|entry| entry.waiters.is_news(prospect)) {
            return;
        }
        let entry = &self.names[name];
        let parent = self.parent_in_trouble(name, entry);
        let answer = |id| Some((id, outcome_for(name, entry, parent, self.waiters.get(&id)?, now)?));
        let answers: Vec<(WaiterId, Outcome)> = entry.waiters.ids().filter_map(answer).collect();
        for (id, outcome) in answers {
            self.serve(name, id, outcome);
        }
    }

    /// The workspace whose token a tenant waits for, if its last renewal failed and is tried again soon.
    /// A refused workspace is the tenant's own trouble, with its own code and advice.
    pub(super) fn parent_in_trouble(&self, name: &TokenName, entry: &Name) -> Option<&Name> {
        if entry.activity != Activity::Parent {
            return None;
        }
        let parent = self.names.get(&TokenName::from(name.profile.clone()));
        parent.filter(|parent| parent.is_in_passing_trouble())
    }

    fn wants_request(&self, now: Now, name: &TokenName, entry: &Name) -> bool {
        if self.stopping {
            return false;
        }
        if let Some(key) = chain_key(&entry.profile)
            && let Some(wants) = self.chain_wants(now, &key)
        {
            return wants;
        }
        if let Some(at) = entry.retry_at {
            return at <= now.boot && (entry.is_kept() || !entry.waiters.is_empty() || entry.good(now.boot).is_some());
        }
        let Some(token) = entry.good(now.boot) else {
            return entry.is_kept() || !entry.waiters.is_empty();
        };
        if entry.forced == Some(token.fingerprint) {
            return true;
        }
        if token.refresh <= now.boot && (entry.is_kept() || entry.reads.seen) {
            return true;
        }
        if name.tenant.is_none() && self.children_wait(name) && !self.parent_is_good(now, &name.profile) {
            return true;
        }
        let wants_more =
            |id| self.waiters.get(&id).is_some_and(|waiter| is_improvable(entry, token, &waiter.want, now.boot));
        may_renew_early(entry, token, now.boot) && entry.waiters.ids().any(wants_more)
    }

    /// Whether a question that comes to this name is a reason to begin a request. As [`Core::wants_request`], as far as
    /// that depends on it.
    pub(super) fn is_reason_to_begin(&self, now: Now, entry: &Name, want: &Want) -> bool {
        if self.stopping || entry.activity != Activity::Idle {
            return false;
        }
        let of_chain = chain_key(&entry.profile).and_then(|key| self.chain_wants(now, &key));
        of_chain.unwrap_or_else(|| match (entry.retry_at, entry.good(now.boot)) {
            (Some(at), _) => at <= now.boot,
            (None, None) => true,
            (None, Some(token)) => is_improvable(entry, token, want, now.boot),
        })
    }

    /// An on-demand tenant without a token that nobody waits for.
    fn is_done_with(&self, now: Now, entry: &Name) -> bool {
        !entry.is_kept()
            && entry.good(now.boot).is_none()
            && entry.waiters.is_empty()
            && forgotten_at(entry).is_none_or(|at| at <= now.boot)
    }

    fn drop_name(&mut self, name: &TokenName) {
        self.set_alarm(name, None);
        self.count_on_demand(name, false);
        self.names.remove(name);
    }

    /// When this name is to be looked at again.
    pub(super) fn set_alarm(&mut self, name: &TokenName, at: Option<BootTime>) {
        if let Some(entry) = self.names.get_mut(name) {
            let before = std::mem::replace(&mut entry.alarm, at);
            self.alarms.change(before, at, || Alarm::Name(name.clone()));
        }
    }

    fn wake(&self, now: BootTime, entry: &Name) -> Option<BootTime> {
        let token = entry.good(now);
        let mut times = vec![entry.hold_until, token.map(|token| token.expires)];
        if entry.activity == Activity::Idle && !self.stopping {
            times.extend(chain_key(&entry.profile).into_iter().flat_map(|key| self.chain_times(&key)));
            times.push(entry.retry_at.or_else(|| next_look(entry, token?)));
            times.push(forgotten_at(entry).filter(|_| !entry.is_kept() && token.is_none()));
        }
        times.into_iter().flatten().filter(|at| *at > now).min()
    }

    fn ask_last_read(&mut self, name: &TokenName) {
        if let Some(entry) = self.names.get_mut(name) {
            entry.reads.asked = true;
            self.effects.push_back(Effect::AskLastRead(name.clone()));
        }
    }

    pub(super) fn last_read(&mut self, now: Now, name: &TokenName, at: Option<BootTime>) {
        let Some(entry) = self.names.get_mut(name) else { return };
        entry.reads.asked = false;
        let Some(token) = &entry.token else { return };
        if at.is_some_and(|at| at >= token.issued) {
            entry.reads.seen = true;
        } else {
            entry.reads.unread_at = Some(now.boot);
        }
        self.mark_dirty(name.clone());
    }

    pub(super) fn set_mode(&mut self, name: &TokenName, mode: ReadMode) {
        let Some(entry) = self.names.get_mut(name) else { return };
        if entry.mode != mode {
            entry.mode = mode;
            self.publish(name);
        }
    }

    pub(super) fn publish(&mut self, name: &TokenName) {
        if let Some(entry) = self.names.get(name)
            && let Some(token) = &entry.token
        {
            let (token, mode) = (Arc::clone(token), entry.mode);
            self.effects.push_back(Effect::Publish { name: name.clone(), token, mode });
        }
    }
}

/// Until when it is remembered of an on-demand tenant that its last request failed: were it forgotten as soon as it may
/// be tried again, a peer that asks again and again would end its backoff each time.
fn forgotten_at(entry: &Name) -> Option<BootTime> {
    let memory = if entry.is_permanent() { REMEMBERED_REFUSAL } else { REMEMBERED_FAILURE };
    entry.retry_at.map(|at| at + memory)
}

/// When a good token has to be looked at again: at its renewal, or to see whether anybody read it.
fn next_look(entry: &Name, token: &AccessToken) -> Option<BootTime> {
    let last = token.expires - schedule::margin(token.life());
    match entry.reads {
        _ if entry.is_kept() => Some(token.refresh),
        Reads { seen: true, .. } | Reads { unread_at: None, asked: false, .. } => Some(token.refresh),
        Reads { asked: true, .. } => None,
        // Not read so far: one more look before it is too late to renew, then it is let go.
        Reads { unread_at: Some(at), .. } => Some(last).filter(|last| at < *last),
    }
}

/// Whether it is time to see if anybody read this on-demand tenant.
fn may_be_let_go(entry: &Name, now: BootTime) -> bool {
    let idle = !entry.is_kept() && !entry.reads.asked && !entry.reads.seen && entry.retry_at.is_none();
    idle && entry.good(now).and_then(|token| next_look(entry, token)).is_some_and(|at| at <= now)
}

/// Whether another token has more life left, as this question wants.
fn is_improvable(entry: &Name, token: &AccessToken, want: &Want, now: BootTime) -> bool {
    match want {
        Want::Token { min_ttl, .. } => token.left(now) < *min_ttl && may_renew_early(entry, token, now),
        _ => false,
    }
}

/// Whether a peer's `min_ttl` is reason enough to renew: not for Classic, where it would kill the token that
/// others use, and not while the token is as new as can be had.
fn may_renew_early(entry: &Name, token: &AccessToken, now: BootTime) -> bool {
    !entry.is_classic() && now.since(token.issued) > token.life() / 4
}

/// What this waiter is to be told now; `None` if it is to go on waiting.
pub(super) fn outcome_for(
    name: &TokenName,
    entry: &Name,
    parent: Option<&Name>,
    waiter: &Waiter,
    now: Now,
) -> Option<Outcome> {
    let out_of_time = waiter.deadline <= now.boot;
    let (min_ttl, other_than) = match &waiter.want {
        Want::Token { min_ttl, other_than } => (*min_ttl, *other_than),
        Want::Renewed { other_than } => (Duration::ZERO, *other_than),
        Want::Import(_) => return out_of_time.then(|| super::classic::import::still_trying(name)),
        Want::Listed(_) | Want::Watch => return None,
    };
    let idle = entry.activity == Activity::Idle;
    let too_late = |at: BootTime| idle && at > waiter.deadline;
    let Some(token) = entry.good(now.boot) else {
        let parent_rests = parent.is_some_and(|parent| {
            parent.activity == Activity::Idle && parent.retry_at.is_some_and(|at| at > waiter.deadline)
        });
        let hopeless = entry.is_permanent() || entry.retry_at.is_some_and(too_late) || parent_rests;
        return (out_of_time || hopeless).then(|| errors::no_token(name, entry, parent, now.boot));
    };
    if other_than == Some(token.fingerprint) {
        if out_of_time || entry.is_permanent() || entry.retry_at.is_some_and(too_late) {
            return Some(not_replaced(name, entry, parent, now.boot));
        }
        if idle && entry.forced.is_none() {
            // The provider gave the very same token again.
            return Some(errors::throttled(name, entry.throttle.next.since(now.boot)));
        }
        return None;
    }
    if entry.hold_until.is_some_and(|until| now.boot < until) && !out_of_time {
        return None;
    }
    let short = token.left(now.boot) < min_ttl;
    if short && !out_of_time && !entry.is_permanent() && !entry.retry_at.is_some_and(too_late) {
        let busy = !idle && !entry.is_classic();
        if busy || may_renew_early(entry, token, now.boot) {
            return None;
        }
    }
    if let Want::Renewed { .. } = waiter.want {
        return Some(Outcome::Renewed(Renewed {
            fingerprint: token.fingerprint,
            expires_at: now.stamp(token.expires),
            refresh_at: now.stamp(token.refresh),
        }));
    }
    let renewing = entry.mode != ReadMode::Serve;
    let flags = [(short, Flags::FALLS_SHORT), (renewing, Flags::RENEWING)];
    let flags = flags.into_iter().filter(|(set, _)| *set).fold(Flags::NONE, |all, (_, flag)| all.union(flag));
    Some(Outcome::Token { token: Arc::clone(token), flags })
}

/// A token that its peer does not want is still the current one.
fn not_replaced(name: &TokenName, entry: &Name, parent: Option<&Name>, now: BootTime) -> Outcome {
    let in_trouble = parent.unwrap_or(entry);
    match &in_trouble.trouble {
        Some(trouble) if trouble.kind == TroubleKind::Transient => {
            let wait = in_trouble.retry_at.map(|at| at.since(now));
            let next = wait.map_or_else(String::new, |wait| format!("; trying again in {} s", errors::seconds(wait)));
            let message = format!("{name}: there is no other token: {}{next}", trouble.message);
            errors::error(ErrorCode::Unavailable, message, wait)
        }
        Some(_) => errors::no_token(name, entry, parent, now),
        None => {
            let wait = in_trouble.retry_at.filter(|at| *at > now).map(|at| at.since(now));
            let message = match wait {
                Some(wait) => format!(
                    "{name}: the provider gave the same token again; the next one is asked for in {} s",
                    errors::seconds(wait)
                ),
                None => format!("{name}: a new token was asked for and has not arrived yet"),
            };
            errors::error(ErrorCode::Unavailable, message, wait)
        }
    }
}
