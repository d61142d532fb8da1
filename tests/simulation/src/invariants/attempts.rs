//! Nothing that fails is tried again before its backoff is over, whatever it is: names, exchanges, lists, refreshes,
//! logins, imports. Judged by requests and answers alone, by the numbers that are documented: steps from 1 s on,
//! doubled up to an eighth of the life left within 2 and 30 s (Classic without a token 60 s), of which half is certain;
//! after a refusal 5 min doubled up to an hour, less a tenth.
//!
//! Cut short by a reload, an import and an operator's refresh; by another secret of the list; and once for an exchange
//! or a list that was refused its workspace's token.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokend::core::provider::{FailureKind, Grant, PairResponse, ProviderRequest, RefreshToken, SecretVersion};
use tokend::core::record::ChainKey;
use tokend::core::time::BootTime;
use tokend_proto::{Fingerprint, ProfileName, TokenName};

use super::Invariants;
use super::requests::{chain_key, name_of};

/// The longest step of a backoff of a name without a token, and of a Classic one.
const LONGEST_STEP: Duration = Duration::from_secs(30);
const LONGEST_STEP_OF_A_CHAIN: Duration = Duration::from_secs(60);

/// So much of the pause after a refusal is certain at first, and at most: 5 min and 1 h, less a tenth.
const FIRST_PROBE: Duration = Duration::from_secs(270);
const LONGEST_PROBE: Duration = Duration::from_secs(3240);

/// A provider's wish to be left alone is honoured up to this.
const LONGEST_WISH: Duration = Duration::from_secs(3600);

/// After a renewal that brought the token that was there before, unless that ends sooner.
const UNCHANGED: Duration = Duration::from_secs(30);

/// Refusals in a row of an exchange or a list; one try follows each first one, with another token.
const REFUSALS: u32 = 2;

/// A token that lives shorter, in seconds, is soon to be renewed.
const SHORT: i64 = 600;

/// Backoffs of which the spread can be judged.
const ENOUGH_BACKOFFS: u64 = 30;

/// Times are rounded down to milliseconds.
const ROUNDING: Duration = Duration::from_millis(1);

/// What a request is sent for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// A name's token, since its profile was last replaced.
    Name(TokenName, u64),
    List(ProfileName, u64),
    Refresh(ChainKey),
    Login(ChainKey),
    Import(ChainKey, Fingerprint),
}

impl Purpose {
    fn profile(&self) -> &ProfileName {
        match self {
            Self::Name(name, _) => &name.profile,
            Self::List(profile, _) => profile,
            Self::Refresh(key) | Self::Login(key) | Self::Import(key, _) => &key.profile,
        }
    }

    fn rule(&self) -> &'static str {
        match self {
            Self::Name(TokenName { tenant: None, .. }, _) => "pace-of-names",
            Self::Name(..) => "pace-of-exchanges",
            Self::List(..) => "pace-of-lists",
            Self::Refresh(_) => "pace-of-refreshes",
            Self::Login(_) => "pace-of-logins",
            Self::Import(..) => "pace-of-imports",
        }
    }
}

/// What has failed, and how long it rests.
#[derive(Debug, Clone, Default)]
struct Failed {
    last: BootTime,
    /// For the moment, in a row, and the step that follows.
    failures: u32,
    step: Duration,
    /// With all its secrets, or with two tokens of its workspace.
    refusals: u32,
    /// Each rest with the rule that it is judged by.
    rests: Vec<(Duration, &'static str)>,
    /// Secrets that were refused one after the other.
    refused: BTreeSet<SecretVersion>,
}

/// Of this life of the daemon.
#[derive(Default)]
pub(super) struct Attempts {
    failed: BTreeMap<Purpose, Failed>,
    /// Clients that a host wants to be left alone by.
    paused: BTreeMap<(Arc<str>, String), BootTime>,
    /// Logins with a password that was refused, by the profile's generation.
    passwords: BTreeSet<(ProfileName, u64, SecretVersion)>,
    /// Refresh tokens that were refused, as the daemon knows.
    refresh_tokens: BTreeSet<Fingerprint>,
}

/// A failure, as seen from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) kind: FailureKind,
    /// Life left of the name's token.
    pub(crate) left: Option<Duration>,
    /// What the provider's headers ask for.
    pub(crate) asked: Option<Duration>,
    /// The name is kept, whether somebody waits for it or not.
    pub(crate) kept: bool,
}

impl Invariants {
    pub(super) fn purpose(&self, request: &ProviderRequest, trial: bool) -> Purpose {
        let profile = &request.profile.name;
        let generation = self.generation(profile);
        match (&request.grant, chain_key(&request.profile)) {
            (Grant::ListTenants { .. }, _) => Purpose::List(profile.clone(), generation),
            (Grant::Refresh { refresh_token, .. }, Some(key)) if trial => {
                Purpose::Import(key, Fingerprint::of(refresh_token))
            }
            (Grant::Login { .. }, Some(key)) => Purpose::Login(key),
            (_, Some(key)) => Purpose::Refresh(key),
            (_, None) => Purpose::Name(name_of(request), generation),
        }
    }

    /// A request is sent: is it time?
    pub(super) fn is_time(&mut self, request: &ProviderRequest, trial: bool, now: BootTime) {
        let purpose = self.purpose(request, trial);
        // The pages of a list are as many as it has.
        if !matches!(request.grant, Grant::ListTenants { offset: 1.., .. }) {
            self.hourly.request(&purpose, now);
        }
        let client = (request.profile.endpoint().host.clone(), request.profile.client_id.clone());
        if let Some(until) = self.attempts.paused.get(&client).filter(|until| now + ROUNDING < **until) {
            let early = until.since(now);
            self.fail("pause-of-a-client", format!("{purpose:?}: sent {early:?} before its client may be back"));
        }
        match &request.grant {
            Grant::Refresh { refresh_token, .. } => {
                let token = Fingerprint::of(refresh_token);
                if self.attempts.refresh_tokens.contains(&token) {
                    self.fail("refused-refresh-token", format!("{purpose:?}: {token} is sent again and was refused"));
                }
            }
            Grant::Login { password, .. } => {
                let login = (request.profile.name.clone(), self.generation(&request.profile.name), *password);
                if self.attempts.passwords.contains(&login) {
                    self.fail("refused-password", format!("{purpose:?}: a login with a password that was refused"));
                }
            }
            _ => {}
        }
        let Some(failed) = self.attempts.failed.get(&purpose) else { return };
        let (pause, step) = (now.since(failed.last), failed.step);
        let early = failed.rests.iter().find(|(rest, _)| pause + ROUNDING < *rest).copied();
        let again = secret(&request.grant).is_some_and(|secret| failed.refused.contains(&secret));
        let failures = failed.failures;
        if let Some((rest, rule)) = early {
            self.fail(rule, format!("{purpose:?}: sent again after {pause:?}, where {rest:?} are the least"));
        } else if again {
            self.fail("next-secret", format!("{purpose:?}: sent with a secret that was refused, and there is another"));
        }
        *self.judged.entry(purpose.rule()).or_default() += 1;
        if failures > 0 && step >= LONGEST_STEP {
            let (least, counted) = &mut self.backoffs;
            *least = least.min(pause.as_secs_f64() / step.as_secs_f64());
            *counted += 1;
        }
    }

    /// A request that mattered has failed.
    pub(crate) fn has_failed(&mut self, request: &ProviderRequest, trial: bool, seen: Seen, now: BootTime) {
        let purpose = self.purpose(request, trial);
        let generation = self.generation(&request.profile.name);
        let asked = seen.asked.unwrap_or_default().min(LONGEST_WISH);
        let client = (request.profile.endpoint().host.clone(), request.profile.client_id.clone());
        let secrets = secret(&request.grant).zip(self.secrets.known(request));
        let uses_parent = matches!(request.grant, Grant::Exchange { .. } | Grant::ListTenants { .. });
        let failed = self.attempts.failed.entry(purpose.clone()).or_default();
        let rested = now.since(failed.last);
        failed.last = now;
        failed.rests.clear();
        match seen.kind {
            FailureKind::InvalidClient if !uses_parent => {
                let Some((secret, known)) = secrets else { return failed.refused.clear() };
                failed.refused.insert(secret);
                if known.iter().all(|version| failed.refused.contains(version)) {
                    failed.refused.clear();
                    failed.refusals += 1;
                    failed.rests.push((probe(failed.refusals), "pace-of-refused"));
                }
            }
            FailureKind::InvalidClient | FailureKind::InvalidToken if uses_parent => {
                failed.refusals = if rested >= FIRST_PROBE { 1 } else { failed.refusals + 1 };
                if failed.refusals >= REFUSALS {
                    failed.rests.push((FIRST_PROBE, "pace-of-refused"));
                }
            }
            FailureKind::InvalidGrant => {
                if let Grant::Refresh { refresh_token, .. } = &request.grant {
                    self.attempts.refresh_tokens.insert(Fingerprint::of(refresh_token));
                }
                *failed = Failed::default();
            }
            FailureKind::LoginRefused => {
                if let Grant::Login { password, .. } = &request.grant {
                    self.attempts.passwords.insert((request.profile.name.clone(), generation, *password));
                }
            }
            _ => {
                failed.refused.clear();
                // In a row; only a name remembers them longer.
                failed.refusals *= u32::from(!uses_parent && !matches!(purpose, Purpose::Import(..)));
                let most = match seen.left {
                    Some(left) if !left.is_zero() => (left / 8).clamp(Duration::from_secs(2), LONGEST_STEP),
                    _ if chain_key(&request.profile).is_some() => LONGEST_STEP_OF_A_CHAIN,
                    _ => LONGEST_STEP,
                };
                // A tenant that nobody waits for is forgotten, and its failures with it.
                let count = if seen.kept { failed.failures } else { 0 };
                failed.step = Duration::from_secs(1 << count.min(6)).min(most);
                // Each third refusal without a reason counts as one, and not as a failure.
                failed.failures += u32::from(seen.kind != FailureKind::Unreadable);
                failed.rests.push((failed.step / 2, purpose.rule()));
                failed.rests.push((asked, "retry-after"));
                if seen.kind == FailureKind::RateLimited {
                    let until = self.attempts.paused.entry(client).or_default();
                    *until = (*until).max(now + asked);
                }
            }
        }
    }

    /// What failed has succeeded.
    pub(crate) fn succeeded(&mut self, request: &ProviderRequest, trial: bool) {
        let purpose = self.purpose(request, trial);
        self.attempts.failed.remove(&purpose);
        if let Some(key) = chain_key(&request.profile) {
            // Whatever it was, the chain is another now.
            self.attempts.failed.remove(&Purpose::Login(key.clone()));
            self.attempts.failed.remove(&Purpose::Refresh(key));
        }
        self.forget_refusal(request);
    }

    /// A name's request has brought a token, perhaps the one that was there before, with so
    /// much life left.
    pub(crate) fn token_received(
        &mut self,
        request: &ProviderRequest,
        expires_in: Option<i64>,
        same: Option<Duration>,
        now: BootTime,
    ) {
        self.succeeded(request, false);
        if expires_in.is_some_and(|seconds| seconds < SHORT) {
            let purpose = self.purpose(request, false);
            self.hourly.excuse(&purpose);
        }
        if let Some(left) = same {
            self.same_token(request, left, now);
        } else if matches!(request.grant, Grant::ClientCredentials { .. }) {
            self.parent_is_new(&request.profile.name);
        }
    }

    /// A workspace has another token: its tenants may be tried at once.
    pub(super) fn parent_is_new(&mut self, profile: &ProfileName) {
        let of = |purpose: &Purpose| matches!(purpose, Purpose::Name(name, _) if name.profile == *profile && name.tenant.is_some());
        self.attempts.failed.retain(|purpose, _| !of(purpose));
    }

    /// A renewal has brought the token that was there before: that is none.
    pub(crate) fn same_token(&mut self, request: &ProviderRequest, left: Duration, now: BootTime) {
        let purpose = self.purpose(request, false);
        self.rests(purpose, now, UNCHANGED.min(left), "same-token");
    }

    /// What a refresh or a login brought is not all that there should be: the next one is minutes away.
    pub(crate) fn incomplete_pair(
        &mut self,
        request: &ProviderRequest,
        trial: bool,
        pair: &PairResponse,
        now: BootTime,
    ) {
        let useful = |seconds: Option<i64>| seconds.is_none_or(|seconds| seconds >= 2);
        let complete = pair.access.as_ref().is_some_and(|access| useful(access.expires_in));
        let purpose = self.purpose(request, trial && pair.refresh_token == RefreshToken::Unreadable);
        if !complete || pair.refresh_token == RefreshToken::Unreadable {
            self.rests(purpose, now, FIRST_PROBE, "pace-of-incomplete");
        }
    }

    fn rests(&mut self, purpose: Purpose, now: BootTime, rest: Duration, rule: &'static str) {
        let rests = vec![(rest, rule)];
        self.attempts.failed.insert(purpose, Failed { last: now, rests, ..Failed::default() });
        *self.judged.entry(rule).or_default() += 1;
    }

    /// A person has done something about a profile: all of it may be tried at once.
    pub(crate) fn starts_afresh(&mut self, profile: &ProfileName) {
        self.attempts.failed.retain(|purpose, _| purpose.profile() != profile);
        self.secrets.starts_afresh(profile);
        self.forget_list(profile);
    }

    /// An operator wants this tried now, whatever its provider asked for.
    pub(crate) fn is_wanted_now(&mut self, profile: &ProfileName, client: &str) {
        self.starts_afresh(profile);
        self.attempts.paused.retain(|(_, paused), _| paused != client);
    }

    /// The configuration has changed: everything may be tried at once.
    pub(crate) fn all_start_afresh(&mut self) {
        self.attempts.failed.clear();
        self.secrets.all_start_afresh();
        self.forget_lists();
    }

    /// At the end of a run.
    pub(crate) fn backoffs_were_spread(&mut self) {
        let (least, count) = self.backoffs;
        if count >= ENOUGH_BACKOFFS && least > 0.9 {
            self.fail("spread-of-backoffs", format!("{count} backoffs all took at least {least:.2} of their step"));
        }
    }
}

fn secret(grant: &Grant) -> Option<SecretVersion> {
    match grant {
        Grant::ClientCredentials { secret } | Grant::Refresh { secret, .. } | Grant::Login { secret, .. } => {
            Some(*secret)
        }
        Grant::Exchange { .. } | Grant::ListTenants { .. } => None,
    }
}

/// The least pause after so many refusals.
fn probe(refusals: u32) -> Duration {
    (FIRST_PROBE * (1 << refusals.saturating_sub(1).min(8))).min(LONGEST_PROBE)
}
