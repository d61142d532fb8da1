//! A Classic profile under fire: which client it has, and what its chain has been through.

use std::ops::RangeInclusive;

use tokend_client::Secret;

use super::ledger::Ledger;
use super::report::Report;
use harness::{ProfileText, World};
use sandbox::Credentials;

/// How a profile gets a chain back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cure {
    /// A login, once in 30 minutes; after that the profile gets another client.
    Login,
    /// A new Download Token.
    Import,
}

/// One Classic profile.
pub(super) struct Classic {
    pub(super) name: String,
    cure: Cure,
    pub(super) client: Credentials,
    generation: u64,
    /// Its configuration has a login.
    pub(super) login: bool,
    /// A Download Token whose import was cut off.
    pub(super) pending: Option<Secret>,
    /// Its client's login is used up: it gets another one before the next life.
    pub(super) spent: bool,
    /// Has had a working token since its client is new.
    settled: bool,
    refusals: u64,
    /// Lives in which it may have been without a chain.
    troubled: Vec<RangeInclusive<u64>>,
    /// The last life in which it had a working token.
    worked: u64,
    /// It was seen without a chain and has not worked since.
    without: bool,
}

impl Classic {
    pub(super) fn new(world: &World, ledger: &mut Ledger, name: &str, cure: Cure, generation: u64) -> Self {
        let client = world.provider().provider().add_classic_client();
        let login = cure == Cure::Login && generation % 2 == 1;
        ledger.add_client(&client.client_id, login);
        Self {
            name: name.to_owned(),
            cure,
            client,
            generation,
            login,
            pending: None,
            spent: false,
            settled: false,
            refusals: 0,
            troubled: Vec::new(),
            worked: 0,
            without: false,
        }
    }

    /// Between two lives: a spent client makes room for another one, and one that has a chain gets its login.
    pub(super) fn reconfigure(&mut self, world: &World, ledger: &mut Ledger) {
        if self.spent {
            let next = Self::new(world, ledger, &self.name, self.cure, self.generation + 1);
            let old = std::mem::replace(self, next);
            self.troubled = old.troubled;
            self.worked = old.worked;
            self.without = old.without;
        } else if self.cure == Cure::Login && self.settled {
            self.login = true;
        }
    }

    pub(super) fn text(&self, world: &World) -> ProfileText {
        world.classic_of(&self.name, &self.client, self.login)
    }

    /// Nothing but an import helps it.
    pub(super) fn wants_import(&self) -> bool {
        !self.login
    }

    /// It was seen without a chain in this life: perhaps since the last one in which it worked.
    pub(super) fn in_trouble(&mut self, life: u64) {
        match self.troubled.last_mut() {
            Some(last) if self.without => *last = *last.start()..=life,
            _ => self.troubled.push(self.worked..=life),
        }
        self.without = true;
    }

    /// A peer had a working token of it in this life.
    pub(super) fn works(&mut self, life: u64, ledger: &Ledger, report: &mut Report) {
        let client = ledger.client(&self.client.client_id);
        if client.refusals > self.refusals {
            self.refusals = client.refusals;
            self.in_trouble(life);
            if self.login && client.logins > 0 {
                report.recovered_by_login += 1;
            } else if !self.login {
                report.recovered_by_import += 1;
            }
        }
        if self.without {
            self.in_trouble(life); // up to a moment ago
            self.without = false;
        }
        self.settled = true;
        self.worked = life;
    }

    /// Whether an error about its chain is right in this life.
    pub(super) fn may_be_without(&self, life: u64) -> bool {
        self.troubled.iter().any(|lives| lives.contains(&life))
    }
}
