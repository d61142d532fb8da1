//! A refresh token from the web UI on trial: kept beside the chain until the provider has taken it.

use tokend_proto::{ErrorCode, Fingerprint, Imported, ProfileName, Secret, TokenName};

use super::state::{CHAIN_LIFE, CLIENT_REFUSED, Candidate, Send, Work, Written, chain_key};
use crate::core::effect::{Outcome, Severity};
use crate::core::id::WaiterId;
use crate::core::provider::{Failure, FailureKind, SecretVersion};
use crate::core::record::{CandidateRecord, ChainKey, Record, RecordKey, Revision};
use crate::core::report::errors;
use crate::core::time::Now;
use crate::core::token_state::Want;
use crate::core::{Core, schedule};

impl Core {
    pub(in crate::core) fn import(&mut self, now: Now, id: WaiterId, profile: &ProfileName, refresh_token: Secret) {
        let Some(state) = self.profiles.get(profile) else {
            let outcome = self.unknown_profile(profile);
            return self.answer(id, outcome);
        };
        let Some(key) = chain_key(&state.profile) else {
            let message = format!("profile {profile} has no refresh tokens: only profiles of kind \"classic\" do");
            return self.answer(id, errors::error(ErrorCode::InvalidArgument, message, None));
        };
        let fingerprint = Fingerprint::of(&refresh_token);
        let since = self.durable_now(now);
        let Some(chain) = self.chains.get_mut(&key) else { return };
        let current = chain.record.refresh_token.as_ref().map(Fingerprint::of);
        if chain.record.imported == Some(fingerprint) || current == Some(fingerprint) {
            let message = format!("{profile}: this refresh token was imported before; nothing was changed");
            return self.answer(id, Outcome::Imported(Imported { changed: false, message }));
        }
        let same = chain.candidate.as_ref().is_some_and(|candidate| candidate.fingerprint == fingerprint);
        if !same {
            let trying = chain.candidate.is_some()
                && matches!(
                    chain.work,
                    Work::WritingIntent(Send::Candidate) | Work::Sent(Send::Candidate) | Work::Keeping(_)
                );
            if trying {
                let message =
                    format!("{profile}: another refresh token is just being tried; import this one afterwards");
                return self.answer(id, errors::error(ErrorCode::Busy, message, None));
            }
            let record = CandidateRecord { refresh_token, since };
            let replaced = chain.candidate.replace(Candidate::new(record, false));
            let queued = matches!(chain.work, Work::Queued(Send::Candidate));
            if queued || matches!(chain.work, Work::Rebasing(Some(Send::Candidate))) {
                self.forget_queued(&key); // this one has to become durable first
            }
            if queued {
                self.rest(&key);
            }
            if let Some(replaced) = replaced {
                let message = format!("{profile}: another refresh token was imported in place of this one");
                let outcome = errors::error(ErrorCode::Busy, message, None);
                self.answer_importers(&key, Some(replaced.fingerprint), &outcome);
            }
        } else if let Some(candidate) = &mut chain.candidate {
            candidate.retry_at = None;
        }
        // Perhaps the secret was corrected along with it: it is read again.
        let name = TokenName::from(profile.clone());
        if let Some(state) = self.profiles.get_mut(profile) {
            state.read_soon(now.boot);
        }
        self.stand_at(id, &name, Want::Import(fingerprint));
        if let Some(entry) = self.names.get_mut(&name) {
            entry.probe_now();
        }
        self.chain_trouble(&name, &key);
    }

    /// Before the imported token is sent, it is made durable.
    pub(in crate::core) fn begin_candidate(&mut self, key: &ChainKey) {
        let Some(chain) = self.chains.get(key) else { return };
        let Some(candidate) = &chain.candidate else { return };
        if candidate.durable {
            return self.queue_chain(key, Send::Candidate);
        }
        let (record, revision) = (Record::Candidate(candidate.record.clone()), chain.candidate_revision);
        let purpose = Written::Candidate(key.clone());
        self.write(RecordKey::Candidate(key.clone()), revision, Some(record), purpose);
        if let Some(chain) = self.chains.get_mut(key) {
            chain.work = Work::WritingIntent(Send::Candidate);
        }
    }

    pub(in crate::core) fn candidate_written(&mut self, now: Now, key: &ChainKey, result: Result<(), String>) {
        let Some(chain) = self.chains.get_mut(key) else { return };
        let Some(candidate) = &mut chain.candidate else { return };
        match result {
            Ok(()) => {
                candidate.durable = true;
                chain.candidate_revision.0 += 1;
                self.queue_chain(key, Send::Candidate);
            }
            Err(problem) => {
                self.put_off(now, key, &format!("the imported refresh token could not be stored: {problem}"), None);
            }
        }
    }

    pub(in crate::core) fn candidate_failed(
        &mut self,
        now: Now,
        key: &ChainKey,
        secret: SecretVersion,
        failure: &Failure,
    ) {
        let state = self.profiles.get(&key.profile);
        let Some(candidate) = self.chains.get_mut(key).and_then(|chain| chain.candidate.as_mut()) else {
            return self.rest(key);
        };
        match failure.kind {
            FailureKind::InvalidClient => {
                // While its profile is away, its secret may be changing.
                match state.map_or(Some(0), |state| state.refused(secret, candidate.secrets_refused)) {
                    Some(refused) => {
                        candidate.secrets_refused = refused;
                        self.rest(key); // begins again, with the next secret
                    }
                    None => self.client_refused(now, key, &failure.message),
                }
            }
            FailureKind::InvalidGrant => self.candidate_refused(key, &failure.message),
            FailureKind::RateLimited => {
                if let Some(profile) = state.map(|state| state.profile.clone()) {
                    self.pause(now, &profile, failure.retry_after);
                }
                self.put_off(now, key, &failure.message, failure.retry_after);
            }
            FailureKind::SecretUnavailable => {
                self.forget_secrets(&TokenName::from(key.profile.clone()));
                self.put_off(now, key, &failure.message, None);
            }
            _ => self.put_off(now, key, &failure.message, failure.retry_after),
        }
    }

    /// The provider refuses the client, and has not looked at the imported token: that is kept. It is tried again as
    /// refused credentials are, until it must have died of age.
    fn client_refused(&mut self, now: Now, key: &ChainKey, message: &str) {
        let roll = self.random.roll();
        let boot_id = self.boot_id;
        let Some(candidate) = self.chains.get_mut(key).and_then(|chain| chain.candidate.as_mut()) else { return };
        if candidate.record.since.age(now, boot_id) >= CHAIN_LIFE {
            return self.candidate_refused(key, message);
        }
        let wait = schedule::probe(candidate.client_refused, roll);
        candidate.client_refused = candidate.client_refused.saturating_add(1);
        candidate.secrets_refused = 0;
        candidate.retry_at = Some(now.boot + wait);
        candidate.trouble = Some(message.to_owned());
        let fingerprint = candidate.fingerprint;
        self.forget_secrets(&TokenName::from(key.profile.clone()));
        self.rest(key);
        if let Some(name) = self.name_of(key) {
            self.chain_trouble(&name, key);
        }
        let wait = errors::seconds(wait);
        let message =
            format!("{CLIENT_REFUSED} ({message}); it is tried again in {wait} s, and at once after a reload");
        self.notice(Severity::Warning, &key.profile, message.clone());
        let advice = "check client_id and client_secret, and that the token was made for this client";
        let message = format!("{}: {message}; {advice}", key.profile);
        self.answer_importers(key, Some(fingerprint), &errors::error(ErrorCode::Rejected, message, None));
    }

    /// Only the provider can say whether the imported token was spent, and it is asked again much later.
    pub(in crate::core) fn candidate_in_doubt(&mut self, now: Now, key: &ChainKey, message: &str) {
        let roll = self.random.roll();
        let failures = self.chains.get(key).and_then(|chain| chain.candidate.as_ref()).map_or(0, |c| c.failures);
        self.put_off(now, key, message, Some(schedule::probe(failures, roll)));
    }

    /// Tried again later; the chain goes on meanwhile.
    fn put_off(&mut self, now: Now, key: &ChainKey, message: &str, asked: Option<std::time::Duration>) {
        let roll = self.random.roll();
        let Some(candidate) = self.chains.get_mut(key).and_then(|chain| chain.candidate.as_mut()) else { return };
        candidate.failures = candidate.failures.saturating_add(1);
        candidate.secrets_refused = 0; // as of a name: until then there may be others
        let wait = schedule::backoff(candidate.failures, None, true, roll)
            .max(asked.unwrap_or_default().min(schedule::MAX_PAUSE));
        candidate.retry_at = Some(now.boot + wait);
        candidate.trouble = Some(message.to_owned());
        candidate.client_refused = 0;
        self.notice(
            Severity::Warning,
            &key.profile,
            format!("the imported refresh token is not the chain yet: {message}"),
        );
        self.rest(key);
        if let Some(name) = self.name_of(key) {
            self.chain_trouble(&name, key);
        }
    }

    /// The provider surely refuses the imported token: the chain stays as it was.
    fn candidate_refused(&mut self, key: &ChainKey, message: &str) {
        let fingerprint = self.remove_candidate(key);
        self.rest(key);
        if let Some(name) = self.name_of(key) {
            self.chain_trouble(&name, key);
        }
        let message = format!(
            "the imported refresh token is refused ({message}): it was used before, revoked, has expired, or belongs to \
             another client; the chain is as it was"
        );
        self.notice(Severity::Warning, &key.profile, message.clone());
        let message = format!("{}: {message}", key.profile);
        self.answer_importers(key, fingerprint, &errors::error(ErrorCode::Rejected, message, None));
    }

    /// The imported token has become the chain.
    pub(in crate::core) fn candidate_accepted(&mut self, key: &ChainKey, fingerprint: Fingerprint) {
        if self.chains.get(key).and_then(|c| c.candidate.as_ref()).is_some_and(|c| c.fingerprint == fingerprint) {
            self.remove_candidate(key);
        }
        let message = "imported and refreshed; the chain is alive";
        self.notice(Severity::Info, &key.profile, message);
        let message = format!("{}: {message}", key.profile);
        let outcome = Outcome::Imported(Imported { changed: true, message });
        self.answer_importers(key, Some(fingerprint), &outcome);
    }

    /// Takes the candidate away, from the store too.
    pub(in crate::core) fn remove_candidate(&mut self, key: &ChainKey) -> Option<Fingerprint> {
        let chain = self.chains.get_mut(key)?;
        let candidate = chain.candidate.take();
        let revision = chain.candidate_revision;
        if revision.0 > 0 && !std::mem::replace(&mut chain.removing_candidate, true) {
            let purpose = Written::CandidateGone(key.clone());
            self.write(RecordKey::Candidate(key.clone()), revision, None, purpose);
        }
        candidate.map(|candidate| candidate.fingerprint)
    }

    /// If it could not be removed, the next import takes its place, or it is found again at the next start and taken
    /// for what it is.
    pub(in crate::core) fn candidate_gone(&mut self, key: &ChainKey, result: Result<(), String>) {
        let Some(chain) = self.chains.get_mut(key) else { return };
        chain.removing_candidate = false;
        match result {
            Ok(()) => chain.candidate_revision = Revision::default(),
            Err(problem) => {
                let message = format!("the record of an import that is over could not be removed: {problem}");
                self.notice(Severity::Warning, &key.profile, message);
            }
        }
        if let Some(name) = self.name_of(key) {
            self.mark_dirty(name); // another import may have waited for this
        }
    }

    fn answer_importers(&mut self, key: &ChainKey, fingerprint: Option<Fingerprint>, outcome: &Outcome) {
        let Some(entry) = self.name_of(key).and_then(|name| self.names.get(&name)) else { return };
        let of_this = |id: &WaiterId| matches!(self.waiters.get(id).map(|w| &w.want), Some(Want::Import(f)) if Some(*f) == fingerprint);
        let ids: Vec<WaiterId> = entry.waiters.ids().filter(of_this).collect();
        for id in ids {
            self.answer(id, outcome.clone());
        }
    }
}

/// To an importer who has waited long enough.
pub(in crate::core) fn still_trying(name: &TokenName) -> Outcome {
    let message = format!(
        "{name}: the provider could not be asked yet; the imported refresh token is kept and goes on being tried, see: \
         tokenctl status {name}"
    );
    errors::error(ErrorCode::Unavailable, message, None)
}
