//! Short-lived tokens across a restart of the daemon: what is handed on, and what of it is taken in.
//!
//! What is handed on never touches the disk (`crate::systemd::fd_store::memfd` keeps it in memory that the service
//! manager holds), so it is good in this boot only. Chains are not part of it: they are durable.
//!
//! A token comes back with its own moments, so that a restart renews nothing early, and with what is known against it:
//! one that a peer rejected, or that an exchange was refused for, is renewed at once, and the throttle of forced
//! renewals goes on. What is known of failures does not come back: like a reload, a restart is a reason to try again.

use std::sync::Arc;

use tokend_proto::{Fingerprint, TokenName};

use super::effect::{Effect, Severity};
use super::handoff::{Binding, Held, HeldListing, HeldName, HeldProfile};
use super::issued::{AccessToken, ReadMode};
use super::settings::{Kind, Profile};
use super::time::{BootTime, Now};
use super::token_state::{Reads, Throttle};
use super::{Core, schedule};

impl Core {
    /// What is to be handed on at this moment.
    #[must_use]
    pub fn held(&self, now: BootTime) -> Held {
        let profiles = self.profiles.values().filter_map(|state| {
            let binding = Binding::of(&state.profile)?;
            let parent = TokenName::from(state.profile.name.clone());
            let all = self.names.range(parent..).take_while(|(name, _)| name.profile == state.profile.name);
            // There may be very many, and a growing list would take three times the memory.
            let mut names = Vec::with_capacity(all.clone().count());
            names.extend(all.filter_map(|(name, entry)| {
                let token = entry.good(now)?;
                let distrusted = name.tenant.is_none() && state.distrusted == Some(token.fingerprint);
                Some(HeldName {
                    tenant: name.tenant,
                    token: Arc::clone(token),
                    was_forced: entry.token_was_forced,
                    rejected: entry.forced == Some(token.fingerprint),
                    distrusted,
                    throttled_until: entry.throttle.next,
                    throttle: entry.throttle.interval,
                })
            }));
            let listing = state.listing.as_ref().and_then(|listing| {
                let tenants = listing.tenants.iter().map(|(id, name)| (*id, Arc::clone(name))).collect();
                Some(HeldListing { fetched: listing.fetched?, tenants })
            });
            Some(HeldProfile { binding, next_distrust: state.next_distrust, listing, names })
        });
        Held { boot_id: self.boot_id, at: now, profiles: profiles.collect() }
    }

    /// A number that changes whenever [`Core::held`] does. Zero as long as there was nothing to hand on.
    #[must_use]
    pub fn held_version(&self) -> u64 {
        self.held_version
    }

    pub(super) fn held_changed(&mut self) {
        self.held_version += 1;
    }

    /// This token must not come back as good after a restart, however soon that is.
    pub(super) fn invalidate(&mut self, name: &TokenName, token: Fingerprint) {
        if self.names.get(name).is_some_and(|entry| !entry.is_classic()) {
            self.held_changed();
            self.effects.push_back(Effect::Invalidate(token));
        }
    }

    /// Keeps what was handed on until the first configuration says what of it is still wanted.
    pub(super) fn take_over(&mut self, held: Held) {
        // Whatever of it is dropped has to go from where it was kept, too.
        self.held_changed();
        if held.boot_id != self.boot_id {
            return self.notice(Severity::Info, "tokens", "those that were handed on are of another boot: dropped");
        }
        self.handed_on = held.profiles.into_iter().map(|held| (held.binding.profile.clone(), held)).collect();
    }

    /// A profile that has just been added gets back what was handed on for it.
    pub(super) fn give_back(&mut self, now: Now, profile: &Arc<Profile>) {
        let Some(held) = self.handed_on.remove(&profile.name) else { return };
        if Binding::of(profile).as_ref() != Some(&held.binding) {
            let message = "the tokens that were handed on are of other credentials or another endpoint: dropped";
            return self.notice(Severity::Info, &profile.name, message);
        }
        let tenants = matches!(profile.kind, Kind::Glp { tenants: Some(_), .. });
        if tenants && let Some(listing) = held.listing {
            self.listing_given_back(&profile.name, listing.fetched.min(now.boot), listing.tenants);
        }
        if let Some(state) = self.profiles.get_mut(&profile.name) {
            state.next_distrust = held.next_distrust;
        }
        let usable = |held: &HeldName| (held.tenant.is_none() || tenants) && is_credible(&held.token, now.boot);
        let names: Vec<HeldName> = held.names.into_iter().filter(usable).collect();
        // A tenant that is not asked to be warm was on demand. Whether anybody read it is not known any more: it is
        // renewed ahead once.
        self.add_tenants(profile, names.iter().filter_map(|held| held.tenant), false);
        let count = names.len();
        for held in names {
            self.name_given_back(profile, held);
        }
        self.notice(Severity::Info, &profile.name, format!("{count} tokens were handed on and are still good"));
    }

    fn name_given_back(&mut self, profile: &Arc<Profile>, held: HeldName) {
        let name = TokenName { profile: profile.name.clone(), tenant: held.tenant };
        let fingerprint = held.token.fingerprint;
        if held.distrusted
            && let Some(state) = self.profiles.get_mut(&profile.name)
        {
            state.distrusted = Some(fingerprint);
        }
        let Some(entry) = self.names.get_mut(&name) else { return };
        entry.token = Some(held.token);
        entry.token_was_forced = held.was_forced;
        entry.forced = held.rejected.then_some(fingerprint);
        entry.throttle = Throttle { next: held.throttled_until, interval: held.throttle };
        entry.mode = ReadMode::Serve;
        entry.reads = Reads { seen: true, ..Reads::default() };
        self.publish(&name);
        self.mark_dirty(name);
    }
}

/// Whether a token can be what the daemon before this one was given: whatever a checksum does not find.
fn is_credible(token: &AccessToken, now: BootTime) -> bool {
    let lives = token.issued <= now && now < token.expires && token.life() <= schedule::MAX_LIFE;
    lives && token.refresh <= token.expires && !token.access_token.is_empty()
}
