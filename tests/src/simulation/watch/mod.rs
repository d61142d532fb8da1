//! What must hold, checked from outside the core with what only a simulation can know.
//!
//! The first thing that does not hold is kept and ends the run.

mod chains;
mod pace;
pub(super) mod requests;
mod tokens;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokend::core::exchange::RequestId;
use tokend::core::held::{Held, HeldName};
use tokend::core::record::ChainKey;
use tokend::core::time::Boot;
use tokend_proto::{Fingerprint, ProfileName, TokenName};

use super::machine::Time;

use chains::{ChainView, Fate};
use pace::Pace;
use requests::Key;

/// What is remembered to judge by.
#[derive(Default)]
pub(super) struct Watch {
    violation: Option<String>,

    // Of this life of the daemon.
    flying: BTreeMap<Key, RequestId>,
    /// Requests of the last second, steps of logins included, by host.
    steps: BTreeMap<Arc<str>, VecDeque<Boot>>,
    /// A higher rate than the present one was in force until then.
    rate_before: Option<(usize, Boot)>,
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

    // Over all of them.
    owners: HashMap<Fingerprint, (TokenName, Time)>,
    /// Access tokens of Classic that came without a life or without a refresh token that can be read.
    incomplete: HashMap<Fingerprint, Incomplete>,
    chains: BTreeMap<ChainKey, ChainView>,
    fates: HashMap<Fingerprint, Fate>,
    refused: HashSet<Fingerprint>,
    /// When an operator was last warned of a chain's end, by profile.
    warned: BTreeMap<String, Time>,
    /// Logins that reached the provider, by client.
    attempts: BTreeMap<String, VecDeque<Time>>,
    /// When a login last gave a token.
    minted: BTreeMap<String, Time>,
    /// Times that the operator took tokens back, by client.
    taken_back: BTreeMap<String, u64>,
    /// Shares of the life after which tokens were to be renewed: least, most, how many.
    shares: (f64, f64, u64),
    /// Backoffs at their longest step: the least share of it, and how many.
    backoffs: (f64, u64),
}

/// What is known of such a token.
#[derive(Debug, Clone, Copy)]
struct Incomplete {
    /// The refresh token that came with it.
    beside: Option<Fingerprint>,
    /// It had come before, with a life.
    known: bool,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { shares: (1.0, 0.0, 0), backoffs: (f64::MAX, 0), ..Self::default() }
    }

    /// Something does not hold.
    pub(super) fn fail(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    pub(super) fn violation(&mut self) -> Option<String> {
        self.violation.take()
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
    }
}
