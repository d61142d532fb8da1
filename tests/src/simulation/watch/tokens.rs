//! What peers are given, and what stands on the board.

use std::time::Duration;

use tokend::core::effect::Issued;
use tokend::core::settings::{Kind, Profile};
use tokend_proto::{Fingerprint, Flags, TokenName};

use super::requests::chain_key;
use super::{Incomplete, Watch};
use crate::sandbox::Provider;
use crate::simulation::disk::Disk;
use crate::simulation::machine::{DAY, Machine, Time};

/// Owners of tokens that are remembered; older ones than any token lives are forgotten beyond it.
const OWNERS: usize = 4096;

/// Tokens after which the spread of renewals is judged.
const ENOUGH_SHARES: u64 = 60;

/// How far renewals are spread at least, as a share of the life: half of the configured jitter.
const LEAST_SPREAD: f64 = 0.035;

impl Watch {
    /// A token was received for a name.
    pub(in crate::simulation) fn received(&mut self, name: &TokenName, token: Fingerprint, at: Time) {
        if self.owners.len() >= OWNERS {
            self.owners.retain(|_, (_, issued)| *issued + 2 * DAY > at);
        }
        self.owners.insert(token, (name.clone(), at));
    }

    /// It came without a life or without a refresh token that can be read: no record can hold it, but one holds the
    /// refresh token that came with it, if any.
    pub(in crate::simulation) fn came_incomplete(&mut self, token: Fingerprint, beside: Option<Fingerprint>) {
        let known = self.owners.contains_key(&token) && !self.incomplete.contains_key(&token);
        self.incomplete.insert(token, Incomplete { beside, known });
    }

    /// A peer gets a token.
    #[expect(clippy::too_many_arguments, reason = "all that a reply is made of")]
    pub(in crate::simulation) fn served(
        &mut self,
        name: &TokenName,
        token: &Issued,
        flags: Flags,
        min_ttl: Duration,
        provider: &Provider,
        machine: &Machine,
        at: Time,
    ) {
        let now = machine.boot(at);
        let left = token.left(now);
        if token.expires <= now {
            self.fail(format!("{name}: a peer got token {}, which has expired", token.fingerprint));
        }
        if left < min_ttl && !flags.contains(Flags::FALLS_SHORT) {
            self.fail(format!("{name}: a peer wanted {min_ttl:?} and got {left:?} without a word"));
        }
        match self.owners.get(&token.fingerprint) {
            None => self.fail(format!("{name}: a peer got token {}, which nobody gave", token.fingerprint)),
            Some((owner, _)) if owner != name => {
                self.fail(format!("{name}: a peer got a token of {owner}"));
            }
            Some((_, issued)) => {
                let expired = provider.expires_at(token.access_token.expose()).is_some_and(|until| until <= at);
                // How long it lives nobody could know, and its peers are told that it is being replaced.
                let of_unknown_life = self.incomplete.get(&token.fingerprint).is_some_and(|token| !token.known);
                let expired = expired && !(of_unknown_life && flags.contains(Flags::RENEWING));
                // A record's age is known by the wall clock alone once the machine has been booted anew.
                if expired && !machine.has_misdated(*issued) {
                    self.fail(format!("{name}: a peer got token {}, dead by the provider", token.fingerprint));
                }
            }
        }
    }

    /// A token is put on the board, for the first time in this life of the daemon.
    pub(in crate::simulation) fn published(
        &mut self,
        profile: &Profile,
        name: &TokenName,
        token: &Issued,
        disk: &Disk,
    ) {
        self.renewed(name);
        if self.complained.get(name).is_some_and(|complaint| *complaint != token.fingerprint) {
            self.complained.remove(name);
        }
        if let Some(key) = chain_key(profile) {
            let record = disk.chain(&key);
            let durable = record.and_then(|record| record.access.as_ref());
            let refresh_token = record.and_then(|record| record.refresh_token.as_ref()).map(Fingerprint::of);
            let beside = self.incomplete.get(&token.fingerprint);
            let is_kept = |Incomplete { beside, .. }: &Incomplete| beside.is_none() || *beside == refresh_token;
            let incomplete = beside.is_some_and(is_kept);
            if !incomplete && durable.is_none_or(|access| access.token != token.access_token) {
                self.fail(format!("{name}: token {} is seen before it is durable", token.fingerprint));
            }
        }
    }

    /// A new token's times, to see that renewals are spread.
    pub(in crate::simulation) fn scheduled(&mut self, profile: &Profile, token: &Issued) {
        // Short lives are renewed by their margin, without jitter.
        if matches!(profile.kind, Kind::Classic { .. }) || token.life() < Duration::from_secs(600) {
            return;
        }
        let share = token.refresh.since(token.issued).as_secs_f64() / token.life().as_secs_f64();
        let (least, most, count) = &mut self.shares;
        *least = least.min(share);
        *most = most.max(share);
        *count += 1;
    }

    /// At the end of a run.
    pub(in crate::simulation) fn renewals_were_spread(&mut self) {
        let (least, most, count) = self.shares;
        if count >= ENOUGH_SHARES && most - least < LEAST_SPREAD {
            self.fail(format!("renewals of {count} tokens all come after {least:.3} to {most:.3} of the life"));
        }
    }

    /// A peer or an operator wants this very token replaced.
    pub(in crate::simulation) fn complaint(&mut self, name: &TokenName, token: Fingerprint) {
        self.complained.insert(name.clone(), token);
    }

    /// A peer wanted more life than this token has.
    pub(in crate::simulation) fn wants_more(&mut self, name: &TokenName, token: Fingerprint) {
        self.wanting.insert(name.clone(), token);
    }
}
