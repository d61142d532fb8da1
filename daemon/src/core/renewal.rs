//! The way of one renewal that is not Classic's: secrets, parent, slot, request, token or failure.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{Fingerprint, ProfileName, TokenName};

use super::activity::Activity;
use super::classic::state::chain_key;
use super::effect::Severity;
use super::egress::queue::Job;
use super::issued::{AccessToken, ReadMode};
use super::provider::{Answer, Failure, FailureKind, ProviderRequest, RequestId, SecretVersion, TokenResponse};
use super::settings::Profile;
use super::time::{BootTime, Now};
use super::token_state::{Purpose, Reads, Secrets, Trouble, TroubleKind};
use super::{Core, issued, schedule};

/// Unreadable 401 and 403 answers in a row that are taken for a refusal.
const UNREADABLE_IS_REFUSED: u32 = 3;

impl Core {
    /// Begins a renewal of a name that is idle.
    pub(super) fn begin(&mut self, now: Now, name: &TokenName) {
        let Some(entry) = self.names.get(name) else { return };
        if let Some(key) = chain_key(&entry.profile) {
            return self.begin_chain(now, name, &key);
        }
        if name.tenant.is_some() {
            if self.parent_rests_rejected(now, &name.profile) {
                self.parent_rejected(name);
            } else if self.parent_is_good(now, &name.profile) {
                self.enqueue(name, Activity::Queued);
            } else {
                self.set_activity(name, Activity::Parent);
                self.mark_dirty(TokenName::from(name.profile.clone()));
            }
        } else {
            match self.secrets(now, &name.profile) {
                Secrets::Known => self.enqueue(name, Activity::Queued),
                Secrets::Reading => self.set_activity(name, Activity::Secrets),
                Secrets::ReadAt(at) => self.wait_for_secrets(name, at),
            }
        }
    }

    fn enqueue(&mut self, name: &TokenName, activity: Activity) {
        let Some(entry) = self.names.get(name) else { return };
        let host = entry.profile.endpoint().host.clone();
        self.set_activity(name, activity);
        self.push_job(&host, Job::Name(name.clone()));
    }

    pub(super) fn set_activity(&mut self, name: &TokenName, activity: Activity) {
        let Some(entry) = self.names.get_mut(name) else { return };
        entry.activity = activity;
        if let (Some(tenant), Some(state)) = (name.tenant, self.profiles.get_mut(&name.profile)) {
            match activity {
                Activity::Parent => drop(state.await_parent.insert(tenant)),
                _ => drop(state.await_parent.remove(&tenant)),
            }
        }
    }

    /// The request of a name whose turn has come; `None` if there is nothing to send any more.
    pub(super) fn request_token(&mut self, now: Now, name: &TokenName) -> Option<ProviderRequest> {
        use super::provider::Grant;
        let entry = self.names.get(name)?;
        let profile = Arc::clone(&entry.profile);
        let refused = entry.secrets_refused;
        let (grant, secret, subject) = match name.tenant {
            None => {
                let secret = self.profiles.get(&name.profile)?.secret(refused)?;
                (Grant::ClientCredentials { secret }, Some(secret), None)
            }
            Some(tenant) => {
                let parent = self.good_parent(now, &name.profile)?;
                let grant = Grant::Exchange { tenant, subject: parent.access_token.clone() };
                (grant, None, Some(parent.fingerprint))
            }
        };
        let id = RequestId(self.next_id());
        self.requests.insert(id, Purpose::Token { name: name.clone(), sent: now.boot, secret, subject });
        self.set_activity(name, Activity::Sent(id));
        Some(ProviderRequest { id, profile, grant })
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one Purpose")]
    pub(super) fn token_answered(
        &mut self,
        now: Now,
        request: RequestId,
        name: &TokenName,
        sent: BootTime,
        secret: Option<SecretVersion>,
        subject: Option<Fingerprint>,
        answer: Answer,
    ) {
        let awaited = self.names.get_mut(name).filter(|entry| entry.activity == Activity::Sent(request));
        let Some(entry) = awaited else {
            return self.refused_meanwhile(now, name, subject, &answer); // of a profile that was changed since
        };
        entry.activity = Activity::Idle;
        self.mark_dirty(name.clone());
        match answer {
            Answer::Token(response) => {
                self.warn_of_answer(&name.profile, &response.warnings);
                if self.is_same_token(now, name, &response.access_token) {
                    let life = response.expires_in.and_then(|left| u64::try_from(left).ok()).map(Duration::from_secs);
                    let ends = life.filter(|life| *life >= schedule::MIN_LIFE).map(|life| sent + life);
                    self.secret_worked(name, secret);
                    return self.same_token_again(now, name, ends);
                }
                match self.issue(name, sent, response) {
                    Ok(token) => self.token_received(now, name, secret, token),
                    Err(message) => self.failed_transiently(now, name, &message, None),
                }
            }
            Answer::Pair(_) | Answer::Tenants(_) => {
                self.failed_transiently(now, name, "the answer is not one to this request", None);
            }
            Answer::Failed(failure) => match subject {
                Some(subject) => self.exchange_failed(now, name, subject, &failure),
                None => self.client_failed(now, name, secret, &failure),
            },
        }
    }

    fn token_received(&mut self, now: Now, name: &TokenName, secret: Option<SecretVersion>, token: AccessToken) {
        if token.expires <= now.boot {
            return self.failed_transiently(now, name, "the answer took longer than the token lives", None);
        }
        self.secret_worked(name, secret);
        let failures = self.names.get(name).map_or(0, |entry| entry.failures);
        self.adopt(now, name, token, ReadMode::Serve);
        if name.tenant.is_none() && self.children_wait(name) && !self.parent_is_good(now, &name.profile) {
            self.parent_is_useless(now, name, failures);
        }
    }

    fn secret_worked(&mut self, name: &TokenName, secret: Option<SecretVersion>) {
        if let (Some(secret), Some(state)) = (secret, self.profiles.get_mut(&name.profile)) {
            state.worked = Some(secret);
        }
    }

    /// What was odd about an answer that is of use: said once, until the configuration is applied again.
    pub(super) fn warn_of_answer(&mut self, profile: &ProfileName, warnings: &[&'static str]) {
        for warning in warnings {
            let Some(state) = self.profiles.get_mut(profile) else { return };
            if state.warned.insert(warning) {
                self.notice(Severity::Warning, profile, format!("an odd answer of its provider: {warning}"));
            }
        }
    }

    /// A token response as a token with its times; the error says why it is of no use.
    pub(super) fn issue(
        &mut self,
        name: &TokenName,
        sent: BootTime,
        response: TokenResponse,
    ) -> Result<AccessToken, String> {
        let Some(entry) = self.names.get(name) else { return Err("the name is gone".to_owned()) };
        let profile: &Profile = &entry.profile;
        let documented = schedule::documented_life(&profile.kind, name.tenant.is_some());
        let Some(life) = schedule::life(response.expires_in, documented) else {
            let seconds = response.expires_in.unwrap_or_default();
            return Err(format!("the provider gave a token with expires_in {seconds}, too short to be of use"));
        };
        let refresh = schedule::refresh_at(&self.settings, profile, sent, life, self.random.roll());
        Ok(AccessToken {
            fingerprint: Fingerprint::of(&response.access_token),
            access_token: response.access_token,
            token_type: issued::token_type(&response.token_type),
            issued: sent,
            expires: sent + life,
            refresh,
        })
    }

    /// A new token takes the place of the one before.
    pub(super) fn adopt(&mut self, now: Now, name: &TokenName, token: AccessToken, mode: ReadMode) {
        let Some(entry) = self.names.get_mut(name) else { return };
        if entry.trouble.is_some() {
            self.notice(Severity::Info, name, "has a good token again");
        }
        let left = super::report::errors::seconds(token.left(now.boot));
        self.notice(Severity::Debug, name, format!("new token {}, good for {left} s", token.fingerprint));
        let Some(entry) = self.names.get_mut(name) else { return };
        entry.recovered();
        entry.token_was_forced = entry.forced.take().is_some();
        entry.token = Some(Arc::new(token));
        entry.mode = mode;
        entry.hold_until = None;
        entry.reads = Reads::default();
        let held = !entry.is_classic();
        self.held_version += u64::from(held);
        self.publish(name);
        self.mark_dirty(name.clone());
        if name.tenant.is_none() {
            self.wake_children(now, name);
        }
    }

    /// A request with a client secret failed: a refused secret makes way for the next in its list.
    pub(super) fn client_failed(
        &mut self,
        now: Now,
        name: &TokenName,
        secret: Option<SecretVersion>,
        failure: &Failure,
    ) {
        match failure.kind {
            FailureKind::InvalidClient => {
                let Some(entry) = self.names.get_mut(name) else { return };
                let state = self.profiles.get(&name.profile);
                match state.zip(secret).and_then(|(state, secret)| state.refused(secret, entry.secrets_refused)) {
                    Some(refused) => {
                        entry.secrets_refused = refused;
                        self.mark_dirty(name.clone());
                    }
                    None => self.rejected(now, name, &failure.message),
                }
            }
            FailureKind::SecretUnavailable => self.secret_unavailable(now, name, failure.message.clone()),
            _ => self.failed(now, name, failure),
        }
    }

    /// What every failure that says nothing special means.
    pub(super) fn failed(&mut self, now: Now, name: &TokenName, failure: &Failure) {
        match failure.kind {
            FailureKind::Unreadable => {
                let Some(entry) = self.names.get_mut(name) else { return };
                entry.unreadable += 1;
                if entry.unreadable >= UNREADABLE_IS_REFUSED {
                    return self.rejected(now, name, &failure.message);
                }
            }
            FailureKind::RateLimited => {
                if let Some(entry) = self.names.get(name) {
                    let profile = Arc::clone(&entry.profile);
                    self.pause(now, &profile, failure.retry_after);
                }
            }
            _ => {}
        }
        self.failed_transiently(now, name, &failure.message, failure.retry_after);
    }

    pub(super) fn failed_transiently(&mut self, now: Now, name: &TokenName, message: &str, asked: Option<Duration>) {
        let roll = self.random.roll();
        let Some(entry) = self.names.get_mut(name) else { return };
        entry.failures = entry.failures.saturating_add(1);
        entry.secrets_refused = 0;
        let backoff = schedule::backoff(entry.failures, entry.left(now.boot), entry.is_classic(), roll);
        let wait = backoff.max(asked.unwrap_or_default().min(schedule::MAX_PAUSE));
        entry.retry_at = Some(now.boot + wait);
        entry.trouble = Some(Trouble::new(TroubleKind::Transient, message));
        let first = entry.failures == 1;
        let severity = if first { Severity::Warning } else { Severity::Debug };
        self.notice(severity, name, format!("{message}; trying again in {} s", super::report::errors::seconds(wait)));
        self.mark_dirty(name.clone());
    }

    /// The provider refuses the credentials: peers hear of it at once, and it is asked again much later.
    pub(super) fn rejected(&mut self, now: Now, name: &TokenName, message: &str) {
        let roll = self.random.roll();
        let Some(entry) = self.names.get_mut(name) else { return };
        let wait = schedule::probe(entry.probes, roll);
        entry.probes = entry.probes.saturating_add(1);
        entry.secrets_refused = 0;
        entry.retry_at = Some(now.boot + wait);
        entry.trouble = Some(Trouble::new(TroubleKind::Rejected, message));
        let message = format!("rejected: {message}; asked again in {} s", super::report::errors::seconds(wait));
        self.notice(Severity::Error, name, message);
        self.mark_dirty(name.clone());
        if name.tenant.is_none() {
            self.forget_secrets(name);
            self.reject_children(name);
        }
    }
}
