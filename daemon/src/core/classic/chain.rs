//! A Classic chain from the outside: what it does next, and what its state means for its name.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::TokenName;

use super::state::{CHAIN_LIFE, CLIENT_REFUSED, Chain, Send, Sent, Work, chain_key};
use crate::core::activity::Activity;
use crate::core::effect::Severity;
use crate::core::egress::queue::Job;
use crate::core::issued::{AccessToken, ReadMode};
use crate::core::provider::{Grant, ProviderRequest, RequestId};
use crate::core::record::{ChainKey, ChainState, LostCause};
use crate::core::settings::Kind;
use crate::core::time::{BootTime, Now};
use crate::core::timers::Alarm;
use crate::core::token_state::{Purpose, Secrets, Trouble, TroubleKind};
use crate::core::{Core, schedule};

/// Time left of [`CHAIN_LIFE`] at which an operator is warned.
const WARNINGS: [Duration; 3] =
    [Duration::from_secs(7 * 86_400), Duration::from_secs(3 * 86_400), Duration::from_secs(86_400)];

/// How long reads wait for a refresh on the wire, which kills the token that they would get.
const HOLD: Duration = Duration::from_secs(2);

/// Of a chain whose record cannot be read, where an operator might expect it.
const LOGIN_NOT_USED: &str = ", and its login is not used, because nothing says that its refresh token was refused";

impl Core {
    /// The token name of a chain whose profile is configured.
    pub(in crate::core) fn name_of(&self, key: &ChainKey) -> Option<TokenName> {
        let state = self.profiles.get(&key.profile)?;
        (chain_key(&state.profile).as_ref() == Some(key)).then(|| TokenName::from(key.profile.clone()))
    }

    pub(in crate::core) fn has_login(&self, key: &ChainKey) -> bool {
        let state = self.profiles.get(&key.profile);
        state.is_some_and(|state| matches!(state.profile.kind, Kind::Classic { login: Some(_), .. }))
    }

    /// Whether a login may start another chain once there is none: after a definite refusal, or where there never was
    /// one.
    pub(in crate::core) fn may_log_in(&self, key: &ChainKey) -> bool {
        let unreadable =
            |chain: &Chain| matches!(chain.record.state, ChainState::Lost { why: LostCause::RecordUnreadable, .. });
        self.has_login(key) && !self.chains.get(key).is_some_and(unreadable)
    }

    /// Whether a chain that is idle has something to send; `None` if that depends on its token.
    pub(in crate::core) fn chain_wants(&self, now: Now, key: &ChainKey) -> Option<bool> {
        let chain = self.chains.get(key)?;
        if !chain.removing_candidate && chain.candidate.as_ref().is_some_and(|candidate| candidate.is_due(now.boot)) {
            return Some(true);
        }
        match chain.record.state {
            _ if chain.rest_until.is_some_and(|at| at > now.boot) => Some(false),
            ChainState::Settled => None,
            ChainState::Lost { .. } | ChainState::Empty | ChainState::AwaitingLogin { .. } if !self.may_log_in(key) => {
                Some(false)
            }
            _ => {
                let entry = self.names.get(&TokenName::from(key.profile.clone()))?;
                Some(entry.retry_at.is_none_or(|at| at <= now.boot))
            }
        }
    }

    /// When an imported refresh token is to be tried again, and until when the chain is left alone.
    pub(in crate::core) fn chain_times(&self, key: &ChainKey) -> [Option<BootTime>; 2] {
        let Some(chain) = self.chains.get(key) else { return [None; 2] };
        [chain.candidate.as_ref().and_then(|candidate| candidate.retry_at), chain.rest_until]
    }

    /// Begins whatever an idle chain has to do.
    pub(in crate::core) fn begin_chain(&mut self, now: Now, name: &TokenName, key: &ChainKey) {
        if !self.chains.get(key).is_some_and(|chain| matches!(chain.work, Work::Idle)) {
            return; // finishes what an earlier configuration began
        }
        let secrets = self.secrets(now, &name.profile);
        let Some(chain) = self.chains.get_mut(key) else { return };
        let trial = !chain.removing_candidate && chain.candidate.as_ref().is_some_and(|c| c.is_due(now.boot));
        match secrets {
            Secrets::Known => {}
            Secrets::Reading => {
                chain.work = Work::Secrets;
                return self.set_activity(name, Activity::Chain);
            }
            Secrets::ReadAt(at) if trial => return self.candidate_waits_for_secrets(name, key, at),
            Secrets::ReadAt(at) => return self.wait_for_secrets(name, at),
        }
        self.set_activity(name, Activity::Chain);
        let Some(chain) = self.chains.get(key) else { return };
        let state = chain.record.state.clone();
        if (trial || state != ChainState::Settled) && self.rebases_first(now, key) {
            return; // what marks it in flight has new times anyway
        }
        if trial {
            self.begin_candidate(key);
        } else {
            match state {
                ChainState::Settled => self.write_intent(now, key),
                ChainState::InFlight { .. } => self.queue_chain(key, Send::Refresh),
                ChainState::AwaitingLogin { .. } | ChainState::Empty | ChainState::Lost { .. } => {
                    self.begin_login(now, name, key);
                }
            }
        }
    }

    /// The chain has nothing on the wire any more.
    pub(in crate::core) fn rest(&mut self, key: &ChainKey) {
        if let Some(chain) = self.chains.get_mut(key) {
            chain.work = Work::Idle;
            let is_due = chain.rebase_at.is_some();
            self.rebase_soon(is_due);
        }
        if let Some(name) = self.name_of(key) {
            if self.names.get(&name).is_some_and(|entry| entry.activity == Activity::Chain) {
                self.set_activity(&name, Activity::Idle);
            }
            self.mark_dirty(name);
        }
    }

    pub(in crate::core) fn queue_chain(&mut self, key: &ChainKey, send: Send) {
        let Some(host) = self.profiles.get(&key.profile).map(|state| state.profile.endpoint().host.clone()) else {
            return self.rest(key);
        };
        if let Some(chain) = self.chains.get_mut(key) {
            chain.work = Work::Queued(send);
            let is_due = chain.rebase_at.is_some();
            self.rebase_soon(is_due);
        }
        self.push_job(&host, Job::Chain(key.clone()));
    }

    /// The request of a chain whose turn has come.
    pub(in crate::core) fn request_chain(&mut self, now: Now, key: &ChainKey) -> Option<ProviderRequest> {
        let name = self.name_of(key);
        let chain = self.chains.get(key)?;
        let Work::Queued(send) = chain.work else { return None };
        let prepared = name.as_ref().and_then(|name| {
            let state = self.profiles.get(&name.profile)?;
            let refused = match send {
                Send::Candidate => chain.candidate.as_ref()?.secrets_refused,
                Send::Refresh | Send::Login => self.names.get(name)?.secrets_refused,
            };
            let secret = state.secret(refused)?;
            let (grant, of) = match send {
                Send::Refresh => refresh(secret, chain.record.refresh_token.clone()?),
                Send::Candidate => {
                    let candidate = chain.candidate.as_ref().filter(|candidate| candidate.durable)?;
                    refresh(secret, candidate.token().clone())
                }
                Send::Login => {
                    let credentials = state.credentials()?;
                    (Grant::Login { secret, password: credentials.password }, Sent::Login(credentials))
                }
            };
            Some((Arc::clone(&state.profile), secret, grant, of))
        });
        let Some((profile, secret, grant, of)) = prepared else {
            // The profile went away, or its secrets did, before anything was sent.
            if let Some(candidate) = self.chains.get_mut(key).and_then(|chain| chain.candidate.as_mut()) {
                candidate.secrets_refused = 0;
            }
            if let Some(entry) = self.name_of(key).and_then(|name| self.names.get_mut(&name)) {
                entry.secrets_refused = 0;
            }
            self.start_over(key, send);
            return None;
        };
        if send == Send::Login && !self.attempt_is_new(now, key) {
            self.start_over(key, send);
            return None;
        }
        let id = RequestId(self.next_id());
        let host = profile.endpoint().host.clone();
        let purpose = Purpose::Chain { key: key.clone(), send, sent: now.boot, host: host.clone(), secret, of };
        self.requests.insert(id, purpose);
        if let Some(chain) = self.chains.get_mut(key) {
            chain.work = Work::Sent(send);
        }
        match send {
            Send::Refresh => self.hold(now, key),
            Send::Login => self.egress.login_began(&host),
            Send::Candidate => {}
        }
        Some(ProviderRequest { id, profile, grant })
    }

    /// What was about to be sent is not.
    fn start_over(&mut self, key: &ChainKey, send: Send) {
        if send == Send::Login {
            self.login_not_sent(key);
        }
        self.rest(key);
    }

    /// Reads wait for a moment: the token that they would get is about to die.
    fn hold(&mut self, now: Now, key: &ChainKey) {
        let Some(name) = self.name_of(key) else { return };
        let Some(entry) = self.names.get_mut(&name) else { return };
        if entry.good(now.boot).is_some() {
            entry.hold_until = Some(now.boot + HOLD);
            self.set_mode(&name, ReadMode::Ask);
            self.mark_dirty(name);
        }
    }

    /// The refresh on the wire has ended without a new pair.
    pub(in crate::core) fn release(&mut self, key: &ChainKey) {
        let Some(name) = self.name_of(key) else { return };
        let doubtful = self.chains.get(key).is_some_and(Chain::doubts_access_token);
        if let Some(entry) = self.names.get_mut(&name) {
            entry.hold_until = None;
        }
        self.set_mode(&name, if doubtful { ReadMode::ServeRenewing } else { ReadMode::Serve });
    }

    /// A profile is configured: its name takes up where its chain stands.
    pub(in crate::core) fn link_chain(&mut self, now: Now, name: &TokenName, key: &ChainKey) {
        let chain = self.chains.entry(key.clone()).or_default();
        if matches!(chain.work, Work::Queued(_) | Work::Secrets) {
            chain.work = Work::Idle; // of an earlier configuration; nothing was sent
        }
        let busy = !matches!(chain.work, Work::Idle);
        let settled = chain.record.state == ChainState::Settled;
        let doubtful = !settled || chain.doubts_access_token();
        let token = restored_token(self.boot_id, now, chain);
        if busy {
            self.set_activity(name, Activity::Chain);
        }
        if let Some((mut token, same_boot)) = token {
            let profile = self.names.get(name).map(|entry| Arc::clone(&entry.profile));
            if let Some(profile) = profile
                && same_boot
                && settled
            {
                token.refresh =
                    schedule::refresh_at(&self.settings, &profile, token.issued, token.life(), self.random.roll());
            }
            if let Some(entry) = self.names.get_mut(name) {
                entry.token = Some(Arc::new(token));
                entry.mode = if doubtful { ReadMode::ServeRenewing } else { ReadMode::Serve };
            }
            self.publish(name);
        }
        self.chain_trouble(name, key);
        self.chain_alarm(now, key);
    }

    /// Says on the name what its chain's state forbids.
    pub(in crate::core) fn chain_trouble(&mut self, name: &TokenName, key: &ChainKey) {
        let login = self.may_log_in(key);
        let Some(chain) = self.chains.get(key) else { return };
        let trouble = match chain.record.state {
            ChainState::Empty | ChainState::Lost { .. } | ChainState::AwaitingLogin { .. }
                if !login && chain.candidate.is_some() =>
            {
                let client_refused = chain.candidate.as_ref().is_some_and(|candidate| candidate.client_refused > 0);
                Some(match client_refused {
                    true => Trouble::new(TroubleKind::Rejected, CLIENT_REFUSED),
                    false => Trouble::new(TroubleKind::Transient, "an imported refresh token is being tried"),
                })
            }
            ChainState::Empty if !login => {
                Some(Trouble::new(TroubleKind::ChainEmpty, "its chain of refresh tokens was never started"))
            }
            ChainState::Lost { why, .. } if !login => {
                let unused = if self.has_login(key) { LOGIN_NOT_USED } else { "" };
                Some(Trouble::new(TroubleKind::ChainLost, format!("{}{unused}", lost_because(why))))
            }
            ChainState::AwaitingLogin { .. } if !login => {
                let message = "its chain is lost: the provider refused the refresh token, and its login is gone";
                Some(Trouble::new(TroubleKind::ChainLost, message))
            }
            _ => None,
        };
        let next_trial = chain.candidate.as_ref().and_then(|candidate| candidate.retry_at);
        let rest_until = chain.rest_until;
        let on_trial = trouble.as_ref().is_some_and(|trouble| trouble.kind == TroubleKind::Transient);
        let Some(entry) = self.names.get_mut(name) else { return };
        let of_chain = |t: &Trouble| {
            matches!(t.kind, TroubleKind::ChainEmpty | TroubleKind::ChainLost) || t.message == CLIENT_REFUSED
        };
        if trouble.is_some() || entry.trouble.as_ref().is_some_and(of_chain) {
            entry.trouble = trouble;
        }
        match entry.trouble.as_ref().map(|trouble| trouble.kind) {
            Some(TroubleKind::ChainEmpty | TroubleKind::ChainLost) => entry.retry_at = None,
            Some(TroubleKind::Rejected) if entry.trouble.as_ref().is_some_and(of_chain) => entry.retry_at = next_trial,
            _ if on_trial => entry.retry_at = next_trial,
            _ => entry.retry_at = entry.retry_at.or(rest_until),
        }
        self.mark_dirty(name.clone());
    }

    /// Something of a chain is due: a write to be tried again, or a warning.
    pub(in crate::core) fn chain_alarm(&mut self, now: Now, key: &ChainKey) {
        self.write_again(now, key);
        self.warn_of_end(now, key);
        let Some(chain) = self.chains.get(key) else { return };
        let write = match &chain.work {
            Work::Keeping(keep) => keep.retry_at,
            _ => None,
        };
        // Of a chain that is not configured nobody wants to know.
        let warning = self.name_of(key).and_then(|_| next_warning(self.boot_id, now, chain));
        self.alarms.set(Alarm::Chain(key.clone().into()), write.into_iter().chain(warning).min());
    }

    fn warn_of_end(&mut self, now: Now, key: &ChainKey) {
        let configured = self.name_of(key).is_some();
        let boot_id = self.boot_id;
        let Some(chain) = self.chains.get_mut(key) else { return };
        let Some(rotated) = chain.record.rotated.filter(|_| configured && chain.record.refresh_token.is_some()) else {
            return;
        };
        let left = CHAIN_LIFE.saturating_sub(rotated.age(now, boot_id));
        let due = WARNINGS.iter().filter(|threshold| left <= **threshold).count();
        if due > chain.warned {
            chain.warned = due;
            let hours = left.as_secs() / 3600;
            let message = format!(
                "no new refresh token has come for days, and this one dies in {hours} hours; see: tokenctl status {}",
                key.profile
            );
            self.notice(Severity::Warning, &key.profile, message);
        }
    }
}

fn refresh(secret: crate::core::provider::SecretVersion, refresh_token: tokend_proto::Secret) -> (Grant, Sent) {
    let of = Sent::RefreshToken(tokend_proto::Fingerprint::of(&refresh_token));
    (Grant::Refresh { secret, refresh_token }, of)
}

/// When the next warning of a chain's end is due.
fn next_warning(boot_id: crate::core::time::BootId, now: Now, chain: &Chain) -> Option<BootTime> {
    let rotated = chain.record.rotated.filter(|_| chain.record.refresh_token.is_some())?;
    let threshold = WARNINGS.get(chain.warned)?;
    let left = CHAIN_LIFE.saturating_sub(rotated.age(now, boot_id));
    Some(now.boot + left.saturating_sub(*threshold).max(Duration::from_secs(1)))
}

/// The access token of a restored record, and whether it is of this boot. `None` if it must not be served.
pub(in crate::core) fn restored_token(
    boot_id: crate::core::time::BootId,
    now: Now,
    chain: &Chain,
) -> Option<(AccessToken, bool)> {
    let access = chain.record.access.as_ref()?;
    let issued = chain.record.issued()?;
    let same_boot = !issued.is_of_earlier_boot(boot_id);
    let age = issued.age(now, boot_id);
    let left = access.life.checked_sub(age).filter(|left| !left.is_zero())?;
    let token = AccessToken {
        access_token: access.token.clone(),
        token_type: crate::core::issued::token_type(&access.token_type),
        fingerprint: tokend_proto::Fingerprint::of(&access.token),
        issued: now.boot - age,
        expires: now.boot + left,
        refresh: now.boot,
    };
    Some((token, same_boot))
}

pub(in crate::core) fn lost_because(why: LostCause) -> &'static str {
    match why {
        LostCause::ReplyLost => {
            "its chain is lost: the provider refuses the refresh token, most likely because an earlier refresh spent it \
             and its reply was an error, never arrived, or came when the daemon stopped before it could be stored"
        }
        LostCause::Expired => "its chain is lost: the refresh token was not renewed for 14 days and has expired",
        LostCause::Revoked => {
            "its chain is lost: the provider refuses the refresh token; it was revoked, or somebody else has used it"
        }
        LostCause::RecordUnreadable => "its chain is lost: its record in the state folder cannot be read",
    }
}
