//! What is sent: one at a time, not too fast, no login without need, and within its quota.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokend::core::issued::AccessToken;
use tokend::core::provider::{Grant, ProviderRequest};
use tokend::core::record::{ChainKey, ChainState, LoginOutcome, QuotaKey, Record, RecordKey};
use tokend::core::settings::{Kind, Profile};
use tokend::core::time::BootTime;
use tokend_proto::{ProfileName, TokenName};

use super::Invariants;
use crate::disk::Disk;
use crate::machine::{MINUTE, Time};
use sandbox::Provider;

/// The provider's window for logins.
const QUOTA_WINDOW: Time = 30 * MINUTE;

/// Attempts in it.
const ATTEMPTS: usize = 3;

/// What may be in flight once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A name, since its profile was last replaced.
    Name(TokenName, u64),
    Listing(ProfileName, u64),
    Chain(ChainKey),
}

pub(crate) fn chain_key(profile: &Profile) -> Option<ChainKey> {
    match &profile.kind {
        Kind::Classic { gateway, .. } => Some(ChainKey {
            profile: profile.name.clone(),
            gateway: gateway.url.clone(),
            client_id: profile.client_id.clone(),
        }),
        _ => None,
    }
}

pub(crate) fn name_of(request: &ProviderRequest) -> TokenName {
    let tenant = match &request.grant {
        Grant::Exchange { tenant, .. } => Some(*tenant),
        _ => None,
    };
    TokenName { profile: request.profile.name.clone(), tenant }
}

/// Whether this tries an imported refresh token.
pub(crate) fn is_trial(request: &ProviderRequest, disk: &Disk) -> bool {
    matches!(&request.grant, Grant::Refresh { refresh_token, .. } if !disk.is_current(&request.profile, refresh_token))
}

impl Invariants {
    pub(super) fn key(&self, request: &ProviderRequest) -> Key {
        let profile = &request.profile.name;
        let generation = self.generation(profile);
        match (&request.grant, chain_key(&request.profile)) {
            (Grant::ListTenants { .. }, _) => Key::Listing(profile.clone(), generation),
            (_, Some(chain)) => Key::Chain(chain),
            (_, None) => Key::Name(name_of(request), generation),
        }
    }

    /// The core sends something.
    pub(crate) fn sends(
        &mut self,
        request: &ProviderRequest,
        disk: &Disk,
        provider: &Provider,
        now: BootTime,
        at: Time,
    ) {
        let key = self.key(request);
        self.is_time(request, is_trial(request, disk), now);
        self.secrets.sent(request);
        self.list_goes_on(request);
        if let Some(other) = self.flying.insert(key.clone(), request.id) {
            self.fail("one-at-a-time", format!("{key:?}: {:?} was sent while {other:?} is on the wire", request.id));
        }
        if let (Some(chain), Grant::Login { .. }) = (chain_key(&request.profile), &request.grant) {
            if !matches!(request.profile.kind, Kind::Classic { login: Some(_), .. }) {
                self.fail("login-configured", format!("{}: a login, and none is configured", chain.profile));
            }
            self.login_is_due(&chain, disk, provider, at);
        }
        if let (Some(chain), Grant::Refresh { refresh_token, .. }) = (chain_key(&request.profile), &request.grant) {
            self.refresh_is_written(&chain, refresh_token, disk);
        }
    }

    /// A renewal of a name that has a good token must have a reason.
    pub(crate) fn renewal_has_reason(
        &mut self,
        name: &TokenName,
        current: Option<&AccessToken>,
        parent_of_waiting: bool,
        wanted: impl FnOnce() -> Duration,
        now: BootTime,
    ) {
        let Some(token) = current.filter(|token| token.expires > now) else { return };
        if self.renewing.get(name) == Some(&token.fingerprint) {
            return; // what was begun with reason goes on until it succeeds
        }
        let due = token.refresh <= now;
        let complained = self.complained.get(name) == Some(&token.fingerprint);
        let distrusted = self.distrusted.contains(&token.fingerprint);
        let margin = Duration::from_secs(60).min(token.life() / 3);
        let parent = parent_of_waiting && token.left(now) < margin;
        let short = || {
            let wanted = wanted() > token.left(now) || self.wanting.get(name) == Some(&token.fingerprint);
            wanted && now.since(token.issued) > token.life() / 4
        };
        let other = due || distrusted || parent || short();
        if complained && !other {
            self.is_forced(name, token.fingerprint, false, now);
        }
        if !(complained || other) {
            let left = token.left(now).as_secs();
            self.fail(
                "reason-to-renew",
                format!("{name}: renewed with {left} s left of {} and for no reason", token.life().as_secs()),
            );
        }
        self.renewing.insert(name.clone(), token.fingerprint);
    }

    /// A refresh of a Classic token that is good must have a reason, too; what is not known of the one before is one.
    pub(crate) fn rotation_has_reason(&mut self, name: &TokenName, current: Option<&AccessToken>, now: BootTime) {
        let Some(token) = current.filter(|token| token.expires > now) else { return };
        if self.renewing.get(name) == Some(&token.fingerprint) {
            return;
        }
        if token.refresh > now && self.complained.get(name) == Some(&token.fingerprint) {
            self.is_forced(name, token.fingerprint, true, now);
        }
        self.renewing.insert(name.clone(), token.fingerprint);
    }

    /// Whether the answer matters: the profile was not replaced since.
    pub(crate) fn awaits(&self, request: &ProviderRequest) -> bool {
        self.flying.get(&self.key(request)) == Some(&request.id)
    }

    /// The request's answer has come, or never will.
    pub(crate) fn landed(&mut self, request: &ProviderRequest) {
        self.secrets.landed(request);
        self.flying.retain(|_, id| *id != request.id);
    }

    /// A profile's old requests are none of the new one's.
    pub(crate) fn replaced(&mut self, profile: &ProfileName) {
        self.restart_paces(profile);
        self.forget_list(profile);
        *self.generations.entry(profile.clone()).or_default() += 1;
    }

    /// Another rate is in force.
    pub(crate) fn rate_was(&mut self, rate: usize, now: BootTime) {
        let before = self.rate_before.filter(|(_, until)| *until > now).map_or(0, |(rate, _)| rate);
        self.rate_before = Some((rate.max(before), now + Duration::from_secs(1)));
    }

    /// One HTTP request goes out.
    pub(crate) fn step(&mut self, host: &Arc<str>, rate: usize, now: BootTime) {
        let rate = self.rate_before.filter(|(_, until)| *until > now).map_or(rate, |(before, _)| rate.max(before));
        let sent = self.steps.entry(host.clone()).or_default();
        sent.push_back(now);
        while sent.front().is_some_and(|first| now.since(*first) >= Duration::from_secs(1)) {
            sent.pop_front();
        }
        let count = sent.len();
        if count > rate {
            self.fail("rate-of-a-host", format!("{host}: {count} requests within a second, where {rate} are allowed"));
        }
    }

    /// Only an empty chain, or one whose refresh token the provider has definitely refused, is worth a login; and it
    /// is written down before it is sent.
    fn login_is_due(&mut self, key: &ChainKey, disk: &Disk, provider: &Provider, at: Time) {
        let view = self.chains.get(key);
        let rotten = view.is_some_and(|view| view.rotten);
        let last = view.and_then(|view| view.last.clone());
        match disk.chain(key).map(|record| &record.state) {
            None | Some(ChainState::Empty | ChainState::AwaitingLogin { .. } | ChainState::Lost { .. }) => {}
            Some(state) => {
                self.fail("reason-to-log-in", format!("{}: a login while its chain is {state:?}", key.profile))
            }
        }
        if rotten && last.is_none() {
            self.fail("login-of-unreadable", format!("{}: a login though of its chain nothing is known", key.profile));
        }
        if let Some((last, text)) = last {
            if !self.refused.contains(&last) {
                self.fail(
                    "reason-to-log-in",
                    format!("{}: a login though refresh token {last} was never refused", key.profile),
                );
            }
            if provider.can_refresh(at, text.expose()) {
                self.fail("reason-to-log-in", format!("{}: a login though refresh token {last} lives", key.profile));
            }
        }
        let quota = RecordKey::Quota(QuotaKey { gateway: key.gateway.clone(), client_id: key.client_id.clone() });
        let open = match disk.record(&quota) {
            Some(Record::Quota(record)) => record.attempts.iter().any(|a| a.outcome == LoginOutcome::Open),
            _ => false,
        };
        if !open {
            self.fail("login-written-first", format!("{}: a login that is not written down", key.profile));
        }
    }

    /// A refresh token is on disk as in flight, or as a candidate, before it is sent.
    fn refresh_is_written(&mut self, key: &ChainKey, token: &tokend_proto::Secret, disk: &Disk) {
        let of = tokend_proto::Fingerprint::of(token);
        let marked = disk.chain(key).is_some_and(|record| {
            matches!(record.state, ChainState::InFlight { sent, .. } if sent == of)
                || (self.chains.get(key).is_some_and(|view| view.rotten)
                    && record.refresh_token.as_ref() == Some(token))
        });
        let candidate = match disk.record(&RecordKey::Candidate(key.clone())) {
            Some(Record::Candidate(record)) => record.refresh_token == *token,
            _ => false,
        };
        if !marked && !candidate {
            self.fail(
                "refresh-written-first",
                format!("{}: refresh token {of} is sent and its record does not say so", key.profile),
            );
        }
    }

    /// A login's first step has reached the provider.
    pub(crate) fn login_arrived(&mut self, client: &str, at: Time) {
        let attempts = self.logins.entry(client.to_owned()).or_default();
        attempts.retain(|attempt| attempt + QUOTA_WINDOW > at);
        attempts.push_back(at);
        let count = attempts.len();
        if count > ATTEMPTS {
            self.fail("login-quota", format!("client {client}: {count} logins within half an hour"));
        }
        // The provider would refuse it; the daemon must not even try.
        if let Some(before) = self.minted.get(client).copied().filter(|before| before + QUOTA_WINDOW > at) {
            let seconds = (at - before) / 1000;
            self.fail("login-quota", format!("client {client}: a login {seconds} s after one that brought a token"));
        }
    }

    /// A login has given a token, whether or not anybody hears of it.
    pub(crate) fn login_minted(&mut self, client: &str, at: Time) {
        if let Some(before) = self.minted.insert(client.to_owned(), at)
            && before + QUOTA_WINDOW > at
        {
            let seconds = (at - before) / 1000;
            self.fail("login-quota", format!("client {client}: a second token by login after {seconds} s"));
        }
    }

    /// The wall clock was stepped while the machine was off: the daemon cannot know how long ago its logins were.
    pub(crate) fn forgive_logins(&mut self) {
        self.logins.values_mut().for_each(VecDeque::clear);
        self.minted.clear();
    }
}
