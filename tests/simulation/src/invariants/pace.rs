//! How soon: forced renewals, and the parents of tenants.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokend::core::issued::AccessToken;
use tokend::core::provider::{Grant, ProviderRequest};
use tokend::core::time::BootTime;
use tokend_proto::{Fingerprint, ProfileName, TokenName};

use super::Invariants;
use super::requests::name_of;
use crate::machine::SECOND;

/// Between forced renewals of a name, of a Classic one, and at most, after rejections in a row.
const FORCED: Duration = Duration::from_secs(30);
const FORCED_CLASSIC: Duration = Duration::from_secs(60);
const FORCED_MOST: Duration = Duration::from_secs(600);

/// Between renewals of a workspace's token because exchanges were refused for it.
const DISTRUST: Duration = Duration::from_secs(30);

/// Of this life of the daemon.
#[derive(Default)]
pub(super) struct Pace {
    /// Complaints that were not turned down, and when each was first made.
    complaints: BTreeMap<TokenName, (Fingerprint, BootTime)>,
    forced: BTreeMap<TokenName, Forced>,
    /// Workspace tokens that must not be used again.
    banned: BTreeMap<ProfileName, Banned>,
    /// When an exchange was last refused, by workspace.
    last_refused: BTreeMap<ProfileName, BootTime>,
    /// Tenants whose last exchange was refused.
    refused_once: BTreeSet<TokenName>,
}

#[derive(Clone, Copy)]
struct Forced {
    next: BootTime,
    interval: Duration,
    /// The renewal that was forced has not brought its token.
    under_way: bool,
    /// The current token was forced.
    token: bool,
}

#[derive(Clone, Copy)]
struct Banned {
    token: Fingerprint,
    /// Since when its renewal is due.
    due: Option<BootTime>,
}

impl Pace {
    /// That a workspace's token was refused a moment ago is handed on to the next life.
    pub(super) fn life_ended(&mut self) {
        let last_refused = std::mem::take(&mut self.last_refused);
        *self = Self { last_refused, ..Self::default() };
    }
}

impl Invariants {
    /// A peer or an operator wants this very token replaced, and was not turned down.
    pub(crate) fn complained_at(&mut self, name: &TokenName, token: Fingerprint, now: BootTime) {
        let complaint = self.pace.complaints.entry(name.clone()).or_insert((token, now));
        if complaint.0 != token {
            *complaint = (token, now);
        }
    }

    /// That was turned down for now.
    pub(crate) fn turned_down(&mut self, name: &TokenName, token: Fingerprint) {
        let begun = self.renewing.get(name) == Some(&token);
        if !begun && self.pace.complaints.get(name).is_some_and(|(of, _)| *of == token) {
            self.pace.complaints.remove(name);
            self.complained.remove(name);
        }
    }

    /// A renewal is sent for no other reason than a complaint: is it time?
    pub(super) fn is_forced(&mut self, name: &TokenName, token: Fingerprint, classic: bool, now: BootTime) {
        let at = self.pace.complaints.get(name).filter(|(of, _)| *of == token).map_or(now, |(_, at)| *at);
        let first = if classic { FORCED_CLASSIC } else { FORCED };
        let before = self.pace.forced.get(name).copied();
        if let Some(before) = before.filter(|before| at < before.next) {
            let early = before.next.since(at);
            self.fail("pace-of-complaints", format!("{name}: renewed on demand {early:?} before it is allowed again"));
        }
        let interval = match before {
            Some(before) if before.token => (2 * before.interval.max(first)).min(FORCED_MOST),
            _ => first,
        };
        let forced = Forced { next: at + interval, interval, under_way: true, token: false };
        self.pace.forced.insert(name.clone(), forced);
    }

    /// A new token of a name has arrived.
    pub(super) fn renewed(&mut self, name: &TokenName) {
        if let Some(forced) = self.pace.forced.get_mut(name) {
            forced.token = std::mem::take(&mut forced.under_way);
        }
        if let Some(banned) = self.pace.banned.get_mut(&name.profile).filter(|_| name.tenant.is_none()) {
            banned.due = None;
        }
    }

    /// A name is off the board.
    pub(crate) fn withdrawn(&mut self, name: &TokenName) {
        self.pace.forced.remove(name);
        self.pace.complaints.remove(name);
    }

    /// An exchange of this tenant has succeeded.
    pub(super) fn forget_refusal(&mut self, request: &ProviderRequest) {
        self.pace.refused_once.remove(&name_of(request));
    }

    /// An exchange or a listing was refused for this token, which is or is not the workspace's current one. The second
    /// refusal in a row of one tenant says nothing of the token.
    pub(crate) fn distrust(&mut self, request: &ProviderRequest, token: Fingerprint, current: bool, now: BootTime) {
        self.distrusted.insert(token);
        let exchange = matches!(request.grant, Grant::Exchange { .. });
        let again = exchange && !self.pace.refused_once.insert(name_of(request));
        // Whether it was the second is known for certain only where it is the first that anybody saw.
        let before = self.pace.last_refused.insert(request.profile.name.clone(), now);
        let rests = before.is_some_and(|before| before <= now && now < before + DISTRUST);
        if current && !rests && !again {
            self.pace.banned.insert(request.profile.name.clone(), Banned { token, due: Some(now) });
        }
    }

    /// A request that uses a workspace's token, or renews it.
    pub(crate) fn uses_parent(&mut self, request: &ProviderRequest, parent: Option<&AccessToken>, now: BootTime) {
        let profile = &request.profile.name;
        let subject = match &request.grant {
            Grant::Exchange { subject, .. } => Fingerprint::of(subject),
            Grant::ClientCredentials { .. } => {
                if let Some(banned) = self.pace.banned.get_mut(profile) {
                    banned.due = None;
                }
                return;
            }
            _ => return,
        };
        let name = name_of(request);
        match parent.filter(|parent| parent.fingerprint == subject) {
            None => self.fail(
                "parent-of-an-exchange",
                format!("{name}: exchanged for {subject}, which is not its workspace's token"),
            ),
            Some(parent) if parent.left(now) < Duration::from_secs(60).min(parent.life() / 3) => {
                let left = parent.left(now);
                self.fail(
                    "parent-of-an-exchange",
                    format!("{name}: exchanged for a workspace's token with {left:?} left"),
                );
            }
            Some(_) => {}
        }
        if self.pace.banned.get(profile).is_some_and(|banned| banned.token == subject) {
            self.fail("refused-parent", format!("{name}: exchanged for {subject} again, which was refused"));
        }
    }

    /// In calm weather: a workspace's token that was refused is renewed soon, for the peers that wait for it.
    pub(crate) fn parents_were_renewed(&mut self, now: BootTime) {
        let late = |banned: &Banned| banned.due.is_some_and(|due| now.since(due).as_millis() as u64 > 60 * SECOND);
        if let Some((profile, _)) = self.pace.banned.iter().find(|(_, banned)| late(banned)) {
            let what = format!("{profile}: its token was refused for an exchange and is not renewed");
            self.fail("parent-renewed", what);
        }
    }

    /// A profile was replaced: its names are others.
    pub(super) fn restart_paces(&mut self, profile: &ProfileName) {
        self.pace.banned.remove(profile);
        self.pace.forced.retain(|name, _| name.profile != *profile);
        self.pace.complaints.retain(|name, _| name.profile != *profile);
    }
}
