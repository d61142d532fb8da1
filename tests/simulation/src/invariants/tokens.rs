//! What peers are given, and what stands on the board.

use std::time::Duration;

use tokend::core::issued::AccessToken;
use tokend::core::provider::TokenResponse;
use tokend::core::settings::{Kind, Profile};
use tokend_proto::{Fingerprint, Flags, TokenName};

use super::requests::chain_key;
use super::{Incomplete, Invariants};
use crate::disk::Disk;
use crate::machine::{DAY, Machine, SECOND, Time};
use sandbox::Provider;

/// Owners of tokens that are remembered; older ones than any token lives are forgotten beyond it.
const OWNERS: usize = 4096;

/// An answer is no longer than that on its way.
const WAY_BACK: Time = 60 * SECOND;

/// Tokens after which the spread of renewals is judged.
const ENOUGH_SHARES: u64 = 60;

/// How far renewals are spread at least, as a share of the life: half of the configured jitter.
const LEAST_SPREAD: f64 = 0.035;

/// Whose a token is.
pub(super) struct Owner {
    /// Several, if the provider gives the same token for each of them.
    names: Vec<TokenName>,
    /// Endpoint and client.
    of: (String, String),
    since: Time,
}

impl Invariants {
    /// A token was received for a name.
    pub(crate) fn received(&mut self, profile: &Profile, name: &TokenName, token: Fingerprint, at: Time) {
        if self.owners.len() >= OWNERS {
            self.owners.retain(|_, owner| owner.since + 2 * DAY > at);
        }
        let of = (profile.endpoint().url.clone(), profile.client_id.clone());
        let owner = self.owners.entry(token).or_insert_with(|| Owner { names: Vec::new(), of: of.clone(), since: at });
        if !owner.names.contains(name) {
            owner.names.push(name.clone());
        }
        if owner.of != of {
            owner.of = of; // the provider gave it again
        }
    }

    /// A token comes without a life that can be believed and has less than is documented: an older one, given again,
    /// that the daemon does not hold and has no record of. Nobody can know when it ends.
    pub(crate) fn misleads(
        &mut self,
        profile: &Profile,
        token: &TokenResponse,
        held: bool,
        provider: &Provider,
        at: Time,
    ) {
        let documented = match profile.kind {
            Kind::Glp { .. } => 899 * SECOND,
            _ => 7199 * SECOND,
        };
        let fingerprint = Fingerprint::of(&token.access_token);
        let ends = provider.expires_at(token.access_token.expose());
        let vague = token.expires_in.is_none_or(|seconds| seconds < 2);
        let recorded = matches!(profile.kind, Kind::Classic { .. }) && self.owners.contains_key(&fingerprint);
        if vague && !held && !recorded && ends.is_some_and(|ends| ends + WAY_BACK < at + documented) {
            self.misleading.insert(fingerprint);
        }
    }

    /// It came without a life or without a refresh token that can be read: no record can hold it, but one holds the
    /// refresh token that came with it, if any.
    pub(crate) fn came_incomplete(&mut self, token: Fingerprint, beside: Option<Fingerprint>) {
        let known = self.owners.contains_key(&token) && !self.incomplete.contains_key(&token);
        self.incomplete.insert(token, Incomplete { beside, known });
    }

    /// A peer gets a token.
    #[expect(clippy::too_many_arguments, reason = "all that a reply is made of")]
    pub(crate) fn served(
        &mut self,
        profile: Option<&Profile>,
        name: &TokenName,
        token: &AccessToken,
        flags: Flags,
        min_ttl: Duration,
        provider: &Provider,
        machine: &Machine,
        at: Time,
    ) {
        let now = machine.boot(at);
        let left = token.left(now);
        if token.expires <= now {
            self.fail("token-alive", format!("{name}: a peer got token {}, which has expired", token.fingerprint));
        }
        if left < min_ttl && !flags.contains(Flags::FALLS_SHORT) {
            self.fail("min-ttl", format!("{name}: a peer wanted {min_ttl:?} and got {left:?} without a word"));
        }
        match self.owners.get(&token.fingerprint) {
            None => self.fail(
                "token-of-its-name",
                format!("{name}: a peer got token {}, which nobody gave", token.fingerprint),
            ),
            Some(Owner { names, .. }) if !names.contains(name) => {
                self.fail("token-of-its-name", format!("{name}: a peer got a token of {names:?}"));
            }
            Some(Owner { of, .. }) if profile.is_none_or(|p| (&p.endpoint().url, &p.client_id) != (&of.0, &of.1)) => {
                let what = format!("{name}: a peer got a token of client {} at {}, which it is no more", of.1, of.0);
                self.fail("token-of-its-client", what);
            }
            Some(Owner { since: issued, .. }) => {
                let expired = provider.expires_at(token.access_token.expose()).is_some_and(|until| until <= at);
                // How long it lives nobody could know, and a flag says to its peers that it is being replaced.
                let of_unknown_life = self.incomplete.get(&token.fingerprint).is_some_and(|token| !token.known);
                let expired = expired && !(of_unknown_life && flags.contains(Flags::RENEWING));
                // A record's age is known by the wall clock alone once the machine has rebooted.
                let misled = self.misleading.contains(&token.fingerprint);
                if expired && !misled && !machine.has_misdated(*issued) {
                    self.fail(
                        "token-alive",
                        format!("{name}: a peer got token {}, dead by the provider", token.fingerprint),
                    );
                }
            }
        }
    }

    /// A token is put on the board, for the first time in this life of the daemon.
    pub(crate) fn published(&mut self, profile: &Profile, name: &TokenName, token: &AccessToken, disk: &Disk) {
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
                self.fail(
                    "durable-before-seen",
                    format!("{name}: token {} is seen before it is durable", token.fingerprint),
                );
            }
        }
    }

    /// A new token's times, to see that renewals are spread.
    pub(crate) fn scheduled(&mut self, profile: &Profile, token: &AccessToken) {
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
    pub(crate) fn renewals_were_spread(&mut self) {
        let (least, most, count) = self.shares;
        if count >= ENOUGH_SHARES && most - least < LEAST_SPREAD {
            self.fail(
                "spread-of-renewals",
                format!("renewals of {count} tokens all come after {least:.3} to {most:.3} of the life"),
            );
        }
    }

    /// A peer or an operator wants this very token replaced.
    pub(crate) fn complaint(&mut self, name: &TokenName, token: Fingerprint) {
        self.complained.insert(name.clone(), token);
    }

    /// A peer wanted more life than this token has.
    pub(crate) fn wants_more(&mut self, name: &TokenName, token: Fingerprint) {
        self.wanting.insert(name.clone(), token);
    }
}
