//! The tenants of an MSP workspace: fetched page by page, kept for an hour, looked up by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{ErrorCode, Fingerprint, ProfileName, Tenant, TenantRef, TokenName, WorkspaceId};

use crate::core::effect::{Effect, Outcome, Severity};
use crate::core::egress::queue::Job;
use crate::core::id::WaiterId;
use crate::core::input::Question;
use crate::core::provider::{Answer, Failure, FailureKind, Grant, ProviderRequest, RequestId, TenantPage};
use crate::core::report::errors;
use crate::core::report::page::{Page, Part, part};
use crate::core::settings::{Kind, Profile};
use crate::core::time::{BootTime, Now};
use crate::core::timers::Alarm;
use crate::core::token_state::{Fetch, Listing, Name, Place, Purpose, Waiter, Want};
use crate::core::{Core, schedule};

/// The list is renewed this often.
const RENEWED_EVERY: Duration = Duration::from_secs(3600);

/// And this often at most when something unknown is asked for.
const UNKNOWN_AT_MOST_EVERY: Duration = Duration::from_secs(60);

/// More tenants than any provider has are a provider's fault.
const MAX_TENANTS: usize = 100_000;

/// So are pages so small that a list takes more requests than this, one after the other.
const MAX_PAGES: u32 = 1_000;

impl Listing {
    pub(in crate::core) fn page(&self, profile: &ProfileName, page: &Page<WorkspaceId>) -> Part<Tenant, WorkspaceId> {
        let readable = page.reader.access.readable(&page.reader.peer);
        let may_read = |id: &WorkspaceId| readable.includes(&TokenName { profile: profile.clone(), tenant: Some(*id) });
        part(&self.tenants, page, may_read, |id, name| Tenant { id: id.to_string(), workspace_name: name.to_string() })
    }
}

impl Core {
    /// A question that needs the list: answered from it, or put off until it is there.
    pub(in crate::core) fn ask_listing(&mut self, now: Now, id: WaiterId, question: Question) {
        let profile = match &question {
            Question::Resolve { profile, .. } | Question::Tenants { profile, .. } => profile.clone(),
            Question::Get { name, .. }
            | Question::Reject { name, .. }
            | Question::Watch { name }
            | Question::Refresh { name } => name.profile.clone(),
            Question::Import { .. } => return,
        };
        let Some(state) = self.profiles.get_mut(&profile) else {
            let outcome = self.unknown_profile(&profile);
            return self.answer(id, outcome);
        };
        let Some(listing) = &mut state.listing else {
            let message = format!("profile {profile} has no tenants");
            return self.answer(id, errors::no_such_name(message));
        };
        listing.wanted = true;
        let age = listing.fetched.map(|at| now.boot.since(at));
        let usable = match &question {
            Question::Tenants { .. } => age.is_some_and(|age| age < RENEWED_EVERY),
            Question::Resolve { workspace_name, .. } => {
                age.is_some_and(|age| age < UNKNOWN_AT_MOST_EVERY) || !listing.named(workspace_name).is_empty()
            }
            _ => age.is_some_and(|age| age < UNKNOWN_AT_MOST_EVERY),
        };
        if usable {
            let outcome = from_list(listing, &profile, &question);
            return self.answer(id, outcome);
        }
        if self.parent_is_rejected(&profile) {
            let outcome = self.rejected_outcome(&profile);
            return self.answer(id, outcome);
        }
        let Some(waiter) = self.waiters.get_mut(&id) else { return };
        waiter.place = Place::Listing(profile.clone());
        waiter.want = Want::Listed(question);
        let waiter = waiter.clone();
        self.alarms.set(Alarm::Waiter(id), Some(waiter.deadline));
        if let Some(listing) = self.listing_mut(&profile) {
            listing.waiters.insert(id, waiter.asker.uid);
        }
        self.consider_listing(now, &profile);
        // It alone: to those who wait already this is nothing new.
        if let Some(outcome) = self.listing_not_known(now, &profile, &waiter) {
            self.answer(id, outcome);
        }
    }

    /// Begins to fetch the list if it is time.
    pub(in crate::core) fn consider_listing(&mut self, now: Now, profile: &ProfileName) {
        if self.stopping {
            return;
        }
        let Some(listing) = self.listing_mut(profile) else { return };
        let due = match (listing.retry_at, listing.fetched) {
            (Some(at), _) => Some(at),
            (None, _) if !listing.waiters.is_empty() => Some(now.boot),
            (None, None) => listing.wanted.then_some(now.boot),
            (None, Some(at)) => listing.wanted.then_some(at + RENEWED_EVERY),
        };
        let begin = listing.activity == Fetch::Idle && due.is_some_and(|due| due <= now.boot);
        let wake = due.filter(|_| listing.activity == Fetch::Idle && !begin);
        self.alarms.set(Alarm::Listing(profile.clone()), wake);
        if begin {
            self.begin_listing(now, profile);
        }
    }

    fn begin_listing(&mut self, now: Now, profile: &ProfileName) {
        let good = self.parent_is_good(now, profile);
        let Some(state) = self.profiles.get_mut(profile) else { return };
        let host = state.profile.endpoint().host.clone();
        let Some(listing) = &mut state.listing else { return };
        if good {
            listing.activity = Fetch::Queued;
            self.push_job(&host, Job::Listing(profile.clone()));
        } else {
            listing.activity = Fetch::Parent;
            self.mark_dirty(TokenName::from(profile.clone()));
        }
    }

    /// The workspace has a good token again.
    pub(in crate::core) fn parent_renewed(&mut self, now: Now, profile: &ProfileName) {
        if let Some(listing) = self.listing_mut(profile) {
            if listing.activity == Fetch::Parent {
                listing.activity = Fetch::Idle;
                self.begin_listing(now, profile);
            } else {
                self.consider_listing(now, profile);
            }
        }
    }

    pub(in crate::core) fn listing_parent_rejected(&mut self, profile: &ProfileName) {
        let Some(listing) = self.listing_mut(profile) else { return };
        if listing.activity == Fetch::Parent {
            listing.activity = Fetch::Idle;
            listing.retry_at = None;
        }
        let outcome = self.rejected_outcome(profile);
        for id in self.listing_waiters(profile) {
            self.answer(id, outcome.clone());
        }
    }

    fn rejected_outcome(&self, profile: &ProfileName) -> Outcome {
        let message = format!(
            "the tenants of {profile} cannot be listed: its credentials are refused by the provider; correct them, \
             then run: tokenctl reload"
        );
        errors::error(ErrorCode::Rejected, message, None)
    }

    pub(in crate::core) fn request_listing(&mut self, now: Now, profile: &ProfileName) -> Option<ProviderRequest> {
        let parent = self.parent_token(now, profile);
        let id = RequestId(self.next_id());
        let state = self.profiles.get_mut(profile)?;
        let owner = Arc::clone(&state.profile);
        let listing = state.listing.as_mut()?;
        let Some(parent) = parent else {
            listing.activity = Fetch::Idle;
            self.begin_listing(now, profile);
            return None;
        };
        listing.activity = Fetch::Sent(id);
        let grant = Grant::ListTenants { token: parent.access_token.clone(), offset: listing.received };
        self.requests.insert(id, Purpose::Listing { profile: profile.clone(), subject: parent.fingerprint });
        Some(ProviderRequest { id, profile: owner, grant })
    }

    pub(in crate::core) fn listing_answered(
        &mut self,
        now: Now,
        request: RequestId,
        profile: &ProfileName,
        subject: Fingerprint,
        answer: Answer,
    ) {
        let awaited = self.listing_mut(profile).filter(|listing| listing.activity == Fetch::Sent(request));
        let Some(listing) = awaited else {
            return self.refused_meanwhile(now, &TokenName::from(profile.clone()), Some(subject), &answer);
        };
        listing.activity = Fetch::Idle;
        match answer {
            Answer::Tenants(page) => self.page_received(now, profile, page),
            Answer::Token(_) | Answer::Pair(_) => {
                self.listing_failed(now, profile, "the answer is not one to this request", None);
            }
            Answer::Failed(failure) => self.page_failed(now, profile, subject, &failure),
        }
    }

    fn page_received(&mut self, now: Now, profile: &ProfileName, page: TenantPage) {
        let Some(listing) = self.listing_mut(profile) else { return };
        let before = listing.partial.len();
        listing.partial.extend(page.items.into_iter().map(|(id, name)| (id, Arc::from(name))));
        listing.received = listing.received.saturating_add(page.received);
        listing.pages += 1;
        if listing.received >= page.total {
            return self.list_received(now, profile);
        }
        if listing.partial.len() == before {
            let message = format!(
                "the provider says there are {} tenants, but a page after {} brought nothing new",
                page.total, listing.received
            );
            return self.listing_failed(now, profile, &message, None);
        }
        if listing.partial.len() > MAX_TENANTS {
            let message = format!("the provider lists more than {MAX_TENANTS} tenants");
            return self.listing_failed(now, profile, &message, None);
        }
        if listing.pages >= MAX_PAGES {
            let (received, total) = (listing.received, page.total);
            let message = format!(
                "the provider gave {received} of {total} tenants in {MAX_PAGES} pages; expected fewer and larger pages"
            );
            return self.listing_refused(now, profile, &message, None);
        }
        self.begin_listing(now, profile);
    }

    fn list_received(&mut self, now: Now, profile: &ProfileName) {
        let Some(listing) = self.listing_mut(profile) else { return };
        listing.tenants = std::mem::take(&mut listing.partial);
        listing.fetched = Some(now.boot);
        listing.received = 0;
        listing.pages = 0;
        listing.failures = 0;
        listing.retry_at = None;
        listing.trouble = None;
        listing.refused_again = false;
        listing.refusals = 0;
        self.list_known(profile);
        self.admit_warm(profile);
        let waiting = self.listing_mut(profile).map(|listing| std::mem::take(&mut listing.waiters)).unwrap_or_default();
        for id in waiting.ids() {
            let Some(Want::Listed(question)) = self.waiters.get(&id).map(|waiter| waiter.want.clone()) else {
                continue;
            };
            self.route(now, id, question);
        }
        self.consider_listing(now, profile);
    }

    /// A list that was received before a restart.
    pub(in crate::core) fn listing_given_back(
        &mut self,
        profile: &ProfileName,
        fetched: BootTime,
        tenants: Vec<(WorkspaceId, Arc<str>)>,
    ) {
        let Some(listing) = self.listing_mut(profile) else { return };
        listing.tenants = tenants.into_iter().collect();
        listing.fetched = Some(fetched);
        self.list_known(profile);
    }

    /// Peers may name the tenants by their workspace names.
    fn list_known(&mut self, profile: &ProfileName) {
        let Some(listing) = self.listing_mut(profile) else { return };
        let mut by_name: Vec<_> = listing.tenants.iter().map(|(id, name)| (Arc::clone(name), *id)).collect();
        by_name.sort_unstable();
        let alone = by_name.chunk_by(|(a, _), (b, _)| a == b).filter(|same| same.len() == 1);
        let tenants = alone.flatten().cloned().collect();
        listing.by_name = by_name;
        self.effects.push_back(Effect::Directory { profile: profile.clone(), tenants });
        self.held_changed();
    }

    /// Gives every warm tenant that the list or the configuration has an id for its entry.
    pub(in crate::core) fn admit_warm(&mut self, profile: &ProfileName) {
        let Some(state) = self.profiles.get(profile) else { return };
        let Kind::Glp { tenants: Some(tenants), .. } = &state.profile.kind else { return };
        let owner = Arc::clone(&state.profile);
        let listing = state.listing.as_ref();
        let (mut ids, mut problems) = (BTreeSet::new(), Vec::new());
        for tenant in &tenants.warm {
            match (tenant, listing) {
                (TenantRef::Id(id), _) => drop(ids.insert(*id)),
                (TenantRef::Name(name), Some(listing)) if listing.fetched.is_some() => match listing.named(name) {
                    [(_, id)] => drop(ids.insert(*id)),
                    [] => problems.push(format!("warm tenant {name:?} is not in the provider's list")),
                    several => problems.push(ambiguous(name, several)),
                },
                (TenantRef::Name(_), _) => {}
            }
        }
        for name in self.tenants_of(profile).map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            let warm = name.tenant.is_some_and(|id| ids.contains(&id));
            if let Some(entry) = self.names.get_mut(&name) {
                entry.warm = warm;
            }
            self.count_on_demand(&name, !warm);
            self.mark_dirty(name);
        }
        self.add_tenants(&owner, ids.iter().copied(), true);
        for id in ids {
            self.mark_dirty(TokenName { profile: profile.clone(), tenant: Some(id) });
        }
        for problem in problems {
            self.notice(Severity::Warning, profile, problem);
        }
    }

    /// Gives those of these tenants that have none an entry.
    pub(in crate::core) fn add_tenants(
        &mut self,
        profile: &Arc<Profile>,
        ids: impl Iterator<Item = WorkspaceId>,
        warm: bool,
    ) {
        let name = |id| TokenName { profile: profile.name.clone(), tenant: Some(id) };
        let new = ids.map(name).filter(|name| !self.names.contains_key(name));
        let mut new: BTreeMap<_, _> = new.map(|name| (name, Name::new(Arc::clone(profile), warm))).collect();
        let on_demand: Vec<TokenName> = if warm { Vec::new() } else { new.keys().cloned().collect() };
        // All at once: a tree that grows in the order of its keys has nodes that are half empty, and this one stays.
        self.names.append(&mut new);
        for name in on_demand {
            self.count_on_demand(&name, true);
        }
    }

    fn page_failed(&mut self, now: Now, profile: &ProfileName, subject: Fingerprint, failure: &Failure) {
        match failure.kind {
            FailureKind::InvalidToken | FailureKind::InvalidClient => {
                let parent = TokenName::from(profile.clone());
                let again = self.distrust_parent(now, &parent, subject);
                let Some(listing) = self.listing_mut(profile) else { return };
                if again && !std::mem::replace(&mut listing.refused_again, true) {
                    return self.begin_listing(now, profile);
                }
                // Another token does not help, so neither does the next one: as after any refusal.
                return self.listing_refused(now, profile, &failure.message, failure.retry_after);
            }
            FailureKind::RateLimited => {
                if let Some(owner) = self.profiles.get(profile).map(|state| Arc::clone(&state.profile)) {
                    self.pause(now, &owner, failure.retry_after);
                }
            }
            _ => {}
        }
        self.listing_failed(now, profile, &failure.message, failure.retry_after);
    }

    /// The workspace's token is of no use for now: the list is looked at again when the next one may be there.
    pub(in crate::core) fn listing_put_off(&mut self, now: Now, profile: &ProfileName, message: &str, at: BootTime) {
        let Some(listing) = self.listing_mut(profile).filter(|listing| listing.activity == Fetch::Parent) else {
            return;
        };
        listing.activity = Fetch::Idle;
        listing.retry_at = Some(at);
        listing.trouble = Some(message.to_owned());
        self.consider_listing(now, profile);
        self.answer_listing(now, profile);
    }

    /// There is no use in asking again soon.
    fn listing_refused(&mut self, now: Now, profile: &ProfileName, message: &str, asked: Option<Duration>) {
        let roll = self.random.roll();
        let Some(listing) = self.listing_mut(profile) else { return };
        let probe = schedule::probe(listing.refusals, roll);
        listing.refusals = listing.refusals.saturating_add(1);
        self.listing_failed(now, profile, message, Some(probe.max(asked.unwrap_or_default())));
    }

    fn listing_failed(&mut self, now: Now, profile: &ProfileName, message: &str, asked: Option<Duration>) {
        let roll = self.random.roll();
        let Some(listing) = self.listing_mut(profile) else { return };
        listing.failures = listing.failures.saturating_add(1);
        listing.partial = BTreeMap::new();
        listing.received = 0;
        listing.pages = 0;
        listing.refused_again = false;
        let backoff = schedule::backoff(listing.failures, None, false, roll);
        let wait = backoff.max(asked.unwrap_or_default().min(schedule::MAX_PAUSE));
        listing.retry_at = Some(now.boot + wait);
        listing.trouble = Some(message.to_owned());
        let first = listing.failures == 1;
        let severity = if first { Severity::Warning } else { Severity::Debug };
        self.notice(severity, profile, format!("cannot list the tenants: {message}"));
        self.consider_listing(now, profile);
        self.answer_listing(now, profile);
    }

    /// Answers those who would wait in vain for the list.
    pub(in crate::core) fn answer_listing(&mut self, now: Now, profile: &ProfileName) {
        for id in self.listing_waiters(profile) {
            let outcome = self.waiters.get(&id).and_then(|waiter| self.listing_not_known(now, profile, waiter));
            if let Some(outcome) = outcome {
                self.answer(id, outcome);
            }
        }
    }

    /// The answer for somebody who has waited long enough for the list, or would wait in vain.
    pub(in crate::core) fn listing_not_known(
        &self,
        now: Now,
        profile: &ProfileName,
        waiter: &Waiter,
    ) -> Option<Outcome> {
        let listing = self.profiles.get(profile)?.listing.as_ref()?;
        let next = listing.retry_at.filter(|_| listing.activity == Fetch::Idle);
        if waiter.deadline > now.boot && next.is_none_or(|at| at <= waiter.deadline) {
            return None;
        }
        let parent = self.names.get(&TokenName::from(profile.clone()));
        let of_parent = parent.and_then(|entry| entry.trouble.as_ref()).map(|trouble| trouble.message.as_str());
        let what = of_parent.or(listing.trouble.as_deref()).unwrap_or("the request is under way");
        let message = format!("the tenants of {profile} are not known yet: {what}");
        Some(errors::error(ErrorCode::Unavailable, message, next.map(|at| at.since(now.boot))))
    }

    /// Those who wait for the list of a profile's tenants.
    pub(in crate::core) fn listing_waiters(&self, profile: &ProfileName) -> Vec<WaiterId> {
        let listing = self.profiles.get(profile).and_then(|state| state.listing.as_ref());
        listing.map(|listing| listing.waiters.ids().collect()).unwrap_or_default()
    }

    pub(in crate::core) fn listing_mut(&mut self, profile: &ProfileName) -> Option<&mut Listing> {
        self.profiles.get_mut(profile)?.listing.as_mut()
    }
}

/// Answers from a list that is new enough.
fn from_list(listing: &Listing, profile: &ProfileName, question: &Question) -> Outcome {
    match question {
        Question::Tenants { page, .. } => Outcome::Tenants(listing.page(profile, page)),
        Question::Resolve { workspace_name, .. } => match listing.named(workspace_name) {
            [(_, id)] => Outcome::Resolved(TokenName { profile: profile.clone(), tenant: Some(*id) }),
            [] => errors::no_such_name(format!("profile {profile} has no tenant named {workspace_name:?}")),
            several => errors::no_such_name(ambiguous(workspace_name, several)),
        },
        Question::Get { name, .. }
        | Question::Reject { name, .. }
        | Question::Watch { name }
        | Question::Refresh { name } => {
            errors::no_such_name(format!("{name} is not among the tenants of profile {profile}"))
        }
        Question::Import { .. } => errors::no_such_name("not a question about tenants"),
    }
}

impl Listing {
    /// The tenants that have this workspace name.
    fn named(&self, name: &str) -> &[(Arc<str>, WorkspaceId)] {
        let from = self.by_name.partition_point(|(other, _)| &**other < name);
        let rest = &self.by_name[from..];
        &rest[..rest.partition_point(|(other, _)| &**other == name)]
    }
}

fn ambiguous(name: &str, tenants: &[(Arc<str>, WorkspaceId)]) -> String {
    let ids: Vec<String> = tenants.iter().take(8).map(|(_, id)| id.to_string()).collect();
    format!("{name:?} is the name of several tenants; use an id: {}", ids.join(", "))
}
