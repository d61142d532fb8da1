//! Questions of peers, and the answers that need no provider.

use std::time::Duration;

use tokend_proto::{ErrorCode, Fingerprint, ProfileName, TokenName};

use super::Core;
use super::alarm::Alarm;
use super::chain_state::chain_key;
use super::effect::{Outcome, ReadMode};
use super::failure;
use super::input::{Question, WaiterId};
use super::schedule;
use super::settings::Kind;
use super::state::{Activity, Name, Place, Throttle, Waiter, Want};
use super::time::Now;

/// Questions that may be open at once. Beyond it peers are told to come back.
const MAX_WAITERS: usize = 65_536;

/// On-demand tenants that a profile may have.
const MAX_ON_DEMAND: usize = 1024;

/// How long a rejected token's peer waits for another one.
const REJECT_WAIT: Duration = Duration::from_secs(10);

/// How long an operator's `refresh` or `import` waits: longer than one request may take.
const OPERATOR_WAIT: Duration = Duration::from_secs(40);

/// At most one forced renewal per name in this time, at first and after many rejections in a row.
const FORCED_INTERVAL: Duration = Duration::from_secs(30);
const FORCED_INTERVAL_CLASSIC: Duration = Duration::from_secs(60);
const MAX_FORCED_INTERVAL: Duration = Duration::from_secs(600);

impl Core {
    pub(super) fn ask(&mut self, now: Now, id: WaiterId, uid: u32, question: Question) {
        let wait = match &question {
            Question::Get { wait, .. } => *wait,
            Question::Reject { .. } | Question::Watch { .. } | Question::Resolve { .. } | Question::Tenants { .. } => {
                REJECT_WAIT
            }
            Question::Refresh { .. } | Question::Import { .. } => OPERATOR_WAIT,
            Question::Status | Question::Explain { .. } => Duration::ZERO,
        };
        let place = Place::Listing(match &question {
            Question::Get { name, .. }
            | Question::Reject { name, .. }
            | Question::Watch { name }
            | Question::Refresh { name } => name.profile.clone(),
            Question::Import { profile, .. } | Question::Resolve { profile, .. } | Question::Tenants { profile } => {
                profile.clone()
            }
            Question::Status => {
                let outcome = Outcome::Status(self.status(now));
                self.effects.push_back(super::Effect::Answer { waiter: id, outcome });
                return;
            }
            Question::Explain { name } => {
                let outcome = self.explain(now, name);
                self.effects.push_back(super::Effect::Answer { waiter: id, outcome });
                return;
            }
        });
        let full = self.waiters.len() - self.watches >= MAX_WAITERS;
        let want = Want::Listed(question.clone());
        self.waiters.insert(id, Waiter { uid, deadline: now.boot + wait, place, want });
        if full {
            let message = "too many requests are waiting for tokens";
            self.answer(id, failure::error(ErrorCode::Busy, message, Some(Duration::from_secs(1))));
        } else {
            self.route(now, id, question);
        }
    }

    /// Finds the place where a question waits, or answers it.
    pub(super) fn route(&mut self, now: Now, id: WaiterId, question: Question) {
        match question {
            Question::Get { ref name, min_ttl, .. } => {
                let name = name.clone();
                if self.admit(now, id, &name, &question) {
                    self.wait_for(id, name, Want::Token { min_ttl, other_than: None });
                }
            }
            Question::Reject { ref name, fingerprint, min_ttl } => {
                let name = name.clone();
                if self.admit(now, id, &name, &question) && self.force(now, id, &name, fingerprint) {
                    self.wait_for(id, name, Want::Token { min_ttl, other_than: Some(fingerprint) });
                }
            }
            Question::Refresh { ref name } => {
                let name = name.clone();
                if self.admit(now, id, &name, &question) {
                    let current = self.names[&name].good(now.boot).map(|token| token.fingerprint);
                    let was_forced = self.names[&name].forced.is_some();
                    if current.is_none_or(|fingerprint| self.force(now, id, &name, fingerprint)) {
                        self.try_incomplete_chain(now, &name, current.is_some() && !was_forced);
                        self.wait_for(id, name, Want::Renewed { other_than: current });
                    }
                }
            }
            Question::Watch { ref name } => {
                let name = name.clone();
                if self.admit(now, id, &name, &question) {
                    self.begin_watch(id, name);
                }
            }
            Question::Import { profile, refresh_token } => self.import(now, id, &profile, refresh_token),
            Question::Resolve { .. } | Question::Tenants { .. } => self.ask_listing(now, id, question),
            Question::Status | Question::Explain { .. } => unreachable!("answered on arrival"),
        }
    }

    fn wait_for(&mut self, id: WaiterId, name: TokenName, want: Want) {
        let (Some(waiter), Some(entry)) = (self.waiters.get_mut(&id), self.names.get_mut(&name)) else { return };
        waiter.want = want;
        waiter.place = Place::Name(name.clone());
        self.alarms.set(Alarm::Waiter(id), Some(waiter.deadline));
        entry.waiters.push(id);
        self.mark(name);
    }

    /// Whether the name is known. If not, the question is answered, or waits for the list of tenants.
    fn admit(&mut self, now: Now, id: WaiterId, name: &TokenName, question: &Question) -> bool {
        if self.names.contains_key(name) {
            return true;
        }
        let Some(profile) = self.profiles.get(&name.profile) else {
            self.answer(id, self.unknown_profile(&name.profile));
            return false;
        };
        let (Some(tenant), Some(listing)) = (name.tenant, &profile.listing) else {
            let message = format!("profile {} has no tenant tokens", name.profile);
            let remedy = match profile.profile.kind {
                Kind::Glp { .. } => format!("; to allow them, add [profiles.{}.tenants]", name.profile),
                _ => "; only profiles of kind \"glp\" do".to_owned(),
            };
            self.answer(id, failure::no_such_name(message + &remedy));
            return false;
        };
        if !listing.tenants.contains_key(&tenant) {
            self.ask_listing(now, id, question.clone());
            return false;
        }
        let on_demand = self.tenants_of(&name.profile).filter(|(_, entry)| !entry.warm).count();
        if on_demand >= MAX_ON_DEMAND {
            let message = format!(
                "profile {} keeps {MAX_ON_DEMAND} on-demand tenants already; one that nobody reads makes room when \
                 its token expires",
                name.profile
            );
            self.answer(id, failure::error(ErrorCode::Unavailable, message, Some(Duration::from_secs(60))));
            return false;
        }
        let profile = profile.profile.clone();
        self.names.insert(name.clone(), Name::new(profile, false));
        true
    }

    pub(super) fn unknown_profile(&self, profile: &ProfileName) -> Outcome {
        let known: Vec<&str> = self.profiles.keys().map(ProfileName::as_str).take(20).collect();
        let known =
            if known.is_empty() { "there is none".to_owned() } else { format!("there are: {}", known.join(", ")) };
        failure::no_such_name(format!("no profile is named {profile}; {known}"))
    }

    /// All tenants of a profile that have an entry.
    pub(super) fn tenants_of<'a>(
        &'a self,
        profile: &'a ProfileName,
    ) -> impl Iterator<Item = (&'a TokenName, &'a Name)> {
        let parent = TokenName::from(profile.clone());
        self.names.range(parent..).take_while(move |(n, _)| n.profile == *profile).filter(|(n, _)| n.tenant.is_some())
    }

    /// Whether a question about a token that is not wanted any more may wait for another one. If not, it was
    /// answered.
    fn force(&mut self, now: Now, id: WaiterId, name: &TokenName, fingerprint: Fingerprint) -> bool {
        let Some(entry) = self.names.get_mut(name) else { return false };
        if entry.good(now.boot).is_none_or(|token| token.fingerprint != fingerprint) || entry.forced.is_some() {
            return true;
        }
        if entry.activity != Activity::Idle && entry.mode == ReadMode::Serve && !entry.is_classic() {
            return true; // a newer token is on its way already
        }
        if now.boot < entry.throttle.next {
            let wait = entry.throttle.next.since(now.boot);
            self.answer(id, failure::throttled(name, wait));
            return false;
        }
        let first = if entry.is_classic() { FORCED_INTERVAL_CLASSIC } else { FORCED_INTERVAL };
        let interval = if entry.token_was_forced {
            schedule::doubled(entry.throttle.interval.max(first), 1, MAX_FORCED_INTERVAL)
        } else {
            first
        };
        entry.throttle = Throttle { next: now.boot + interval, interval };
        entry.forced = Some(fingerprint);
        self.condemn(name, fingerprint);
        true
    }

    /// An operator wants a chain that is left alone for a while, because its last answer was not complete, to be tried
    /// now. Not more often than a renewal may be forced: `may_force` is whether it was asked already if it may be.
    fn try_incomplete_chain(&mut self, now: Now, name: &TokenName, may_force: bool) {
        let Some(key) = self.names.get(name).and_then(|entry| chain_key(&entry.profile)) else { return };
        if self.chains.get(&key).is_none_or(|chain| chain.incomplete == 0) {
            return;
        }
        let Some(entry) = self.names.get_mut(name) else { return };
        if may_force || entry.throttle.next <= now.boot {
            entry.throttle.next = entry.throttle.next.max(now.boot + FORCED_INTERVAL_CLASSIC);
            entry.retry_at = None;
            if let Some(chain) = self.chains.get_mut(&key) {
                chain.rest_until = None;
            }
            self.mark(name.clone());
        }
    }

    /// The peer is gone.
    pub(super) fn forget(&mut self, id: WaiterId) {
        let Some(waiter) = self.waiters.remove(&id) else { return };
        self.alarms.set(Alarm::Waiter(id), None);
        let was_watch = matches!(waiter.want, Want::Watch);
        self.watches -= usize::from(was_watch);
        match waiter.place {
            Place::Name(name) => {
                if was_watch {
                    self.end_watch(&name, id);
                }
                if let Some(entry) = self.names.get_mut(&name) {
                    entry.waiters.retain(|w| *w != id);
                }
                self.mark(name);
            }
            Place::Listing(profile) => {
                if let Some(listing) = self.profiles.get_mut(&profile).and_then(|p| p.listing.as_mut()) {
                    listing.waiters.retain(|w| *w != id);
                }
            }
        }
    }

    /// A peer has waited for as long as it wanted.
    pub(super) fn deadline(&mut self, now: Now, id: WaiterId) {
        match self.waiters.get(&id).map(|waiter| waiter.place.clone()) {
            Some(Place::Name(name)) => self.mark(name),
            Some(Place::Listing(profile)) => self.answer_listing(now, &profile),
            None => {}
        }
        let place = self.waiters.get(&id).filter(|waiter| waiter.deadline <= now.boot).map(|waiter| &waiter.place);
        let is_gone = match place {
            Some(Place::Name(name)) => !self.names.contains_key(name),
            Some(Place::Listing(profile)) => self.profiles.get(profile).is_none_or(|state| state.listing.is_none()),
            None => false,
        };
        if is_gone {
            debug_assert!(false, "{id:?} waits for what is gone");
            self.answer(id, failure::no_such_name("what it waits for was removed from the configuration"));
        }
    }
}
