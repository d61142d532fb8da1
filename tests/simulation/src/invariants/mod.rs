//! What must hold, checked from outside the core with what only a simulation can know.
//!
//! The first thing that does not hold is kept and ends the run.

pub(super) mod attempts;
mod chains;
mod hourly;
mod lists;
mod pace;
pub(super) mod requests;
mod secrets;
mod tokens;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokend::core::handoff::{Held, HeldName};
use tokend::core::provider::RequestId;
use tokend::core::record::ChainKey;
use tokend::core::time::BootTime;
use tokend_proto::{Fingerprint, ProfileName, TokenName};

use super::machine::Time;

use attempts::Attempts;
use chains::{ChainView, Fate};
use hourly::Hourly;
use lists::Lists;
use pace::Pace;
use requests::Key;
use secrets::Secrets;
use tokens::Owner;

/// What is remembered to judge by.
#[derive(Default)]
pub(super) struct Invariants {
    violation: Option<Violation>,

    // Of this life of the daemon.
    flying: BTreeMap<Key, RequestId>,
    /// Requests of the last second, steps of logins included, by host.
    steps: BTreeMap<Arc<str>, VecDeque<BootTime>>,
    /// A higher rate than the present one was in force until then.
    rate_before: Option<(usize, BootTime)>,
    /// Times that a profile was replaced.
    generations: BTreeMap<ProfileName, u64>,
    /// Names whose current token somebody wants replaced.
    complained: BTreeMap<TokenName, Fingerprint>,
    /// Names of which a peer wanted more life than this token has.
    wanting: BTreeMap<TokenName, Fingerprint>,
    /// Names that are being renewed, and the token that is to be replaced.
    renewing: BTreeMap<TokenName, Fingerprint>,
    /// Workspace tokens that an exchange or a listing was refused for.
    distrusted: HashSet<Fingerprint>,
    pace: Pace,
    attempts: Attempts,
    secrets: Secrets,
    hourly: Hourly,
    lists: Lists,

    // Over all of them.
    owners: HashMap<Fingerprint, Owner>,
    /// Tokens of which nobody can know when they end.
    misleading: HashSet<Fingerprint>,
    /// Access tokens of Classic that came without a life or without a refresh token that can be read.
    incomplete: HashMap<Fingerprint, Incomplete>,
    chains: BTreeMap<ChainKey, ChainView>,
    fates: HashMap<Fingerprint, Fate>,
    refused: HashSet<Fingerprint>,
    /// When an operator was last warned of a chain's end, by profile.
    warned: BTreeMap<String, Time>,
    /// Logins that reached the provider, by client.
    logins: BTreeMap<String, VecDeque<Time>>,
    /// When a login last gave a token.
    minted: BTreeMap<String, Time>,
    /// Times that the operator took tokens back, by client.
    taken_back: BTreeMap<String, u64>,
    /// Shares of the life after which tokens were to be renewed: least, most, how many.
    shares: (f64, f64, u64),
    /// Backoffs at their longest step: the least share of it, and how many.
    backoffs: (f64, u64),
    /// How often a rule had something to judge.
    judged: BTreeMap<&'static str, u64>,
}

/// Something that does not hold.
#[derive(Debug, Clone)]
pub(super) struct Violation {
    /// The word for what must hold; it stays the same.
    pub(super) rule: &'static str,
    pub(super) what: String,
}

/// What is known of such a token.
#[derive(Debug, Clone, Copy)]
struct Incomplete {
    /// The refresh token that came with it.
    beside: Option<Fingerprint>,
    /// It had come before, with a life.
    known: bool,
}

impl Invariants {
    pub(super) fn new() -> Self {
        Self { shares: (1.0, 0.0, 0), backoffs: (f64::MAX, 0), ..Self::default() }
    }

    /// Something does not hold.
    pub(super) fn fail(&mut self, rule: &'static str, what: String) {
        self.violation.get_or_insert(Violation { rule, what });
    }

    pub(super) fn violation(&mut self) -> Option<Violation> {
        self.violation.take()
    }

    /// A rule had something to judge.
    pub(super) fn has_judged(&mut self, rule: &'static str) {
        *self.judged.entry(rule).or_default() += 1;
    }

    /// How often each rule had something to judge, and the most of what is counted by the hour.
    pub(super) fn judged(&self) -> (&BTreeMap<&'static str, u64>, &BTreeMap<&'static str, u64>) {
        (&self.judged, &self.hourly.most)
    }

    /// How often a profile was replaced.
    fn generation(&self, profile: &ProfileName) -> u64 {
        self.generations.get(profile).copied().unwrap_or(0)
    }

    /// The daemon is gone.
    /// Of what peers and the provider held against tokens the next life knows what was handed on to it.
    pub(super) fn life_ended(&mut self, handed_on: Option<&Held>) {
        self.flying.clear();
        self.steps.clear();
        self.rate_before = None;
        self.renewing.clear();
        self.wanting.clear();
        let names: Vec<(TokenName, &HeldName)> = handed_on
            .into_iter()
            .flat_map(|held| &held.profiles)
            .flat_map(|held| held.names.iter().map(|name| (&held.binding.profile, name)))
            .map(|(profile, held)| (TokenName { profile: profile.clone(), tenant: held.tenant }, held))
            .collect();
        let rejected = |name: &TokenName, token: &Fingerprint| {
            let mut of_name = names.iter().filter(|(of, _)| of == name);
            of_name.any(|(_, held)| held.rejected && held.token.fingerprint == *token)
        };
        self.complained.retain(|name, token| rejected(name, token));
        self.distrusted.retain(|token| {
            names.iter().any(|(_, held)| (held.distrusted || held.rejected) && held.token.fingerprint == *token)
        });
        self.pace.life_ended();
        self.attempts = Attempts::default();
        self.secrets = Secrets::default();
        self.hourly.life_ended();
        self.lists = Lists::default();
    }
}
