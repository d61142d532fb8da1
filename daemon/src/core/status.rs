//! How all names are doing.

use tokend_proto::{ChainStatus, Health, NameStatus, TokenName};

use super::Core;
use super::chain::{CHAIN_LIFE, lost_because};
use super::chain_state::{Chain, Work, chain_key};
use super::failure;
use super::record::ChainState;
use super::settings::Kind;
use super::state::{Activity, Name, TroubleKind};
use super::time::Now;

impl Core {
    pub(super) fn status(&self, now: Now) -> Vec<NameStatus> {
        self.names.iter().map(|(name, entry)| self.status_of(now, name, entry)).collect()
    }

    fn status_of(&self, now: Now, name: &TokenName, entry: &Name) -> NameStatus {
        let token = entry.good(now.boot);
        let listing = self.profiles.get(&name.profile).and_then(|state| state.listing.as_ref());
        let label = name.tenant.and_then(|id| listing?.tenants.get(&id)).map(ToString::to_string);
        let kind = match (&entry.profile.kind, name.tenant) {
            (Kind::Central { .. }, _) => "central",
            (Kind::Glp { .. }, None) => "glp",
            (Kind::Glp { .. }, Some(_)) => "glp-tenant",
            (Kind::Classic { .. }, _) => "classic",
        };
        let parent = self.parent_in_trouble(name, entry);
        let health = match entry.trouble.as_ref().map(|trouble| trouble.kind) {
            None if parent.is_some() && token.is_some() => Health::Failing,
            None if token.is_some() => Health::Good,
            None => Health::Unavailable,
            Some(TroubleKind::Transient) if token.is_some() => Health::Failing,
            Some(TroubleKind::Transient) => Health::Unavailable,
            Some(TroubleKind::Rejected | TroubleKind::ParentRejected) => Health::Rejected,
            Some(TroubleKind::AwaitingLogin) => Health::AwaitingLogin,
            Some(TroubleKind::ChainLost) => Health::ChainLost,
            Some(TroubleKind::ChainEmpty) => Health::ChainEmpty,
        };
        let next = match entry.activity {
            Activity::Idle => entry.retry_at.or_else(|| token.map(|token| token.refresh)),
            // A workspace that waits for its next attempt, or is at it.
            Activity::Parent => parent.and_then(|parent| parent.retry_at).or(Some(now.boot)).max(Some(now.boot)),
            _ => Some(now.boot),
        };
        let chain = chain_key(&entry.profile).and_then(|key| self.chains.get(&key));
        let of_import = chain.and_then(|chain| chain.candidate.as_ref()?.trouble.as_ref());
        let last_error = match parent.and_then(|parent| parent.trouble.as_ref()) {
            Some(trouble) => Some(failure::of_workspace(&trouble.message)),
            None => entry.trouble.as_ref().map(|trouble| trouble.message.clone()),
        };
        NameStatus {
            name: name.to_string(),
            label,
            kind: kind.to_owned(),
            health,
            fingerprint: token.map(|token| token.fingerprint),
            expires_at: token.map(|token| now.stamp(token.expires)),
            next_at: next.map(|at| now.stamp(at)),
            last_error: last_error.or_else(|| of_import.map(|what| format!("import: {what}"))),
            action: failure::advice(entry),
            chain: chain.map(|chain| self.chain_status(now, chain)),
        }
    }

    fn chain_status(&self, now: Now, chain: &Chain) -> ChainStatus {
        // What is decided is said, durable or not; but a pair that was received is none before it is.
        let record = match &chain.work {
            Work::Keeping(keep) if keep.record.refresh_token.is_none() => &keep.record,
            _ => &chain.record,
        };
        let (state, why) = match &record.state {
            ChainState::Empty => ("empty", None),
            ChainState::Settled => ("settled", None),
            ChainState::InFlight { .. } => ("in flight", None),
            ChainState::AwaitingLogin { .. } => ("awaiting login", None),
            ChainState::Lost { why, .. } => ("lost", Some(lost_because(*why).to_owned())),
        };
        let rotated = record.rotated.filter(|_| record.refresh_token.is_some());
        let age = rotated.map(|mark| mark.age(now, self.boot_id));
        ChainStatus {
            state: state.to_owned(),
            rotated_at: age.map(|age| now.stamp_ago(age)),
            ends_at: age.map(|age| now.stamp(now.boot + CHAIN_LIFE.saturating_sub(age))),
            why,
        }
    }
}
