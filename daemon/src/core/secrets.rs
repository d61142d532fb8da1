//! The readings of a profile's secrets. A reading has a pace of its own, whatever it is wanted for: one place says when
//! the next one is due, and what needs the secrets waits for that.

use tokend_proto::{ProfileName, TokenName};

use super::activity::Activity;
use super::classic::state::{Work, chain_key};
use super::effect::{Effect, Severity};
use super::provider::SecretVersions;
use super::record::ChainKey;
use super::time::{BootTime, Now};
use super::token_state::{READING_INTERVAL, Secrets, Trouble, TroubleKind};
use super::{Core, schedule};

impl Core {
    /// Whether the secrets of a profile are known. If not, they are being read, or will be.
    pub(super) fn secrets(&mut self, now: Now, profile: &ProfileName) -> Secrets {
        let Some(state) = self.profiles.get_mut(profile) else { return Secrets::Reading };
        if state.reading {
            return Secrets::Reading;
        }
        if state.secrets.is_some() {
            return Secrets::Known;
        }
        if now.boot < state.next_reading {
            return Secrets::ReadAt(state.next_reading);
        }
        state.reading = true;
        self.effects.push_back(Effect::ReadSecrets(profile.clone()));
        Secrets::Reading
    }

    pub(super) fn secrets_read(&mut self, now: Now, profile: &ProfileName, versions: SecretVersions) {
        let roll = self.random.roll();
        let Some(state) = self.profiles.get_mut(profile) else { return };
        state.reading = std::mem::take(&mut state.reads_again);
        if state.reading {
            return self.effects.push_back(Effect::ReadSecrets(profile.clone()));
        }
        let was_unreadable = state.unreadable.take();
        state.read_at = Some(now.boot);
        let problems = versions.problems.clone();
        if versions.client_secrets.is_empty() {
            state.failed_readings = state.failed_readings.saturating_add(1);
            state.next_reading = now.boot + schedule::backoff(state.failed_readings, None, false, roll);
            state.unreadable = Some(format!("no client secret could be read: {}", problems.join("; ")));
            state.secrets = None;
        } else {
            state.failed_readings = 0;
            state.next_reading = now.boot + READING_INTERVAL;
            state.secrets = Some(versions);
        }
        let is_news = was_unreadable.is_none() || was_unreadable != state.unreadable;
        let severity = if is_news { Severity::Warning } else { Severity::Debug };
        for problem in problems {
            self.notice(severity, profile, problem);
        }
        self.secrets_wanted(now, profile);
    }

    /// Those who waited for this reading go on, or wait for the next one.
    fn secrets_wanted(&mut self, now: Now, profile: &ProfileName) {
        let name = TokenName::from(profile.clone());
        let Some(entry) = self.names.get(&name) else { return };
        let key = chain_key(&entry.profile);
        let chain = key.as_ref().and_then(|key| self.chains.get_mut(key));
        let chain = chain.filter(|chain| matches!(chain.work, Work::Secrets));
        if entry.activity != Activity::Secrets && chain.is_none() {
            return;
        }
        if let Some(chain) = chain {
            chain.work = Work::Idle;
        }
        self.set_activity(&name, Activity::Idle);
        self.begin(now, &name);
        self.mark_dirty(name);
    }

    /// A name that needs the secrets is looked at again when they are read again.
    pub(super) fn wait_for_secrets(&mut self, name: &TokenName, at: BootTime) {
        let unreadable = self.profiles.get(&name.profile).and_then(|state| state.unreadable.clone());
        let Some(entry) = self.names.get_mut(name) else { return };
        entry.activity = Activity::Idle;
        entry.retry_at = Some(at);
        if let Some(message) = unreadable {
            entry.failures = entry.failures.saturating_add(1);
            entry.secrets_refused = 0;
            entry.trouble = Some(Trouble::new(TroubleKind::Transient, message));
        }
        self.mark_dirty(name.clone());
    }

    /// An import that needs the secrets likewise. Its chain is not due for that: it is looked at by itself.
    pub(super) fn candidate_waits_for_secrets(&mut self, name: &TokenName, key: &ChainKey, at: BootTime) {
        let unreadable = self.profiles.get(&name.profile).and_then(|state| state.unreadable.clone());
        if let Some(candidate) = self.chains.get_mut(key).and_then(|chain| chain.candidate.as_mut()) {
            candidate.retry_at = Some(at);
            candidate.trouble = unreadable.or_else(|| candidate.trouble.take());
        }
        self.mark_dirty(name.clone());
    }

    /// A secret that a request or a login needs is not among those that were read.
    pub(super) fn secret_unavailable(&mut self, now: Now, name: &TokenName, message: String) {
        self.forget_secrets(name);
        self.failed_transiently(now, name, &message, None);
    }

    /// The next attempt reads the secrets again.
    pub(super) fn forget_secrets(&mut self, name: &TokenName) {
        if let Some(state) = self.profiles.get_mut(&name.profile) {
            state.forget_secrets();
        }
    }
}
