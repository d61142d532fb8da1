//! Requests on their way to the provider and back.

use std::time::Duration;

use tokend::core::input::Input;
use tokend::core::provider::{
    Answer, Failure, FailureKind, Grant, LOGIN_STEPS, ProviderRequest, RefreshToken, TokenResponse,
};
use tokend::core::settings::Kind;
use tokend::provider::Parsed;
use tokend_proto::{Fingerprint, ProfileName, Secret, TokenName};

use super::daemon::Open;
use super::delivery;
use super::engine::{Event, Simulation};
use super::invariants::attempts::Seen;
use super::invariants::requests::{chain_key, is_trial, name_of};
use super::journal::Entry;
use super::machine::{HOUR, SECOND, Time};
use super::network::{CONNECT, Flight, FlightId, WHOLE};
use super::wire::{self, Arrived, Gap, Step};
use super::world::World;

/// A token that lives shorter, in seconds, is of no use.
const LEAST_LIFE: i64 = 2;

/// A token that ends so soon has all but ended: that it comes again says nothing.
const LEAST_LEFT: Duration = Duration::from_secs(2);

/// Until an answer is here, or given up.
const LONGEST_REQUEST: Duration = Duration::from_secs(30);

impl Simulation {
    /// The core sends a request.
    pub(super) fn send(&mut self, request: ProviderRequest) {
        let what = what(&request.grant);
        let name = name_of(&request);
        self.journal.note(self.at, Entry::Sent { request: request.id.0, what, name: name.clone() });
        *self.totals.requests.entry(what).or_default() += 1;
        let now = self.machine.boot(self.at);
        self.invariants.sends(&request, &self.disk, &self.world.provider, now, self.at);
        let Some(daemon) = &self.daemon else { return };
        let on_board = |name: &TokenName| daemon.board.get(name).map(|slot| &*slot.token);
        self.invariants.uses_parent(&request, on_board(&TokenName::from(request.profile.name.clone())), now);
        if let Grant::Refresh { refresh_token, .. } = &request.grant
            && self.disk.is_current(&request.profile, refresh_token)
        {
            self.invariants.rotation_has_reason(&name, on_board(&name), now);
        }
        if matches!(request.grant, Grant::ClientCredentials { .. } | Grant::Exchange { .. }) {
            let tenants = matches!(request.profile.kind, Kind::Glp { tenants: Some(_), .. });
            let current = on_board(&name);
            let of_name = |open: &&Open| open.name.as_ref() == Some(&name);
            let wanted = || daemon.open.values().filter(of_name).map(|open| open.min_ttl).max().unwrap_or_default();
            self.invariants.renewal_has_reason(&name, current, tenants, wanted, now);
        }
        let texts = daemon.texts(&request);
        let step = wire::first_step(&request.grant);
        let id = (self.life, request.id);
        let flight =
            Flight { request, texts, step, sent: self.at, begun: self.at, handled: None, offered: None, orphan: false };
        self.network.flights.insert(id, flight);
        self.step(id);
    }

    /// One HTTP request of it goes out.
    pub(super) fn step(&mut self, id: FlightId) {
        let Some(flight) = self.network.flights.get_mut(&id) else { return };
        if flight.orphan {
            self.network.flights.remove(&id);
            return;
        }
        if self.at - flight.sent > LOGIN_STEPS.as_millis() as Time {
            let message = "the login took too long".to_owned();
            let failure = Failure { kind: FailureKind::Transient, retry_after: None, message };
            return self.answer(id, Answer::Failed(failure), None);
        }
        flight.begun = self.at;
        flight.handled = None;
        flight.offered = None;
        let host = flight.request.profile.endpoint().host.clone();
        let rate = self.daemon.as_ref().map_or(0, |daemon| daemon.applied.rate.get());
        self.invariants.step(&host, rate as usize, self.machine.boot(self.at));
        if self.network.partition {
            let delay = if self.rng.chance(0.5) { CONNECT } else { self.rng.between(1, 100) };
            return self.after(delay, Event::Land(id, Box::new(Arrived::NoConnection)));
        }
        if World::is_nowhere(&host) {
            let (delay, arrived) = self.stranger();
            return self.after(delay, Event::Land(id, Box::new(arrived)));
        }
        if self.rng.chance(self.network.loss_before) {
            *self.totals.faults.entry("request lost").or_default() += 1;
            return self.give_up(id);
        }
        let delay = self.network.delay(&mut self.rng);
        self.after(delay, Event::Arrive(id));
    }

    /// The daemon hears nothing but that there is nothing.
    fn give_up(&mut self, id: FlightId) {
        let (delay, arrived) = match self.rng.chance(0.5) {
            true => (WHOLE, Arrived::TimedOut),
            false => (self.rng.between(10, 10 * SECOND), Arrived::Reset),
        };
        self.after(delay, Event::Land(id, Box::new(arrived)));
    }

    /// The request reaches the provider.
    pub(super) fn arrive(&mut self, id: FlightId) {
        let Some(flight) = self.network.flights.get(&id) else { return };
        let (profile, grant) = (&flight.request.profile, &flight.request.grant);
        let spends = flight.refresh_token().cloned();
        let http = wire::request(profile, grant, &flight.step, &flight.texts);
        let could = spends.as_ref().is_some_and(|token| self.world.provider.can_refresh(self.at, token.expose()));
        let outcome = self.world.provider.handle(self.at, &http);
        let can = spends.as_ref().is_some_and(|token| self.world.provider.can_refresh(self.at, token.expose()));
        if let Some(token) = spends.filter(|_| could && !can) {
            self.invariants.spent(&token, flight.orphan);
        }
        let entry = self.world.provider.log().entries().next_back().cloned();
        self.world.provider.clear_log();
        let (handled, issued) = entry.as_ref().map_or((false, false), |e| (e.handled, e.issued.is_some()));
        if handled && matches!(grant, Grant::Login { .. }) {
            match flight.step {
                Step::User => self.invariants.login_arrived(&profile.client_id, self.at),
                Step::Code(_) if issued => {
                    self.invariants.login_minted(&profile.client_id, self.at);
                    self.totals.logins += 1;
                }
                _ => {}
            }
        }
        let minted = issued && matches!(flight.step, Step::Code(_));
        let (fault, status) = entry.map_or((None, None), |e| (e.fault, e.status));
        if let Some(fault) = fault {
            *self.totals.faults.entry(fault).or_default() += 1;
        }
        let what = step_name(grant, &flight.step);
        let (request, orphan) = (id.1.0, flight.orphan);
        self.journal.note(self.at, Entry::AtProvider { request, what, status, fault, orphan });
        if minted {
            self.after_a_login();
        }
        if orphan {
            self.network.flights.remove(&id);
            return;
        }
        let delay = outcome.delay + self.network.delay(&mut self.rng);
        let Some(flight) = self.network.flights.get_mut(&id) else { return };
        flight.handled = Some(self.at);
        let latest = flight.begun + WHOLE;
        if self.rng.chance(self.network.loss_after) {
            *self.totals.faults.entry("answer lost").or_default() += 1;
            return self.give_up(id);
        }
        let (delay, arrived) = if self.at + delay > latest {
            (latest.saturating_sub(self.at), Arrived::TimedOut)
        } else {
            flight.offered = delivery::offered(&outcome.ending);
            match Arrived::of(outcome) {
                // The daemon waits for the rest as long as it waits for anything.
                arrived @ Arrived::Cut(_, _, Gap::Silent) => (latest.saturating_sub(self.at), arrived),
                arrived => (delay, arrived),
            }
        };
        self.after(delay, Event::Land(id, Box::new(arrived)));
    }

    /// An answer, or the lack of one, reaches the daemon.
    pub(super) fn land(&mut self, id: FlightId, arrived: &Arrived) {
        if id.0 != self.life || self.daemon.is_none() {
            self.network.flights.remove(&id);
            return;
        }
        let Some(flight) = self.network.flights.get_mut(&id) else { return };
        let (grant, step) = (&flight.request.grant, &flight.step);
        let next = match wire::meaning(grant, step, arrived) {
            Parsed::Session { csrf, session } => Step::Customer { csrf, session },
            Parsed::Code(code) => Step::Code(code),
            Parsed::Answer(answer) => {
                let asked = wire::asked_to_wait(arrived);
                self.judge_delivery(id, &answer);
                return self.answer(id, answer, asked);
            }
        };
        flight.step = next;
        self.after(SECOND, Event::Step(id));
        self.during_a_login();
    }

    fn answer(&mut self, id: FlightId, answer: Answer, asked: Option<Duration>) {
        let Some(flight) = self.network.flights.remove(&id) else { return };
        let request = &flight.request;
        let awaited = self.invariants.awaits(request);
        let trial = is_trial(request, &self.disk);
        self.invariants.landed(request);
        let name = name_of(request);
        let now = self.machine.boot(self.at);
        let on_board = |name: &TokenName| self.daemon.as_ref()?.board.get(name).map(|slot| &*slot.token);
        let held = |name: &TokenName, new: &TokenResponse| {
            on_board(name).is_some_and(|token| token.access_token == new.access_token)
        };
        let again = |name: &TokenName, new: &TokenResponse| {
            let left = on_board(name).filter(|token| token.access_token == new.access_token)?.left(now);
            // A provider that says now that it ends sooner is believed, give or take what a request may take.
            let said = Duration::from_secs(u64::try_from(new.expires_in.unwrap_or(i64::MAX)).unwrap_or(0));
            let sooner = said.saturating_add(LONGEST_REQUEST) < left;
            let rest = if sooner { said.saturating_sub(LONGEST_REQUEST).max(LEAST_LEFT) } else { left };
            (left >= LEAST_LEFT).then_some(rest)
        };
        match &answer {
            Answer::Token(token) => {
                let same = again(&name, token);
                if awaited && same.is_none() && token.expires_in.is_some_and(|seconds| seconds < LEAST_LIFE) {
                    let left = on_board(&name).map(|token| token.left(now));
                    let kept = name.tenant.is_none() || self.is_warm(&name);
                    let seen = Seen { kind: FailureKind::Transient, left, asked: None, kept };
                    self.invariants.has_failed(request, false, seen, now);
                } else {
                    self.invariants.token_received(request, token.expires_in, same, now);
                }
                let at = flight.handled.unwrap_or(self.at);
                self.invariants.misleads(&request.profile, token, held(&name, token), &self.world.provider, self.at);
                self.invariants.received(&request.profile, &name, Fingerprint::of(&token.access_token), at);
            }
            Answer::Pair(pair) => {
                self.invariants.succeeded(request, trial);
                let same = pair.access.as_ref().and_then(|access| again(&name, access));
                if let Some(left) = same.filter(|_| !trial && awaited) {
                    self.invariants.same_token(request, left, now);
                }
                if awaited {
                    self.invariants.incomplete_pair(request, trial, pair, now);
                }
                let at = flight.handled.unwrap_or(self.at);
                if let Some(access) = &pair.access {
                    let token = Fingerprint::of(&access.access_token);
                    self.invariants.misleads(
                        &request.profile,
                        access,
                        held(&name, access),
                        &self.world.provider,
                        self.at,
                    );
                    let beside = match &pair.refresh_token {
                        RefreshToken::New(beside) => Some(Fingerprint::of(beside)),
                        RefreshToken::Absent | RefreshToken::Unreadable => None,
                    };
                    if beside.is_none() || access.expires_in.is_some_and(|seconds| seconds < 2) {
                        self.invariants.came_incomplete(token, beside);
                    }
                    self.invariants.received(&request.profile, &name, token, at);
                }
                let with = refresh_token(&request.grant);
                let goes_on = match &pair.refresh_token {
                    RefreshToken::New(token) => Some(token),
                    RefreshToken::Absent => with,
                    RefreshToken::Unreadable => None,
                };
                if let (Some(key), Some(token)) = (chain_key(&request.profile), goes_on) {
                    self.invariants.pair_received(&key, with, token, at, self.at);
                }
                if let Some(with) = with.filter(|_| !matches!(pair.refresh_token, RefreshToken::New(_))) {
                    self.invariants.doubt(with); // the provider may have dropped it
                }
            }
            Answer::Tenants(page) => {
                self.invariants.succeeded(request, false);
                if awaited {
                    self.invariants.page_received(request, page);
                }
            }
            Answer::Failed(failure) => {
                if let Some(asked) = failure.retry_after {
                    let wait = u64::try_from(asked.as_millis()).unwrap_or(HOUR).min(HOUR);
                    self.phase.asked_to_wait(self.at + wait);
                }
                let used = match &request.grant {
                    Grant::Exchange { subject, .. } => Some(subject),
                    Grant::ListTenants { token, .. } => Some(token),
                    _ => None,
                };
                if awaited {
                    self.invariants.forget_list_of(request);
                    let left = on_board(&name).filter(|_| !trial).map(|token| token.left(now));
                    let kept = trial || !matches!(request.grant, Grant::Exchange { .. }) || self.is_warm(&name);
                    let seen = Seen { kind: failure.kind, left, asked, kept };
                    self.invariants.has_failed(request, trial, seen, now);
                }
                match (failure.kind, refresh_token(&request.grant)) {
                    (FailureKind::InvalidGrant, Some(token)) => self.invariants.was_refused(token),
                    (FailureKind::Unknown, Some(token)) => self.invariants.doubt(token),
                    (FailureKind::InvalidToken | FailureKind::InvalidClient, None) => {
                        if let Some(token) = used.map(Fingerprint::of) {
                            let parent = on_board(&TokenName::from(name.profile.clone()));
                            let current = parent.is_some_and(|p| p.fingerprint == token && p.expires > now);
                            self.invariants.distrust(request, token, current, now);
                        }
                    }
                    _ => {}
                }
            }
        }
        let kind = match &answer {
            Answer::Token(_) => "a token".to_owned(),
            Answer::Pair(_) => "a pair".to_owned(),
            Answer::Tenants(page) => format!("{} of {} tenants", page.received, page.total),
            Answer::Failed(failure) => format!("{:?}", failure.kind),
        };
        self.journal.note(self.at, Entry::Answered { request: id.1.0, what: what(&request.grant), kind });
        self.tell(Input::Answered { request: id.1, answer });
    }

    /// The secrets have been read.
    pub(super) fn secrets_read(&mut self, profile: ProfileName) {
        self.world.another_secret(&profile);
        let vault = self.world.vaults.get(&profile);
        let Some(daemon) = &mut self.daemon else { return };
        let known = daemon.applied.profiles.get(&profile);
        let login = known.is_some_and(|profile| matches!(profile.kind, Kind::Classic { login: Some(_), .. }));
        let known = known.is_some();
        let versions = daemon.read_secrets(&profile, vault.filter(|_| known), login);
        self.invariants.secrets_are_read(&profile, &versions, self.machine.boot(self.at));
        self.tell(Input::Secrets { profile, versions });
    }
}

fn refresh_token(grant: &Grant) -> Option<&Secret> {
    match grant {
        Grant::Refresh { refresh_token, .. } => Some(refresh_token),
        _ => None,
    }
}

fn what(grant: &Grant) -> &'static str {
    match grant {
        Grant::ClientCredentials { .. } => "client credentials",
        Grant::Exchange { .. } => "exchange",
        Grant::ListTenants { .. } => "listing",
        Grant::Refresh { .. } => "refresh",
        Grant::Login { .. } => "login",
    }
}

fn step_name(grant: &Grant, step: &Step) -> &'static str {
    match step {
        Step::Only => what(grant),
        Step::User => "login, step 1",
        Step::Customer { .. } => "login, step 2",
        Step::Code(_) => "login, step 3",
    }
}
