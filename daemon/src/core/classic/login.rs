//! The Classic login for non-SSO users, and its quota: three attempts and one token in 30 minutes per
//! client_id, kept across restarts.

use std::time::Duration;

use tokend_proto::{LoginQuota, TokenName};

use super::state::{Quota, Send, Sent, Work, Written, quota_key};
use crate::core::Core;
use crate::core::activity::Activity;
use crate::core::effect::Severity;
use crate::core::provider::{Failure, FailureKind, SecretVersion};
use crate::core::record::{ChainKey, ChainState, LoginAttempt, LoginOutcome, QuotaKey, QuotaRecord, Record, RecordKey};
use crate::core::time::{BootId, BootTime, DurableTime, Now};
use crate::core::token_state::{Trouble, TroubleKind};

/// One new token and [`MAX_ATTEMPTS`] attempts per client_id in this time (the provider's documentation),
/// counted from when an attempt ended.
const WINDOW: Duration = Duration::from_secs(30 * 60);
const MAX_ATTEMPTS: usize = 3;

/// An attempt whose end is not known ended at the latest so long after its begin: [`LONGEST_QUEUE`], `LOGIN_STEPS`
/// until its last step, and the 30 s of that.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(120);

/// An attempt that waited longer for its turn is recorded again: the window is counted from its begin, should its end
/// never be known.
const LONGEST_QUEUE: Duration = Duration::from_secs(10);

/// A login that waits for one on the wire, or for its record to be stored, looks again after this time at the latest:
/// soon, so that peers who can wait that long are not sent away.
const LOOK_SOON: Duration = Duration::from_secs(1);

/// A login that leaves another chain the first turn looks again after this time, should the other one be stuck.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

impl Core {
    pub(in crate::core) fn begin_login(&mut self, now: Now, name: &TokenName, key: &ChainKey) {
        self.rest(key);
        let Some(state) = self.profiles.get(&name.profile) else { return };
        let Some(credentials) = state.credentials() else {
            return self.secret_unavailable(now, name, "the password of its login could not be read".to_owned());
        };
        if state.refused_login.as_ref() == Some(&credentials) {
            let message = "the provider refused user name or password of its login, and they are unchanged since";
            return self.rejected(now, name, message);
        }
        let quota = self.quotas.entry(quota_key(key)).or_default();
        let next = next_login(quota, now, self.boot_id);
        let other = "it waits for the login of another profile";
        let in_between = match (&quota.busy, quota.writing) {
            (Some(_), _) => Some((LOOK_SOON, other)),
            (None, true) => Some((LOOK_SOON, "the end of the last login of its client is just being recorded")),
            (None, false) => self.is_preceded(now, key).then_some((LOOK_AGAIN, other)),
        };
        if let Some((pause, message)) = in_between {
            return self.await_login(name, now.boot + pause, message.to_owned());
        }
        if let Some(at) = next {
            let wait = crate::core::report::errors::seconds(at.since(now.boot));
            let message = format!("its next login is allowed in {wait} s, because of the provider's limit per client");
            return self.await_login(name, at, message);
        }
        self.open_quota(now, name, key);
    }

    /// What is left of the logins of this chain's client.
    pub(in crate::core) fn login_quota(&self, now: Now, key: &ChainKey) -> LoginQuota {
        let Some(quota) = self.quotas.get(&quota_key(key)) else {
            return LoginQuota { attempts_left: MAX_ATTEMPTS as u32, next_at: None };
        };
        let is_live = |attempt: &&LoginAttempt| !attempt.is_over(now, self.boot_id);
        let live = quota.record.attempts.iter().filter(is_live).count();
        let next_at = next_login(quota, now, self.boot_id).map(|at| now.stamp(at));
        LoginQuota { attempts_left: MAX_ATTEMPTS.saturating_sub(live) as u32, next_at }
    }

    fn await_login(&mut self, name: &TokenName, at: BootTime, message: String) {
        if let Some(entry) = self.names.get_mut(name) {
            entry.trouble = Some(Trouble::new(TroubleKind::AwaitingLogin, message));
            entry.retry_at = Some(at);
        }
        self.mark_dirty(name.clone());
    }

    /// Whether another profile of the same client has waited longer for the one login that there is.
    fn is_preceded(&self, now: Now, key: &ChainKey) -> bool {
        let quota = quota_key(key);
        let waiting = |other: &ChainKey| {
            let chain = self.chains.get(other)?;
            let name = self.name_of(other).filter(|_| self.may_log_in(other))?;
            let entry = self.names.get(&name)?;
            let stuck = entry.trouble.as_ref().is_some_and(|t| t.kind != TroubleKind::AwaitingLogin);
            match chain.record.state {
                _ if stuck || chain.candidate.is_some() => None,
                ChainState::Empty => Some(Duration::MAX),
                ChainState::AwaitingLogin { since } | ChainState::Lost { since, .. } => {
                    Some(since.age(now, self.boot_id))
                }
                ChainState::Settled | ChainState::InFlight { .. } => None,
            }
        };
        // The longest wait first, and of equal ones the first by name.
        let rank = |other: &ChainKey| waiting(other).map(|waited| (std::cmp::Reverse(waited), other.clone()));
        let mine = (std::cmp::Reverse(self.login_wait(now, key)), key.clone());
        self.chains.keys().filter(|other| *other != key && quota_key(other) == quota).filter_map(rank).any(|r| r < mine)
    }

    fn login_wait(&self, now: Now, key: &ChainKey) -> Duration {
        match self.chains.get(key).map(|chain| &chain.record.state) {
            Some(ChainState::AwaitingLogin { since } | ChainState::Lost { since, .. }) => since.age(now, self.boot_id),
            _ => Duration::MAX,
        }
    }

    /// Before the first step, that there may be a login is made durable.
    fn open_quota(&mut self, now: Now, name: &TokenName, key: &ChainKey) {
        let attempt = LoginAttempt { at: self.durable_now(now), outcome: LoginOutcome::Open };
        let boot_id = self.boot_id;
        let Some(quota) = self.quotas.get_mut(&quota_key(key)) else { return };
        let mut record = quota.record.clone();
        record.attempts.retain(|attempt| !attempt.is_over(now, boot_id));
        record.attempts.push(attempt);
        quota.busy = Some(key.clone());
        quota.writing = true;
        let revision = quota.revision;
        let purpose = Written::QuotaOpen(quota_key(key), record.clone(), key.clone());
        self.write(RecordKey::Quota(quota_key(key)), revision, Some(Record::Quota(record)), purpose);
        if let Some(chain) = self.chains.get_mut(key) {
            chain.work = Work::WritingIntent(Send::Login);
        }
        self.set_activity(name, Activity::Chain);
        self.notice(Severity::Info, name, "logging in for a new chain");
    }

    pub(in crate::core) fn quota_opened(
        &mut self,
        now: Now,
        quota: &QuotaKey,
        record: QuotaRecord,
        key: &ChainKey,
        result: Result<(), String>,
    ) {
        let Some(state) = self.quotas.get_mut(quota) else { return };
        state.writing = false;
        let is_due = state.rebase_at.is_some();
        match result {
            Ok(()) => {
                state.record = record;
                state.revision.0 += 1;
                self.queue_chain(key, Send::Login);
                if !matches!(self.chains.get(key), Some(chain) if matches!(chain.work, Work::Queued(_))) {
                    self.login_not_sent(key); // its profile is gone
                }
            }
            Err(problem) => {
                state.busy = None;
                self.rest(key);
                if let Some(name) = self.name_of(key) {
                    let message = format!("no login, because it could not be recorded: {problem}");
                    self.failed_transiently(now, &name, &message, None);
                }
            }
        }
        self.rebase_soon(is_due);
    }

    /// Whether the recorded begin of a login is still near enough to the truth.
    pub(in crate::core) fn attempt_is_new(&self, now: Now, key: &ChainKey) -> bool {
        let last = self.quotas.get(&quota_key(key)).and_then(|quota| quota.record.attempts.last());
        last.is_some_and(|attempt| attempt.at.age(now, self.boot_id) <= LONGEST_QUEUE)
    }

    /// A login that was recorded and not sent, and will not be. On disk it stays until the next one is recorded.
    pub(in crate::core) fn login_not_sent(&mut self, key: &ChainKey) {
        let Some(quota) = self.quotas.get_mut(&quota_key(key)) else { return };
        quota.busy = None;
        quota.record.attempts.pop();
        self.wake_logins(&quota_key(key));
    }

    /// A login has ended: how, and when, is recorded.
    pub(in crate::core) fn login_ended(&mut self, now: Now, key: &ChainKey, outcome: LoginOutcome) {
        let at = self.durable_now(now);
        let Some(quota) = self.quotas.get_mut(&quota_key(key)) else { return };
        quota.busy = None;
        if let Some(last) = quota.record.attempts.last_mut() {
            *last = LoginAttempt { at, outcome };
        }
        self.write_quota(&quota_key(key));
        self.wake_logins(&quota_key(key));
    }

    pub(in crate::core) fn write_quota(&mut self, key: &QuotaKey) {
        let Some(quota) = self.quotas.get_mut(key) else { return };
        if quota.writing {
            quota.rewrite = true;
            return;
        }
        quota.writing = true;
        quota.rewrite = false;
        let (record, revision) = (quota.record.clone(), quota.revision);
        let purpose = Written::QuotaClosed(key.clone());
        self.write(RecordKey::Quota(key.clone()), revision, Some(Record::Quota(record)), purpose);
    }

    pub(in crate::core) fn quota_closed(&mut self, now: Now, key: &QuotaKey, result: Result<(), String>) {
        let Some(quota) = self.quotas.get_mut(key) else { return };
        quota.writing = false;
        let is_due = quota.rebase_at.is_some();
        match result {
            // On disk the attempt stays open, which counts for more: nothing is lost but time, if the clock is right.
            Err(problem) => {
                self.notice(Severity::Warning, &key.client_id, format!("login quota not stored: {problem}"));
                self.rebase_quota_later(now, key);
            }
            Ok(()) => {
                quota.revision.0 += 1;
                self.rebase_soon(is_due);
            }
        }
        if self.quotas.get(key).is_some_and(|quota| quota.rewrite) {
            self.write_quota(key);
        }
        self.wake_logins(key);
    }

    /// Others of the same client may have waited for this login to end.
    fn wake_logins(&mut self, quota: &QuotaKey) {
        let others: Vec<ChainKey> = self.chains.keys().filter(|other| quota_key(other) == *quota).cloned().collect();
        for name in others.iter().filter_map(|other| self.name_of(other)).collect::<Vec<_>>() {
            if let Some(entry) = self.names.get_mut(&name)
                && entry.trouble.as_ref().is_some_and(|t| t.kind == TroubleKind::AwaitingLogin)
            {
                entry.retry_at = None;
                self.mark_dirty(name);
            }
        }
    }

    pub(in crate::core) fn login_failed(
        &mut self,
        now: Now,
        key: &ChainKey,
        secret: SecretVersion,
        of: &Sent,
        failure: &Failure,
    ) {
        let outcome = match failure.kind {
            FailureKind::Unknown => LoginOutcome::Open,
            _ => LoginOutcome::Failed,
        };
        self.login_ended(now, key, outcome);
        self.rest(key);
        let Some(name) = self.name_of(key) else { return };
        match (failure.kind, of) {
            (FailureKind::LoginRefused, Sent::Login(refused)) => {
                let Some(state) = self.profiles.get_mut(&name.profile) else { return };
                state.refused_login = Some(refused.clone());
                if state.credentials().as_ref() == Some(refused) {
                    self.rejected(now, &name, &failure.message);
                } else {
                    self.mark_dirty(name); // it may have been replaced since
                }
            }
            _ => self.client_failed(now, &name, Some(secret), failure),
        }
    }
}

/// When the next login is allowed; `None` if it is now.
fn next_login(quota: &Quota, now: Now, boot_id: BootId) -> Option<BootTime> {
    let live: Vec<&LoginAttempt> = quota.record.attempts.iter().filter(|a| !a.is_over(now, boot_id)).collect();
    let end = |attempt: &LoginAttempt| now.boot + attempt.span().saturating_sub(attempt.at.age(now, boot_id));
    let of_token = live.iter().filter(|a| a.outcome != LoginOutcome::Failed).map(|a| end(a)).max();
    let of_attempts = live.len().checked_sub(MAX_ATTEMPTS).map(|index| end(live[index]));
    of_token.max(of_attempts)
}

impl LoginAttempt {
    pub(in crate::core) fn is_over(&self, now: Now, boot_id: BootId) -> bool {
        self.at.age(now, boot_id) >= self.span()
    }

    fn span(&self) -> Duration {
        match self.outcome {
            LoginOutcome::Open => WINDOW + LONGEST_ATTEMPT,
            LoginOutcome::Failed | LoginOutcome::Minted => WINDOW,
        }
    }
}

/// What is assumed of a quota whose record cannot be read: that a token was generated just now.
pub(in crate::core) fn pessimistic(at: DurableTime) -> LoginAttempt {
    LoginAttempt { at, outcome: LoginOutcome::Open }
}
