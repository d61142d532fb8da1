//! How all names are doing.

use std::time::Duration;

use tokend_proto::{ChainStatus, Health, NameRights, NameStatus, TokenName};

use super::errors;
use super::page::{Page, Part, Reader, part};
use crate::core::Core;
use crate::core::activity::Activity;
use crate::core::classic::chain::lost_because;
use crate::core::classic::state::{CHAIN_LIFE, Chain, Work, chain_key};
use crate::core::record::{ChainRecord, ChainState};
use crate::core::settings::Kind;
use crate::core::time::Now;
use crate::core::token_state::{Name, TroubleKind};

impl Core {
    pub(in crate::core) fn status_page(&self, now: Now, page: &Page<TokenName>) -> Part<NameStatus, TokenName> {
        let readable = page.reader.access.readable(&page.reader.peer);
        let may_read = |name: &TokenName| readable.includes(name);
        part(&self.names, page, may_read, |name, entry| self.status_of(now, name, entry))
    }

    pub(in crate::core) fn rights_page(&self, page: &Page<TokenName>) -> Part<NameRights, TokenName> {
        let Reader { access, peer } = &page.reader;
        let (readable, administered) = (access.readable(peer), access.administered(peer));
        let may_read = |name: &TokenName| readable.includes(name);
        part(&self.names, page, may_read, |name, _| NameRights {
            name: name.to_string(),
            label: self.label_of(name),
            admin: administered.includes(name),
        })
    }
}

impl Core {
    pub(in crate::core) fn status_of(&self, now: Now, name: &TokenName, entry: &Name) -> NameStatus {
        let token = entry.good(now.boot);
        let kind = match (&entry.profile.kind, name.tenant) {
            (Kind::ClientCredentials(asked), _) => asked.word,
            (Kind::Glp { .. }, None) => "glp",
            (Kind::Glp { .. }, Some(_)) => "glp-tenant",
            (Kind::Classic { .. }, _) => "classic",
        };
        let parent = self.parent_in_trouble(name, entry);
        let next = match entry.activity {
            Activity::Idle => entry.retry_at.or_else(|| token.map(|token| token.refresh)),
            // A workspace that waits for its next attempt, or is at it.
            Activity::Parent => parent.and_then(|parent| parent.retry_at).or(Some(now.boot)).max(Some(now.boot)),
            _ => Some(now.boot),
        };
        let chain = chain_key(&entry.profile).and_then(|key| self.chains.get(&key));
        NameStatus {
            name: name.to_string(),
            label: self.label_of(name),
            kind: kind.to_owned(),
            health: self.health(now, name, entry),
            fingerprint: token.map(|token| token.fingerprint),
            expires_at: token.map(|token| now.stamp(token.expires)),
            next_at: next.map(|at| now.stamp(at)),
            last_error: self.last_error(name, entry),
            action: errors::advice(entry),
            chain: chain.map(|chain| self.chain_status(now, chain)),
        }
    }

    /// A tenant's workspace name.
    pub(in crate::core) fn label_of(&self, name: &TokenName) -> Option<String> {
        let listing = self.profiles.get(&name.profile)?.listing.as_ref()?;
        listing.tenants.get(&name.tenant?).map(ToString::to_string)
    }

    /// In one word.
    pub(in crate::core) fn health(&self, now: Now, name: &TokenName, entry: &Name) -> Health {
        let has_token = entry.good(now.boot).is_some();
        match entry.trouble.as_ref().map(|trouble| trouble.kind) {
            None if has_token && self.parent_in_trouble(name, entry).is_some() => Health::Failing,
            None if has_token => Health::Good,
            None => Health::Unavailable,
            Some(TroubleKind::Transient) if has_token => Health::Failing,
            Some(TroubleKind::Transient) => Health::Unavailable,
            Some(TroubleKind::Rejected | TroubleKind::ParentRejected) => Health::Rejected,
            Some(TroubleKind::AwaitingLogin) => Health::AwaitingLogin,
            Some(TroubleKind::ChainLost) => Health::ChainLost,
            Some(TroubleKind::ChainEmpty) => Health::ChainEmpty,
        }
    }

    /// The last failure since the last success.
    pub(in crate::core) fn last_error(&self, name: &TokenName, entry: &Name) -> Option<String> {
        let parent = self.parent_in_trouble(name, entry).and_then(|parent| parent.trouble.as_ref());
        let own = || entry.trouble.as_ref().map(|trouble| trouble.message.clone());
        let chain = || chain_key(&entry.profile).and_then(|key| self.chains.get(&key));
        let of_import = || Some(format!("import: {}", chain()?.candidate.as_ref()?.trouble.as_ref()?));
        parent.map(|trouble| errors::of_workspace(&trouble.message)).or_else(own).or_else(of_import)
    }

    fn chain_status(&self, now: Now, chain: &Chain) -> ChainStatus {
        let record = shown_record(chain);
        let (state, why) = match &record.state {
            ChainState::Empty => ("empty", None),
            ChainState::Settled => ("settled", None),
            ChainState::InFlight { .. } => ("in flight", None),
            ChainState::AwaitingLogin { .. } => ("awaiting login", None),
            ChainState::Lost { why, .. } => ("lost", Some(lost_because(*why).to_owned())),
        };
        let age = self.chain_age(now, chain);
        ChainStatus {
            state: state.to_owned(),
            rotated_at: age.map(|age| now.stamp_ago(age)),
            ends_at: age.map(|age| now.stamp(now.boot + CHAIN_LIFE.saturating_sub(age))),
            why,
        }
    }

    /// How long ago its refresh token was rotated.
    pub(in crate::core) fn chain_age(&self, now: Now, chain: &Chain) -> Option<Duration> {
        let record = shown_record(chain);
        let rotated = record.rotated.filter(|_| record.refresh_token.is_some());
        rotated.map(|mark| mark.age(now, self.boot_id))
    }
}

/// What is decided is said, durable or not; but a pair that was received is none before it is.
fn shown_record(chain: &Chain) -> &ChainRecord {
    match &chain.work {
        Work::Keeping(keep) if keep.record.refresh_token.is_none() => &keep.record,
        _ => &chain.record,
    }
}
