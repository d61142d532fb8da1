//! A workspace's token and the tenants that are exchanged for it: which waits for which, and who hears what.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{Fingerprint, ProfileName, TokenName};

use crate::core::activity::Activity;
use crate::core::egress::queue::Job;
use crate::core::issued::AccessToken;
use crate::core::provider::{Answer, Failure, FailureKind};
use crate::core::time::{BootTime, Now};
use crate::core::token_state::{Fetch, Name, Trouble, TroubleKind};
use crate::core::{Core, schedule};

/// At most one renewal of a workspace's token in this time because exchanges were refused for it.
const DISTRUST_INTERVAL: Duration = Duration::from_secs(30);

impl Core {
    /// What a failed exchange means for its tenant.
    pub(in crate::core) fn exchange_failed(
        &mut self,
        now: Now,
        name: &TokenName,
        subject: Fingerprint,
        failure: &Failure,
    ) {
        match failure.kind {
            FailureKind::InvalidToken | FailureKind::InvalidClient => {
                let again = self.names.get(name).is_some_and(|entry| entry.exchanged_again);
                if again || !self.distrust_parent(now, name, subject) {
                    return self.rejected(now, name, &failure.message);
                }
                if let Some(entry) = self.names.get_mut(name) {
                    entry.exchanged_again = true;
                }
                self.begin(now, name);
            }
            _ => self.failed(now, name, failure),
        }
    }

    /// An exchange was refused for this parent token. Whether another one is there or on its way.
    pub(in crate::core) fn distrust_parent(&mut self, now: Now, child: &TokenName, subject: Fingerprint) -> bool {
        let parent = TokenName::from(child.profile.clone());
        let current = self.names.get(&parent).and_then(|entry| entry.good(now.boot)).map(|token| token.fingerprint);
        let Some(state) = self.profiles.get_mut(&child.profile) else { return false };
        if current != Some(subject) || state.distrusted == Some(subject) {
            return true;
        }
        if now.boot < state.next_distrust {
            return false;
        }
        state.next_distrust = now.boot + DISTRUST_INTERVAL;
        state.distrusted = Some(subject);
        self.invalidate(&parent, subject);
        self.mark_dirty(parent);
        true
    }

    /// An answer that nobody waits for any more still says of the workspace's token that it is refused.
    pub(in crate::core) fn refused_meanwhile(
        &mut self,
        now: Now,
        name: &TokenName,
        subject: Option<Fingerprint>,
        answer: &Answer,
    ) {
        let refused = matches!(
            answer,
            Answer::Failed(Failure { kind: FailureKind::InvalidToken | FailureKind::InvalidClient, .. })
        );
        if let Some(subject) = subject.filter(|_| refused) {
            self.distrust_parent(now, name, subject);
        }
    }

    /// The workspace's token, if it can be exchanged.
    pub(in crate::core) fn good_parent(&self, now: Now, profile: &ProfileName) -> Option<&Arc<AccessToken>> {
        let state = self.profiles.get(profile)?;
        let token = self.names.get(&TokenName::from(profile.clone()))?.good(now.boot)?;
        let enough = token.left(now.boot) >= schedule::parent_margin(token.life());
        (enough && state.distrusted != Some(token.fingerprint)).then_some(token)
    }

    pub(in crate::core) fn parent_is_good(&self, now: Now, profile: &ProfileName) -> bool {
        self.good_parent(now, profile).is_some()
    }

    /// The parent's token, to list the tenants with.
    pub(in crate::core) fn parent_token(&self, now: Now, profile: &ProfileName) -> Option<Arc<AccessToken>> {
        self.good_parent(now, profile).cloned()
    }

    pub(in crate::core) fn parent_is_rejected(&self, profile: &ProfileName) -> bool {
        self.names.get(&TokenName::from(profile.clone())).is_some_and(Name::is_permanent)
    }

    /// Whether this workspace's credentials are refused and not being probed just now.
    pub(in crate::core) fn parent_rests_rejected(&self, now: Now, profile: &ProfileName) -> bool {
        let parent = self.names.get(&TokenName::from(profile.clone()));
        parent.is_some_and(|entry| {
            let resting = entry.activity == Activity::Idle && entry.retry_at.is_some_and(|at| at > now.boot);
            entry.is_permanent() && resting
        })
    }

    /// Whether a tenant or the list of tenants waits for this workspace's token.
    pub(in crate::core) fn children_wait(&self, parent: &TokenName) -> bool {
        let listing = self.profiles.get(&parent.profile).and_then(|state| state.listing.as_ref());
        listing.is_some_and(|listing| listing.activity == Fetch::Parent)
            || self.profiles.get(&parent.profile).is_some_and(|state| !state.await_parent.is_empty())
    }

    pub(in crate::core) fn wake_children(&mut self, now: Now, parent: &TokenName) {
        let waiting = |entry: &Name| {
            entry.activity == Activity::Parent
                || entry.trouble.as_ref().is_some_and(|t| t.kind == TroubleKind::ParentRejected)
        };
        let children: Vec<TokenName> =
            self.tenants_of(&parent.profile).filter(|(_, entry)| waiting(entry)).map(|(n, _)| n.clone()).collect();
        for child in children {
            self.set_activity(&child, Activity::Idle);
            if let Some(entry) = self.names.get_mut(&child) {
                if entry.is_permanent() {
                    entry.probe_now();
                }
                // How often its own requests failed is another matter.
                entry.retry_at = entry.retry_at.filter(|at| *at > now.boot);
            }
            self.begin(now, &child);
            self.mark_dirty(child);
        }
        self.parent_renewed(now, &parent.profile);
    }

    pub(in crate::core) fn reject_children(&mut self, parent: &TokenName) {
        let waiting = |entry: &Name| matches!(entry.activity, Activity::Parent | Activity::Queued);
        let children: Vec<TokenName> =
            self.tenants_of(&parent.profile).filter(|(_, entry)| waiting(entry)).map(|(n, _)| n.clone()).collect();
        for child in children {
            self.egress.remove(&Job::Name(child.clone()));
            self.set_activity(&child, Activity::Idle);
            self.parent_rejected(&child);
        }
        self.listing_parent_rejected(&parent.profile);
    }

    /// A tenant that waited for its workspace's token does so no more: it is looked at again later.
    pub(in crate::core) fn put_off_child(&mut self, child: &TokenName, message: &str, at: BootTime) {
        self.set_activity(child, Activity::Idle);
        let Some(entry) = self.names.get_mut(child) else { return };
        entry.failures = entry.failures.max(1);
        entry.retry_at = Some(at);
        entry.trouble = Some(Trouble::new(TroubleKind::Transient, message));
        self.mark_dirty(child.clone());
    }

    pub(in crate::core) fn parent_rejected(&mut self, child: &TokenName) {
        let parent = TokenName::from(child.profile.clone());
        let Some(retry_at) = self.names.get(&parent).map(|entry| entry.retry_at) else { return };
        let Some(entry) = self.names.get_mut(child) else { return };
        entry.trouble = Some(Trouble::new(
            TroubleKind::ParentRejected,
            "the credentials of its workspace are refused by the provider",
        ));
        // Looked at again after the parent's probe; until then nothing is sent.
        entry.retry_at = retry_at.map(|at| at + Duration::from_secs(1));
        self.mark_dirty(child.clone());
    }
}
