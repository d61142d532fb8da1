//! Questions of peers that may have to wait: where each waits, for how long, and how it is answered.

use std::time::Duration;

use tokend_proto::{Fingerprint, ProfileName, TokenName};

use super::activity::Activity;
use super::classic::state::chain_key;
use super::effect::Outcome;
use super::id::{Asker, WaiterId};
use super::input::Question;
use super::issued::ReadMode;
use super::report::errors;
use super::settings::Kind;
use super::tenants::on_demand::no_room;
use super::time::Now;
use super::timers::Alarm;
use super::token_state::{Name, Place, Throttle, Waiter, Want};
use super::{Core, schedule, token};

/// How long a rejected token's peer waits for another one.
const REJECT_WAIT: Duration = Duration::from_secs(10);

/// How long an operator's `refresh` or `import` waits: longer than one request may take.
const OPERATOR_WAIT: Duration = Duration::from_secs(40);

/// At most one forced renewal per name in this time, at first and after many rejections in a row.
const FORCED_INTERVAL: Duration = Duration::from_secs(30);
const FORCED_INTERVAL_CLASSIC: Duration = Duration::from_secs(60);
const MAX_FORCED_INTERVAL: Duration = Duration::from_secs(600);

impl Core {
    pub(super) fn ask(&mut self, now: Now, id: WaiterId, asker: Asker, question: Question) {
        let (wait, profile) = match &question {
            Question::Get { name, wait, .. } => (*wait, &name.profile),
            Question::Reject { name, .. } | Question::Watch { name } => (REJECT_WAIT, &name.profile),
            Question::Resolve { profile, .. } | Question::Tenants { profile, .. } => (REJECT_WAIT, profile),
            Question::Refresh { name } => (OPERATOR_WAIT, &name.profile),
            Question::Import { profile, .. } => (OPERATOR_WAIT, profile),
        };
        let place = Place::Listing(profile.clone());
        let want = Want::Listed(question.clone());
        self.waiters.insert(id, Waiter { asker, deadline: now.boot + wait, place, want });
        self.route(now, id, question);
    }

    /// Finds the place where a question waits, or answers it.
    pub(super) fn route(&mut self, now: Now, id: WaiterId, question: Question) {
        match question {
            Question::Get { ref name, min_ttl, .. } => {
                let name = name.clone();
                if self.admit(now, id, &name, &question) {
                    self.wait_for(now, id, name, Want::Token { min_ttl, other_than: None });
                }
            }
            Question::Reject { ref name, fingerprint, min_ttl } => {
                let name = name.clone();
                if self.admit(now, id, &name, &question) && self.force(now, id, &name, fingerprint) {
                    self.wait_for(now, id, name, Want::Token { min_ttl, other_than: Some(fingerprint) });
                }
            }
            Question::Refresh { ref name } => {
                let name = name.clone();
                if self.admit(now, id, &name, &question) {
                    let current = self.names[&name].good(now.boot).map(|token| token.fingerprint);
                    let was_forced = self.names[&name].forced.is_some();
                    if current.is_none_or(|fingerprint| self.force(now, id, &name, fingerprint)) {
                        self.try_incomplete_chain(now, &name, current.is_some() && !was_forced);
                        self.wait_for(now, id, name, Want::Renewed { other_than: current });
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
        }
    }

    /// Answers a question about a name at once, or has it wait there. It alone is looked at, and not those who wait
    /// already, unless something about the name has changed.
    fn wait_for(&mut self, now: Now, id: WaiterId, name: TokenName, want: Want) {
        let (Some(waiter), Some(entry)) = (self.waiters.get_mut(&id), self.names.get(&name)) else { return };
        waiter.want = want;
        let waiter = waiter.clone();
        if let Some(outcome) = token::outcome_for(&name, entry, self.parent_in_trouble(&name, entry), &waiter, now) {
            return self.serve(&name, id, outcome);
        }
        let begin = self.is_reason_to_begin(now, entry, &waiter.want);
        let prospect = entry.prospect(self.parent_in_trouble(&name, entry));
        self.stand_at(id, &name, waiter.want);
        if let Some(entry) = self.names.get_mut(&name) {
            entry.waiters.came_with(prospect);
        }
        if begin {
            let state = |entry: &Name| (entry.activity, entry.retry_at, entry.failures);
            let before = self.names.get(&name).map(state);
            self.begin(now, &name);
            if self.names.get(&name).map(state) != before {
                self.mark_dirty(name);
            }
        }
    }

    /// Gives a question its place among those that wait for a name.
    pub(super) fn stand_at(&mut self, id: WaiterId, name: &TokenName, want: Want) {
        let (Some(waiter), Some(entry)) = (self.waiters.get_mut(&id), self.names.get_mut(name)) else { return };
        waiter.want = want;
        waiter.place = Place::Name(name.clone());
        self.alarms.set(Alarm::Waiter(id), Some(waiter.deadline));
        let uid = waiter.asker.uid;
        if entry.waiters.insert(id, uid) {
            self.needed_by(name, uid);
        }
    }

    /// Answers a question that was asked of a name.
    pub(super) fn serve(&mut self, name: &TokenName, id: WaiterId, outcome: Outcome) {
        if matches!(outcome, Outcome::Token { .. })
            && let Some(entry) = self.names.get_mut(name)
            && !std::mem::replace(&mut entry.reads.seen, true)
        {
            self.mark_dirty(name.clone());
        }
        self.answer(id, outcome);
    }

    /// Takes a question out of wherever it stands.
    pub(super) fn take_waiter(&mut self, id: WaiterId) -> Option<Waiter> {
        let waiter = self.waiters.remove(&id)?;
        self.alarms.set(Alarm::Waiter(id), None);
        match &waiter.place {
            Place::Name(name) => {
                if matches!(waiter.want, Want::Watch) {
                    self.end_watch(name, id, waiter.asker.uid);
                }
                if let Some(entry) = self.names.get_mut(name)
                    && entry.waiters.remove(id)
                {
                    self.needed_no_more_by(name, waiter.asker.uid);
                }
            }
            Place::Listing(profile) => {
                if let Some(listing) = self.listing_mut(profile) {
                    listing.waiters.remove(id);
                }
            }
        }
        Some(waiter)
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
            self.answer(id, errors::no_such_name(message + &remedy));
            return false;
        };
        if !listing.tenants.contains_key(&tenant) {
            self.ask_listing(now, id, question.clone());
            return false;
        }
        let profile = profile.profile.clone();
        let Some(asker) = self.waiters.get(&id).map(|waiter| waiter.asker) else { return false };
        if let Err(why) = self.take_on_demand(&name.profile, asker) {
            self.answer(id, no_room(&name.profile, asker, why));
            return false;
        }
        self.names.insert(name.clone(), Name { place_of: Some(asker.uid), ..Name::new(profile, false) });
        true
    }

    pub(super) fn unknown_profile(&self, profile: &ProfileName) -> Outcome {
        let known: Vec<&str> = self.profiles.keys().map(ProfileName::as_str).take(20).collect();
        let known =
            if known.is_empty() { "there is none".to_owned() } else { format!("there are: {}", known.join(", ")) };
        errors::no_such_name(format!("no profile is named {profile}; {known}"))
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
            self.answer(id, errors::throttled(name, wait));
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
        self.invalidate(name, fingerprint);
        self.mark_dirty(name.clone());
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
            self.mark_dirty(name.clone());
        }
    }

    /// The peer is gone.
    pub(super) fn forget(&mut self, id: WaiterId) {
        if let Some(waiter) = self.take_waiter(id) {
            self.waiter_left(&waiter);
        }
    }

    /// What a name does may depend on whether anybody waits for it.
    fn waiter_left(&mut self, waiter: &Waiter) {
        if let Place::Name(name) = &waiter.place
            && self.names.get(name).is_some_and(|entry| entry.waiters.is_empty())
        {
            self.mark_dirty(name.clone());
        }
    }

    /// A peer has waited for as long as it wanted.
    pub(super) fn deadline(&mut self, now: Now, id: WaiterId) {
        let Some(waiter) = self.waiters.get(&id).filter(|waiter| waiter.deadline <= now.boot) else { return };
        let waiter = waiter.clone();
        let outcome = match &waiter.place {
            Place::Name(name) => self
                .names
                .get(name)
                .and_then(|entry| token::outcome_for(name, entry, self.parent_in_trouble(name, entry), &waiter, now)),
            Place::Listing(profile) => self.listing_not_known(now, profile, &waiter),
        };
        let outcome = outcome.unwrap_or_else(|| {
            debug_assert!(false, "{id:?} waits for what is gone");
            errors::no_such_name("what it waits for was removed from the configuration")
        });
        match &waiter.place {
            Place::Name(name) => self.serve(name, id, outcome),
            Place::Listing(_) => self.answer(id, outcome),
        }
        self.waiter_left(&waiter);
    }
}
