//! What happens seldom: weeks of absence, and what is asked of a daemon that is well.

use std::time::Duration;

use tokend::core::input::Question;
use tokend::core::record::ChainKey;
use tokend_proto::TokenName;

use super::daemon::OpenKind;
use super::engine::{Event, Simulation};
use super::invariants::requests::chain_key;
use super::journal::Entry;
use super::machine::{DAY, HOUR, MINUTE};
use sandbox::{Endpoint, Fault, FaultRule};

impl Simulation {
    /// Out of order: the machine is off, or the gateway is, for longer than a chain lives.
    pub(super) fn absence(&mut self) {
        if self.daemon.is_none() {
            return self.after(HOUR, Event::Absence);
        }
        let length = self.rng.between(13 * DAY, 16 * DAY);
        self.calm_down();
        self.phase.holds_still(0.0);
        self.forget_turns();
        self.after(length, Event::Turn);
        if self.rng.chance(0.5) {
            *self.totals.faults.entry("switched off for two weeks").or_default() += 1;
            self.totals.crashes += 1;
            self.end_life("switched off for long", true);
            return self.after(length - MINUTE, Event::Start);
        }
        self.journal.note(self.at, Entry::Phase("the gateway is gone"));
        *self.totals.faults.entry("gateway gone for two weeks").or_default() += 1;
        self.phase.gateway_gone = true;
        let crash_chance = *self.rng.pick(&[0.0, 0.000_02]).expect("some");
        self.phase.holds_still(crash_chance);
        let down = Fault::Status { status: 503, retry_after: None };
        for endpoint in [Endpoint::ClassicRefresh, Endpoint::ClassicCode] {
            self.world.provider.add_fault(FaultRule::new(down.clone()).at(endpoint).forever());
        }
    }

    /// Of a chain that could not be refreshed for long the operator was warned.
    pub(super) fn warnings_are_given(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        let configured = daemon.applied.profiles.values().filter_map(|profile| chain_key(profile));
        let chains: Vec<ChainKey> = configured.collect();
        for key in chains {
            let Some(token) = self.disk.chain(&key).and_then(|record| record.refresh_token.clone()) else { continue };
            self.invariants.warnings(&key, &token, self.phase.started, self.machine.misdated(), self.at);
        }
    }

    /// What a daemon that is well can bear: its workspace's token dies, somebody wants much life.
    pub(super) fn demand(&mut self) {
        let Some(name) = self.rng.pick(&self.phase.kept()).cloned() else { return };
        let Some(slot) = self.daemon.as_ref().and_then(|daemon| daemon.board.get(&name)) else { return };
        let token = slot.token.clone();
        match self.rng.between(0, 49) {
            0..5 if !name.profile.as_str().starts_with("legacy") => {
                let min_ttl = token.life() * 3 / 4;
                let question = Question::Get { name: name.clone(), min_ttl, wait: Duration::from_secs(120) };
                self.ask(Some(name), 0, question, OpenKind::MuchLife);
            }
            5 if name.tenant.is_none() && self.world.tenants.contains_key(&name.profile) => {
                self.journal.note(self.at, Entry::Weather(format!("the token of {name} dies")));
                self.world.provider.kill_access_token(token.fingerprint);
                self.phase.leave_alone(name.clone(), self.at + 4 * MINUTE);
                for tenant in self.world.tenants[&name.profile].clone().into_iter().take(3) {
                    let name = TokenName { profile: name.profile.clone(), tenant: Some(tenant) };
                    let (min_ttl, wait) = (token.life() * 3 / 4, Duration::from_secs(120));
                    let question = Question::Get { name: name.clone(), min_ttl, wait };
                    self.ask(Some(name), 0, question, OpenKind::Get);
                }
            }
            _ => {}
        }
    }
}
