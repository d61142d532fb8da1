//! What is known at start, and what a new configuration changes.

use std::sync::Arc;

use tokend_proto::{Fingerprint, ProfileName, TenantRef, TokenName};

use super::Core;
use super::activity::Activity;
use super::classic::state::{Candidate, Chain, Quota, Send, Work, chain_key};
use super::classic::{clock_step, login, state};
use super::effect::{Effect, Severity};
use super::egress::queue::Job;
use super::record::{
    ChainKey, ChainRecord, ChainState, LostCause, QuotaRecord, Record, RecordKey, Restored, RestoredContent, Revision,
};
use super::report::errors;
use super::settings::{Kind, Profile, Settings};
use super::time::{BootTime, Now};
use super::timers::Alarm;
use super::token_state::{Fetch, Listing, Name, ProfileState};

/// Why a name is given its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Changed,
    /// Its client secrets may still be other ones.
    Unchanged {
        secrets_unreadable: bool,
    },
}

impl Core {
    /// Takes over what the store held.
    pub(super) fn restore(&mut self, now: Now, restored: Vec<Restored>) {
        for Restored { key, revision, content } in restored {
            match (key, content) {
                (RecordKey::Chain(key), content) => {
                    let since = self.durable_now(now);
                    let mut rebase = false;
                    let unreadable = ChainState::Lost { since, why: LostCause::RecordUnreadable };
                    let (record, reply_lost) = match content {
                        RestoredContent::Newest(Record::Chain(mut record)) => {
                            rebase = clock_step::restore_chain(&mut record, now, self.boot_id);
                            let in_flight = matches!(record.state, ChainState::InFlight { .. });
                            let refreshes = in_flight || record.state == ChainState::Settled;
                            // Nothing writes such a record; whatever did, there is no token to go on with.
                            let state = if refreshes && record.refresh_token.is_none() {
                                unreadable
                            } else {
                                record.state.clone()
                            };
                            let reply_lost = in_flight || record.reply_lost;
                            (ChainRecord { state, ..record }, reply_lost)
                        }
                        // What happened after the previous record is not known: perhaps a rotation.
                        RestoredContent::Previous(Record::Chain(mut record)) => {
                            clock_step::restore_previous(&mut record, now, self.boot_id);
                            let state = match &record.refresh_token {
                                Some(token) => ChainState::InFlight { since, sent: Fingerprint::of(token) },
                                None => unreadable,
                            };
                            (ChainRecord { state, ..record }, true)
                        }
                        _ => (ChainRecord { state: unreadable, ..ChainRecord::default() }, true),
                    };
                    let chain = self.chains.entry(key).or_default();
                    chain.record = record;
                    chain.revision = revision;
                    chain.reply_lost = reply_lost;
                    chain.rebase_at = rebase.then_some(now.boot);
                    self.rebase_soon(rebase);
                }
                (
                    RecordKey::Candidate(key),
                    RestoredContent::Newest(Record::Candidate(mut record))
                    | RestoredContent::Previous(Record::Candidate(mut record)),
                ) => {
                    if record.since.is_of_earlier_boot(self.boot_id) {
                        record.since = self.durable_now(now); // a wrong clock must not make it older than it is
                    }
                    let chain = self.chains.entry(key).or_default();
                    chain.candidate = Some(Candidate::new(record, true));
                    chain.candidate_revision = revision;
                }
                (RecordKey::Candidate(key), _) => {
                    self.chains.entry(key.clone()).or_default().candidate_revision = revision;
                    let message = "the record of an import that was not finished cannot be read; import it again";
                    self.notice(Severity::Error, &key.profile, message);
                }
                (RecordKey::Quota(key), RestoredContent::Newest(Record::Quota(mut record))) => {
                    let rebase = clock_step::restore_quota(&mut record, now, self.boot_id);
                    let rebase_at = rebase.then_some(now.boot);
                    self.quotas.insert(key, Quota { record, revision, rebase_at, ..Quota::default() });
                    self.rebase_soon(rebase);
                }
                (RecordKey::Quota(key), _) => {
                    let record = QuotaRecord { attempts: vec![login::pessimistic(self.durable_now(now))] };
                    self.quotas.insert(key, Quota { record, revision, ..Quota::default() });
                }
            }
        }
        let finished = |chain: &Chain| match &chain.candidate {
            Some(candidate) => Some(candidate.fingerprint) == chain.record.imported,
            None => chain.candidate_revision.0 > 0, // unreadable
        };
        let keys: Vec<ChainKey> = self.chains.iter().filter(|(_, c)| finished(c)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.remove_candidate(&key);
        }
    }

    /// A chain is about to be used for the first time: whether there was a record of it that can no longer be read.
    fn restore_ruins(&mut self, key: &ChainKey) {
        let Some((at, unreadable)) = &mut self.unreadable else { return };
        let of_it =
            [RecordKey::Chain(key.clone()), RecordKey::Candidate(key.clone()), RecordKey::Quota(state::quota_key(key))];
        let mut found = Vec::new();
        for key in of_it {
            if unreadable.names.remove(&(unreadable.name_of)(&key)) {
                found.push(Restored { key, revision: Revision::default(), content: RestoredContent::Unreadable });
            }
        }
        // As of then: whatever was recorded there had happened before.
        let at = *at;
        self.restore(at, found);
    }

    pub(super) fn configure(&mut self, now: Now, settings: Arc<Settings>) {
        self.egress.set_rate(settings.max_requests_per_second);
        self.settings = Arc::clone(&settings);
        let gone: Vec<ProfileName> = self
            .profiles
            .iter()
            .filter(|(name, state)| !settings.profiles.get(*name).is_some_and(|new| new.same_tokens(&state.profile)))
            .map(|(name, _)| name.clone())
            .collect();
        for profile in &gone {
            let replaced = settings.profiles.contains_key(profile);
            self.drop_profile(profile, replaced);
        }
        for profile in settings.profiles.values() {
            if self.profiles.contains_key(&profile.name) {
                self.update_profile(now, profile);
            } else {
                self.add_profile(now, profile);
            }
        }
        // Of profiles that are not configured any more.
        self.handed_on.clear();
    }

    /// Its waiters are answered, its tokens forgotten; a rotation of its chain finishes, and its record stays.
    fn drop_profile(&mut self, profile: &ProfileName, replaced: bool) {
        let names = self.names_of(profile);
        let what = if replaced { "was replaced in" } else { "was removed from" };
        let message = format!("its profile {what} the configuration");
        for name in names {
            self.drop_waiting_name(&name, &message);
        }
        self.drop_listing(profile, &format!("profile {profile} {what} the configuration"));
        if let Some(key) = self.profiles.get(profile).and_then(|state| chain_key(&state.profile)) {
            self.forget_queued(&key);
        }
        self.profiles.remove(profile);
    }

    /// The list of a profile's tenants goes, and with it what waits for it.
    fn drop_listing(&mut self, profile: &ProfileName, message: &str) {
        for id in self.listing_waiters(profile) {
            self.answer(id, errors::no_such_name(message));
        }
        self.egress.remove(&Job::Listing(profile.clone()));
        self.alarms.set(Alarm::Listing(profile.clone()), None);
        if let Some(state) = self.profiles.get_mut(profile) {
            state.listing = None;
        }
        self.effects.push_back(Effect::Directory { profile: profile.clone(), tenants: Vec::new() });
    }

    fn drop_waiting_name(&mut self, name: &TokenName, message: &str) {
        self.set_alarm(name, None);
        self.count_on_demand(name, false);
        self.set_activity(name, Activity::Idle);
        let Some(entry) = self.names.remove(name) else { return };
        self.egress.remove(&Job::Name(name.clone()));
        if entry.token.is_some() {
            self.held_version += u64::from(!entry.is_classic());
            self.effects.push_back(Effect::Withdraw(name.clone()));
        }
        for id in entry.waiters.ids().chain(entry.watch.watchers()) {
            self.answer(id, errors::no_such_name(format!("{name}: {message}")));
        }
    }

    /// What was queued for a chain is not sent under another configuration.
    pub(super) fn forget_queued(&mut self, key: &ChainKey) {
        self.egress.remove(&Job::Chain(key.clone()));
        let Some(chain) = self.chains.get_mut(key) else { return };
        match chain.work {
            Work::Queued(Send::Login) => {
                chain.work = Work::Idle;
                self.login_not_sent(key);
            }
            Work::Queued(_) | Work::Secrets => chain.work = Work::Idle,
            Work::Rebasing(_) => chain.work = Work::Rebasing(None),
            _ => {}
        }
    }

    fn update_profile(&mut self, now: Now, profile: &Arc<Profile>) {
        let name = TokenName::from(profile.name.clone());
        let Some(state) = self.profiles.get_mut(&profile.name) else { return };
        let cause = match state.profile == *profile {
            true => Cause::Unchanged { secrets_unreadable: state.unreadable.is_some() },
            false => Cause::Changed,
        };
        state.profile = Arc::clone(profile);
        state.forget_secrets();
        state.next_reading = BootTime::default();
        state.warned.clear();
        let Kind::Glp { tenants, .. } = &profile.kind else {
            self.give_profile(&name, profile, cause);
            if let Some(key) = chain_key(profile) {
                let candidate = self.chains.get_mut(&key).and_then(|chain| chain.candidate.as_mut());
                if let Some(candidate) = candidate.filter(|candidate| candidate.client_refused > 0) {
                    candidate.retry_at = None;
                }
                self.chain_trouble(&name, &key);
            }
            return self.mark_dirty(name);
        };
        match (tenants, &mut state.listing) {
            (Some(_), None) => state.listing = Some(Listing::default()),
            (None, Some(_)) => {
                let message = format!("[profiles.{}.tenants] was removed from the configuration", profile.name);
                for tenant in self.tenants_of(&profile.name).map(|(n, _)| n.clone()).collect::<Vec<_>>() {
                    self.drop_waiting_name(&tenant, &message);
                }
                self.drop_listing(&profile.name, &message);
            }
            _ => {}
        }
        let names = self.names_of(&profile.name);
        let listing_may_go_on = cause == Cause::Changed || self.parent_is_rejected(&profile.name);
        for name in names {
            self.give_profile(&name, profile, cause);
            self.mark_dirty(name);
        }
        if listing_may_go_on {
            self.list_now(&profile.name);
        }
        self.want_warm(now, profile);
    }

    /// A name gets its profile as it is now. What had failed is tried now if that may help: else a provider that asked
    /// to be left alone would hear of each reload.
    fn give_profile(&mut self, name: &TokenName, profile: &Arc<Profile>, cause: Cause) {
        let Some(entry) = self.names.get_mut(name) else { return };
        entry.profile = Arc::clone(profile);
        let may_help = match cause {
            Cause::Changed => true,
            Cause::Unchanged { secrets_unreadable } => secrets_unreadable && name.tenant.is_none(),
        };
        // Refused credentials may have been corrected where they are kept.
        if may_help || entry.is_permanent() {
            entry.probe_now();
        }
    }

    /// Something has changed that the settings do not show, such as a certificate: what failed may work now.
    pub(super) fn revised(&mut self, now: Now, profile: &ProfileName) {
        let names: Vec<TokenName> = self.names_of(profile);
        for name in names {
            if let Some(entry) = self.names.get_mut(&name) {
                entry.probe_now();
            }
            self.mark_dirty(name);
        }
        self.list_now(profile);
        self.consider_listing(now, profile);
    }

    /// A list that failed is fetched without a pause.
    fn list_now(&mut self, profile: &ProfileName) {
        if let Some(listing) = self.listing_mut(profile).filter(|listing| listing.activity == Fetch::Idle) {
            listing.retry_at = None;
        }
    }

    /// A profile's name, and those of its tenants.
    fn names_of(&self, profile: &ProfileName) -> Vec<TokenName> {
        let own = TokenName::from(profile.clone());
        let of_profile = self.names.range(own..).map(|(name, _)| name).take_while(|name| name.profile == *profile);
        of_profile.cloned().collect()
    }

    fn add_profile(&mut self, now: Now, profile: &Arc<Profile>) {
        let name = TokenName::from(profile.name.clone());
        self.profiles.insert(profile.name.clone(), ProfileState::new(Arc::clone(profile)));
        self.names.insert(name.clone(), Name::new(Arc::clone(profile), true));
        if let Some(key) = chain_key(profile) {
            self.restore_ruins(&key);
            self.link_chain(now, &name, &key);
        }
        self.give_back(now, profile);
        self.mark_dirty(name);
        self.want_warm(now, profile);
    }

    /// Warm tenants get their entries; those given by workspace name need the list first.
    fn want_warm(&mut self, now: Now, profile: &Arc<Profile>) {
        let Kind::Glp { tenants: Some(tenants), .. } = &profile.kind else { return };
        let by_name = tenants.warm.iter().any(|tenant| matches!(tenant, TenantRef::Name(_)));
        if let Some(listing) = self.listing_mut(&profile.name) {
            listing.wanted |= by_name;
        }
        self.admit_warm(&profile.name);
        self.consider_listing(now, &profile.name);
    }
}
