//! The rotation of a Classic chain: write ahead, send, make durable, publish. And what failures mean.

use tokend_proto::Fingerprint;

use super::chain::lost_because;
use super::clock_step;
use super::pair::Asked;
use super::state::{CHAIN_LIFE, Fresh, Keep, Send, Sent, Work, Written};
use crate::core::effect::Severity;
use crate::core::provider::{Answer, Failure, FailureKind, SecretVersion};
use crate::core::record::{ChainKey, ChainRecord, ChainState, LostCause, Record, RecordKey};
use crate::core::time::{BootTime, Now};
use crate::core::token_state::{Trouble, TroubleKind};
use crate::core::{Core, schedule};

impl Core {
    /// Before the refresh token is sent, that it may be spent is made durable.
    pub(in crate::core) fn write_intent(&mut self, now: Now, key: &ChainKey) {
        let since = self.durable_now(now);
        let Some(chain) = self.chains.get(key) else { return };
        let Some(refresh_token) = &chain.record.refresh_token else { return self.rest(key) };
        let state = ChainState::InFlight { since, sent: Fingerprint::of(refresh_token) };
        let mut record = ChainRecord { state, ..chain.record.clone() };
        clock_step::rebase_record(&mut record, now, self.boot_id);
        let (revision, purpose) = (chain.revision, Written::Intent(key.clone(), Box::new(record.clone())));
        self.write(RecordKey::Chain(key.clone()), revision, Some(Record::Chain(record)), purpose);
        if let Some(chain) = self.chains.get_mut(key) {
            chain.work = Work::WritingIntent(Send::Refresh);
        }
    }

    pub(in crate::core) fn intent_written(
        &mut self,
        now: Now,
        key: &ChainKey,
        record: ChainRecord,
        result: Result<(), String>,
    ) {
        let Some(chain) = self.chains.get_mut(key) else { return };
        match result {
            Ok(()) => {
                chain.is_written(record, self.wall_ahead);
                self.queue_chain(key, Send::Refresh);
            }
            Err(problem) => {
                self.rest(key);
                if let Some(name) = self.name_of(key) {
                    let message = format!("not renewed, because the result could not be stored: {problem}");
                    self.failed_transiently(now, &name, &message, None);
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one Purpose")]
    pub(in crate::core) fn chain_answered(
        &mut self,
        now: Now,
        key: &ChainKey,
        send: Send,
        sent: BootTime,
        secret: SecretVersion,
        of: &Sent,
        answer: Answer,
    ) {
        if !self.chains.get(key).is_some_and(|chain| matches!(chain.work, Work::Sent(..))) {
            return;
        }
        match answer {
            Answer::Pair(response) => {
                if let Some(name) = self.name_of(key)
                    && let Some(state) = self.profiles.get_mut(&name.profile)
                {
                    state.worked = Some(secret);
                }
                self.pair_received(now, key, Asked { send, sent, of }, response);
            }
            Answer::Token(_) | Answer::Tenants(_) => {
                let kind = FailureKind::Unknown;
                let message = "the answer is not one to this request".to_owned();
                self.chain_failed(now, key, send, secret, of, &Failure { kind, retry_after: None, message });
            }
            Answer::Failed(failure) => self.chain_failed(now, key, send, secret, of, &failure),
        }
    }

    /// Makes what came back durable, tried again until it is.
    pub(in crate::core) fn keep(
        &mut self,
        now: Now,
        key: &ChainKey,
        record: ChainRecord,
        token: Option<Fresh>,
        imported: Option<Fingerprint>,
    ) {
        if let Some(chain) = self.chains.get_mut(key) {
            chain.write_failures = 0;
            let keep = Keep { record, write: None, retry_at: Some(now.boot), token, imported };
            chain.work = Work::Keeping(Box::new(keep));
        }
        self.chain_alarm(now, key);
    }

    /// Writes what is being kept, if it is due.
    pub(in crate::core) fn write_again(&mut self, now: Now, key: &ChainKey) {
        let boot_id = self.boot_id;
        let Some(chain) = self.chains.get_mut(key) else { return };
        let Work::Keeping(keep) = &mut chain.work else { return };
        if keep.write.is_some() || keep.retry_at.is_none_or(|at| at > now.boot) {
            return;
        }
        clock_step::rebase_record(&mut keep.record, now, boot_id);
        let (record, revision) = (Record::Chain(keep.record.clone()), chain.revision);
        let write = self.write(RecordKey::Chain(key.clone()), revision, Some(record), Written::Kept(key.clone()));
        if let Some(chain) = self.chains.get_mut(key)
            && let Work::Keeping(keep) = &mut chain.work
        {
            keep.write = Some(write);
            keep.retry_at = None;
        }
    }

    pub(in crate::core) fn kept(&mut self, now: Now, key: &ChainKey, result: Result<(), String>) {
        let roll = self.random.roll();
        let Some(chain) = self.chains.get_mut(key) else { return };
        let Work::Keeping(keep) = &mut chain.work else { return };
        if let Err(problem) = result {
            chain.write_failures = chain.write_failures.saturating_add(1);
            let wait = schedule::backoff(chain.write_failures, None, false, roll);
            keep.write = None;
            keep.retry_at = Some(now.boot + wait);
            let what = match keep.record.refresh_token {
                Some(_) => "a new refresh token could not be stored and is held in memory",
                None => "that the provider refuses the refresh token could not be stored",
            };
            let message = format!("{what}: {problem}");
            self.notice(Severity::Error, &key.profile, message.as_str());
            if let Some(entry) = self.name_of(key).and_then(|name| self.names.get_mut(&name))
                && !entry.is_permanent()
            {
                entry.trouble = Some(Trouble::new(TroubleKind::Transient, message));
            }
            return self.chain_alarm(now, key);
        }
        let Work::Keeping(keep) = std::mem::take(&mut chain.work) else { return };
        let keep = *keep;
        let renewed = keep.record.refresh_token != chain.record.refresh_token;
        chain.is_written(keep.record, self.wall_ahead);
        chain.reply_lost = chain.record.reply_lost;
        if renewed {
            chain.warned = 0;
        }
        let had_failed = std::mem::take(&mut chain.write_failures) > 0;
        let settled = chain.record.state == ChainState::Settled;
        self.rest(key);
        if let Some(fingerprint) = keep.imported {
            self.candidate_accepted(key, fingerprint);
        }
        if let Some(name) = self.name_of(key) {
            if let Some(entry) =
                self.names.get_mut(&name).filter(|entry| had_failed && !settled && !entry.is_permanent())
            {
                entry.trouble = None;
            }
            self.chain_trouble(&name, key);
            if settled {
                self.serve_fresh(now, &name, key, keep.token);
            } else {
                self.release(key);
            }
        }
        self.chain_alarm(now, key);
    }

    fn chain_failed(
        &mut self,
        now: Now,
        key: &ChainKey,
        send: Send,
        secret: SecretVersion,
        of: &Sent,
        failure: &Failure,
    ) {
        match send {
            Send::Candidate => self.candidate_failed(now, key, secret, failure),
            Send::Login => self.login_failed(now, key, secret, of, failure),
            Send::Refresh => self.refresh_failed(now, key, secret, of, failure),
        }
    }

    fn refresh_failed(&mut self, now: Now, key: &ChainKey, secret: SecretVersion, of: &Sent, failure: &Failure) {
        let Some(chain) = self.chains.get_mut(key) else { return };
        let current = chain.record.refresh_token.as_ref().map(Fingerprint::of);
        let Sent::RefreshToken(sent) = of else { return };
        match failure.kind {
            FailureKind::InvalidGrant if current == Some(*sent) => return self.refused(now, key),
            FailureKind::Unknown => chain.reply_lost = true,
            _ => {}
        }
        self.rest(key);
        self.release(key);
        let Some(name) = self.name_of(key) else { return };
        self.client_failed(now, &name, Some(secret), failure);
    }

    /// The provider surely refuses the refresh token.
    fn refused(&mut self, now: Now, key: &ChainKey) {
        let since = self.durable_now(now);
        let login = self.has_login(key);
        let boot_id = self.boot_id;
        let Some(chain) = self.chains.get(key) else { return };
        let age = chain.record.rotated.map(|rotated| rotated.age(now, boot_id));
        let why = if age.is_some_and(|age| age >= CHAIN_LIFE) {
            LostCause::Expired // whatever became of a reply before
        } else if chain.reply_lost {
            LostCause::ReplyLost
        } else {
            LostCause::Revoked
        };
        let state = if login { ChainState::AwaitingLogin { since } } else { ChainState::Lost { since, why } };
        let record = ChainRecord { state, refresh_token: None, reply_lost: false, ..chain.record.clone() };
        let severity = if login { Severity::Warning } else { Severity::Error };
        self.notice(severity, &key.profile, lost_because(why));
        if let Some(name) = self.name_of(key)
            && let Some(entry) = self.names.get_mut(&name)
        {
            entry.recovered();
            if !login {
                entry.trouble = Some(Trouble::new(TroubleKind::ChainLost, lost_because(why)));
            }
            self.mark_dirty(name);
        }
        self.keep(now, key, record, None, None);
    }
}
