//! A renewal that brought the token that was there before is none: the token is no younger for it, and the provider
//! will give it again until it dies. So the next request waits, whatever it is wanted for: a complaint, the schedule, a
//! peer's `min_ttl`, a workspace's tenants.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{Secret, TokenName};

use super::effect::Severity;
use super::issued::AccessToken;
use super::report::errors::{TOO_SHORT, seconds};
use super::time::{BootTime, Now};
use super::token_state::{Trouble, TroubleKind};
use super::{Core, schedule};

/// Twice what a request may take: the same end, seen from two requests, may be so far apart.
pub(super) const NOT_BY_DELAY: Duration = Duration::from_secs(60);

const SAME: &str = "the provider gave the same token again, although another one was asked for";

impl Core {
    /// Whether a new token is the one that is there. One that has all but ended says nothing: it is taken for new.
    pub(super) fn is_same_token(&self, now: Now, name: &TokenName, token: &Secret) -> bool {
        let current = self.names.get(name).and_then(|entry| entry.good(now.boot));
        current.is_some_and(|current| current.left(now.boot) >= schedule::MIN_LIFE && current.access_token == *token)
    }

    /// `ends` is when it dies, as the provider says this time.
    pub(super) fn same_token_again(&mut self, now: Now, name: &TokenName, ends: Option<BootTime>) {
        self.dies_sooner(now, name, ends);
        let distrusted = self.profiles.get(&name.profile).and_then(|state| state.distrusted);
        let Some(entry) = self.names.get_mut(name) else { return };
        let Some(token) = entry.good(now.boot).cloned() else { return };
        let wait = schedule::unchanged(token.left(now.boot));
        let is_parent = name.tenant.is_none();
        let refused = entry.forced == Some(token.fingerprint) || (is_parent && distrusted == Some(token.fingerprint));
        let failures = entry.failures.saturating_add(1);
        entry.recovered();
        entry.retry_at = Some(now.boot + wait);
        let wait = seconds(wait);
        if refused {
            entry.failures = failures;
            entry.trouble = Some(Trouble::new(TroubleKind::Transient, SAME));
            self.notice(Severity::Warning, name, format!("{SAME}; trying again in {wait} s"));
        } else {
            let message = format!("the provider gave the same token again; trying again in {wait} s");
            self.notice(Severity::Debug, name, message);
        }
        let exchanged = self.profiles.get(&name.profile).is_some_and(|state| state.listing.is_some());
        if is_parent && exchanged && !self.parent_is_good(now, &name.profile) {
            if let Some(entry) = self.names.get_mut(name).filter(|_| !refused) {
                entry.failures = failures;
                entry.trouble = Some(Trouble::new(TroubleKind::Transient, TOO_SHORT));
            }
            self.fail_children(now, name, if refused { SAME } else { TOO_SHORT });
        }
        self.mark_dirty(name.clone());
    }

    /// The provider says that the token dies much sooner than it said before.
    pub(super) fn dies_sooner(&mut self, now: Now, name: &TokenName, ends: Option<BootTime>) {
        let Some(entry) = self.names.get_mut(name) else { return };
        let (Some(token), Some(ends)) = (entry.good(now.boot), ends) else { return };
        let ends = ends.max(now.boot + schedule::MIN_LIFE);
        if ends + NOT_BY_DELAY < token.expires {
            let sooner = AccessToken { expires: ends, refresh: token.refresh.min(ends), ..AccessToken::clone(token) };
            entry.token = Some(Arc::new(sooner));
            let held = !entry.is_classic();
            self.held_version += u64::from(held);
            self.publish(name);
        }
    }

    /// A workspace's token that has just come and cannot be exchanged, because it is too short or was refused before:
    /// there is no use in asking for the next one at once. `failures` is how many attempts had failed before it.
    pub(super) fn parent_is_useless(&mut self, now: Now, name: &TokenName, failures: u32) {
        let distrusted = self.profiles.get(&name.profile).and_then(|state| state.distrusted);
        let Some(entry) = self.names.get_mut(name) else { return };
        entry.failures = failures;
        let left = seconds(entry.left(now.boot).unwrap_or_default());
        let message = match entry.good(now.boot) {
            Some(token) if distrusted == Some(token.fingerprint) => SAME.to_owned(),
            _ => format!("its new token had {left} s left when it came, too little to be exchanged"),
        };
        // Its own rest does not count: it is of no use.
        let wait = schedule::backoff(failures.saturating_add(1), None, false, self.random.roll());
        self.failed_transiently(now, name, &message, Some(wait));
        self.fail_children(now, name, &message);
    }

    /// Those who wait for this workspace's token learn why they do, and look again after its next request.
    fn fail_children(&mut self, now: Now, parent: &TokenName, message: &str) {
        let Some(retry_at) = self.names.get(parent).and_then(|entry| entry.retry_at) else { return };
        let at = retry_at + Duration::from_secs(1);
        let message = super::report::errors::of_workspace(message);
        for child in self.demand().waiting_children(parent) {
            self.put_off_child(&child, &message, at);
        }
        self.listing_put_off(now, &parent.profile, &message, at);
    }
}
