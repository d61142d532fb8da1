//! What a grant brought that has spent something: a refresh, an import or a login. Whatever is odd about the answer,
//! what can be used of it is used: a refresh token is made durable before its access token is served, and an access
//! token is served even where no refresh token could be read.
//!
//! An answer that is not complete does not lead to the next request at once: a provider that answers so once will do it
//! again, and each refresh kills the access token before it.

use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{Secret, TokenName};

use super::chain::restored_token;
use super::state::{Fresh, Send, Sent};
use crate::core::effect::Severity;
use crate::core::issued::ReadMode;
use crate::core::provider::{PairResponse, RefreshToken, TokenResponse};
use crate::core::record::{AccessRecord, ChainKey, ChainRecord, ChainState, LoginOutcome};
use crate::core::report::errors::seconds;
use crate::core::schedule::CLASSIC_LIFE;
use crate::core::time::{BootTime, Now};
use crate::core::token_state::{Trouble, TroubleKind};
use crate::core::unchanged::NOT_BY_DELAY;
use crate::core::{Core, schedule};

const NO_REFRESH_TOKEN: &str = "the answer holds no refresh token; the one that was sent goes on";
const UNREADABLE: &str =
    "the answer holds a refresh token that cannot be used; whether the one that was sent still works is not known";
const NO_ACCESS_TOKEN: &str = "the last refresh brought no access token that can be served";
const DEAD_ON_ARRIVAL: &str = "the new access token had expired before it could be served";
const LOGIN_WITHOUT_CHAIN: &str = "the login brought no refresh token that can be used";

/// The request that an answer belongs to.
#[derive(Debug, Clone, Copy)]
pub(in crate::core) struct Asked<'a> {
    pub(in crate::core) send: Send,
    pub(in crate::core) sent: BootTime,
    pub(in crate::core) of: &'a Sent,
}

impl Core {
    pub(in crate::core) fn pair_received(
        &mut self,
        now: Now,
        key: &ChainKey,
        asked: Asked<'_>,
        response: PairResponse,
    ) {
        let PairResponse { access, refresh_token, mut warnings } = response;
        if asked.send == Send::Login {
            self.login_ended(now, key, LoginOutcome::Minted);
        }
        let spent = self.spent(key, asked.send);
        warnings.extend(access.iter().flat_map(|access| &access.warnings));
        if refresh_token == RefreshToken::Absent && spent.is_some() {
            warnings.push(NO_REFRESH_TOKEN);
        }
        self.warn_of_answer(&key.profile, &warnings);
        let name = self.name_of(key);
        let fresh = access.as_ref().zip(name.as_ref()).and_then(|(access, name)| {
            let has_died = self.is_known_to_be_dead(now, key, access);
            self.fresh(name, asked.sent, access).filter(|_| !has_died)
        });
        match (refresh_token, spent) {
            (RefreshToken::New(token), spent) => {
                let goes_on = spent.is_some_and(|spent| spent == token);
                let record = self.record_of(now, key, asked, access, token, goes_on);
                self.keep_pair(now, key, asked, record, fresh);
            }
            (RefreshToken::Absent, Some(spent)) => {
                let record = self.record_of(now, key, asked, access, spent, true);
                self.keep_pair(now, key, asked, ChainRecord { reply_lost: true, ..record }, fresh);
            }
            (RefreshToken::Unreadable, Some(_)) => self.chain_in_doubt(now, key, asked.send, fresh),
            (RefreshToken::Absent | RefreshToken::Unreadable, None) => self.login_without_chain(now, key, fresh),
        }
    }

    /// The refresh token that the request has spent, if it was one.
    fn spent(&self, key: &ChainKey, send: Send) -> Option<Secret> {
        let chain = self.chains.get(key)?;
        match send {
            Send::Refresh => chain.record.refresh_token.clone(),
            Send::Candidate => chain.candidate.as_ref().map(|candidate| candidate.token().clone()),
            Send::Login => None,
        }
    }

    /// The access token of an answer. One that the provider says is of no use any more is the newest that there is, all
    /// the same.
    fn fresh(&mut self, name: &TokenName, sent: BootTime, access: &TokenResponse) -> Option<Fresh> {
        let life = self.classic_life(name, access);
        let doubt = life.is_none().then(|| {
            format!("the provider gave an access token with expires_in {}", access.expires_in.unwrap_or_default())
        });
        let believed = TokenResponse { expires_in: access.expires_in.filter(|_| life.is_some()), ..access.clone() };
        self.issue(name, sent, believed).ok().map(|token| Fresh { token, doubt })
    }

    /// Whether this is the access token of before, given again without a life that can be believed, and its life is
    /// over.
    fn is_known_to_be_dead(&self, now: Now, key: &ChainKey, access: &TokenResponse) -> bool {
        let Some(record) = self.chains.get(key).map(|chain| &chain.record) else { return false };
        let known = record.access.as_ref().filter(|known| known.token == access.access_token);
        let believed = access.expires_in.is_some_and(|_| schedule::life(access.expires_in, CLASSIC_LIFE).is_some());
        let age = record.issued().map(|issued| issued.age(now, self.boot_id));
        !believed && known.zip(age).is_some_and(|(known, age)| known.life <= age)
    }

    fn classic_life(&self, name: &TokenName, access: &TokenResponse) -> Option<Duration> {
        let documented = schedule::documented_life(&self.names.get(name)?.profile.kind, false);
        schedule::life(access.expires_in, documented)
    }

    /// What becomes durable. A token that was there before is no younger than it was.
    fn record_of(
        &self,
        now: Now,
        key: &ChainKey,
        asked: Asked<'_>,
        access: Option<TokenResponse>,
        refresh_token: Secret,
        goes_on: bool,
    ) -> ChainRecord {
        let at = self.durable_at(now, asked.sent);
        let before = self.chains.get(key).map(|chain| chain.record.clone()).unwrap_or_default();
        let rotated = before.rotated.filter(|_| goes_on && asked.send == Send::Refresh).unwrap_or(at);
        let imported = match (asked.send, asked.of) {
            (Send::Candidate, Sent::RefreshToken(fingerprint)) => Some(*fingerprint),
            _ => before.imported,
        };
        let old_issued = before.issued();
        let access = access.and_then(|new| {
            let life = schedule::life(new.expires_in, CLASSIC_LIFE);
            let (life, issued) = match (before.access, old_issued) {
                (Some(old), Some(issued)) if old.token == new.access_token => {
                    let age = issued.age(now, self.boot_id).saturating_sub(now.boot.since(asked.sent));
                    let said = new.expires_in.and(life).map(|life| age + life);
                    (said.filter(|said| *said + NOT_BY_DELAY < old.life).unwrap_or(old.life), issued)
                }
                _ => (life?, at),
            };
            let issued = (issued != rotated).then_some(issued);
            Some(AccessRecord { token: new.access_token, token_type: new.token_type, life, issued })
        });
        ChainRecord {
            state: ChainState::Settled,
            refresh_token: Some(refresh_token),
            access,
            rotated: Some(rotated),
            imported,
            reply_lost: false,
        }
    }

    fn keep_pair(&mut self, now: Now, key: &ChainKey, asked: Asked<'_>, record: ChainRecord, fresh: Option<Fresh>) {
        let imported = record.imported.filter(|_| asked.send == Send::Candidate);
        self.keep(now, key, record, fresh, imported);
    }

    /// What came with a refresh token that is durable now.
    pub(in crate::core) fn serve_fresh(&mut self, now: Now, name: &TokenName, key: &ChainKey, fresh: Option<Fresh>) {
        let Some(fresh) = fresh.or_else(|| self.recorded(now, name, key)) else {
            self.release(key);
            self.set_mode(name, ReadMode::ServeRenewing);
            return self.put_off_incomplete(now, key, NO_ACCESS_TOKEN, None);
        };
        match &fresh.doubt {
            None if self.is_same_token(now, name, &fresh.token.access_token) => {
                self.release(key);
                self.same_token_again(now, name, Some(fresh.token.expires));
            }
            // By no fault of the answer: it took its time, or the disk did.
            _ if fresh.token.expires <= now.boot => {
                self.release(key);
                self.set_mode(name, ReadMode::ServeRenewing);
                self.failed_transiently(now, name, DEAD_ON_ARRIVAL, None);
            }
            Some(doubt) => {
                let doubt = doubt.clone();
                self.adopt_fresh(now, name, fresh);
                self.put_off_incomplete(now, key, &doubt, None);
            }
            None => {
                self.adopt_fresh(now, name, fresh);
                if let Some(chain) = self.chains.get_mut(key) {
                    chain.incomplete = 0;
                    chain.rest_until = None;
                }
            }
        }
    }

    /// The access token of the record, where its profile was away when the answer came.
    fn recorded(&mut self, now: Now, name: &TokenName, key: &ChainKey) -> Option<Fresh> {
        let profile = Arc::clone(&self.names.get(name)?.profile);
        let (mut token, _) = restored_token(self.boot_id, now, self.chains.get(key)?)?;
        token.refresh = schedule::refresh_at(&self.settings, &profile, token.issued, token.life(), self.random.roll());
        Some(Fresh { token, doubt: None })
    }

    /// Serves an access token, unless it has died on its way. The one that is there gets no younger by coming again.
    fn adopt_fresh(&mut self, now: Now, name: &TokenName, fresh: Fresh) {
        if fresh.token.expires <= now.boot {
            return;
        }
        let mode = if fresh.doubt.is_some() { ReadMode::ServeRenewing } else { ReadMode::Serve };
        if self.is_same_token(now, name, &fresh.token.access_token) {
            self.dies_sooner(now, name, fresh.doubt.is_none().then_some(fresh.token.expires));
            if let Some(entry) = self.names.get_mut(name) {
                entry.hold_until = None;
            }
            return self.set_mode(name, mode);
        }
        self.adopt(now, name, fresh.token, mode);
    }

    /// A refresh token came that cannot be used: only the provider can say whether the one before was spent.
    fn chain_in_doubt(&mut self, now: Now, key: &ChainKey, send: Send, fresh: Option<Fresh>) {
        let name = self.name_of(key);
        let fresh = fresh.filter(|fresh| fresh.token.expires > now.boot);
        if send == Send::Candidate {
            // The chain beside it goes on, with its own token as long as that is good.
            let needs_one = |name: &TokenName| self.names.get(name).is_some_and(|entry| entry.good(now.boot).is_none());
            if let (Some(name), Some(fresh)) = (name.filter(needs_one), fresh) {
                let before = self.names.get(&name).map(|entry| (entry.retry_at, entry.failures, entry.trouble.clone()));
                self.adopt_fresh(now, &name, fresh);
                // The chain itself is as well as it was.
                if let (Some(entry), Some(before)) = (self.names.get_mut(&name), before) {
                    (entry.retry_at, entry.failures, entry.trouble) = before;
                }
            }
            return self.candidate_in_doubt(now, key, UNREADABLE);
        }
        if let Some(chain) = self.chains.get_mut(key) {
            chain.reply_lost = true;
        }
        self.rest(key);
        match (name, fresh) {
            (Some(name), Some(fresh)) => self.adopt_fresh(now, &name, fresh),
            _ => self.release(key),
        }
        self.put_off_incomplete(now, key, UNREADABLE, None);
    }

    /// A login brought an access token and nothing to go on with: it is served, and the next login follows when it is
    /// to be renewed.
    fn login_without_chain(&mut self, now: Now, key: &ChainKey, fresh: Option<Fresh>) {
        self.rest(key);
        let renewal = fresh.as_ref().map(|fresh| fresh.token.refresh.since(now.boot));
        if let (Some(name), Some(fresh)) = (self.name_of(key), fresh) {
            self.adopt_fresh(now, &name, fresh);
        }
        self.put_off_incomplete(now, key, LOGIN_WITHOUT_CHAIN, renewal);
    }

    /// The next request of a chain whose last answer was not complete: after minutes, and later each time.
    fn put_off_incomplete(&mut self, now: Now, key: &ChainKey, message: &str, at_least: Option<Duration>) {
        let roll = self.random.roll();
        let Some(chain) = self.chains.get_mut(key) else { return };
        let wait = schedule::probe(chain.incomplete, roll).max(at_least.unwrap_or_default());
        chain.incomplete = chain.incomplete.saturating_add(1);
        chain.rest_until = Some(now.boot + wait);
        let Some(name) = self.name_of(key) else { return };
        let Some(entry) = self.names.get_mut(&name) else { return };
        entry.failures = entry.failures.max(1);
        entry.retry_at = Some(now.boot + wait);
        entry.trouble = Some(Trouble::new(TroubleKind::Transient, message));
        self.notice(Severity::Warning, &name, format!("{message}; trying again in {} s", seconds(wait)));
        self.mark_dirty(name);
    }
}
