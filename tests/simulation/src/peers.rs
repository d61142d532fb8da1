//! Peers: they read, wait, leave, complain rightly and wrongly, come in crowds and sweep through tenants.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokend::access::policy::{Access, PeerIdentity};
use tokend::core::id::{Asker, WaiterId};
use tokend::core::input::{Input, Question};
use tokend::core::issued::{AccessToken, ReadMode};
use tokend::core::query::{Query, View};
use tokend::core::report::page::{Page, Part, Reader};
use tokend::core::settings::Kind;
use tokend_proto::{Fingerprint, Flags, Health, NameStatus, ProfileName, TokenName, TokenRef, WorkspaceId};

use super::Kept;
use super::access::{Act, peer};
use super::daemon::{Open, OpenKind};
use super::engine::{Event, Simulation};
use super::journal::Entry;
use super::machine::SECOND;

/// Mean time from one thing that a peer does to the next.
const BUSTLE: u64 = 100 * SECOND;

/// Reads wait for a Classic refresh on the wire for so long.
const HOLD: Duration = Duration::from_secs(2);

/// Tokens of a name that peers remember.
const REMEMBERED: usize = 3;

/// A page with room for all that there is, for root: what a peer may see of it is judged here.
pub(super) fn everything<K>() -> Box<Page<K>> {
    let reader = Reader { access: Arc::new(Access::new(Vec::new(), 0)), peer: PeerIdentity::default() };
    Box::new(Page { reader, after: None, room: usize::MAX })
}

/// What peers know.
#[derive(Default)]
pub(super) struct Peers {
    remembered: BTreeMap<TokenName, VecDeque<Fingerprint>>,
    /// Tenants that the provider no longer lists, and which may still have their names.
    pub(super) gone: usize,
}

impl Peers {
    pub(super) fn got(&mut self, name: &TokenName, token: &AccessToken) {
        let tokens = self.remembered.entry(name.clone()).or_default();
        if tokens.back() != Some(&token.fingerprint) {
            tokens.push_back(token.fingerprint);
            if tokens.len() > REMEMBERED {
                tokens.pop_front();
            }
        }
    }

    pub(super) fn strangers(&self) -> usize {
        self.gone
    }
}

impl Simulation {
    /// One peer does something.
    pub(super) fn peer(&mut self) {
        let small = self.plan.kept == Kept::One;
        let pause = self.rng.pause(if small { 4 * BUSTLE } else { BUSTLE });
        self.after(pause, Event::Peer);
        if self.daemon.is_none() {
            return;
        }
        if self.phase.gateway_gone {
            self.warnings_are_given();
        }
        let uid = self.rng.between(1000, 1003) as u32;
        match self.rng.between(0, 999) {
            0..700 => {
                let (name, min_ttl, wait) = (self.some_name(), self.some_ttl(), self.some_wait());
                self.read(name, min_ttl, wait, uid);
            }
            700..800 => self.complain(uid),
            800..860 => self.leave(),
            860..870 if !small => self.crowd(),
            870..880 => self.sweep(),
            880..920 => self.ask_for_tenants(uid),
            _ => self.ask_for_status(uid),
        }
    }

    /// As the socket does it: from the board if that will do, else the core is asked.
    pub(super) fn read(&mut self, name: TokenName, min_ttl: Duration, wait: Duration, uid: u32) {
        if !self.lets(uid, &name, Act::Read) {
            return;
        }
        let now = self.machine.boot(self.at);
        let Some(daemon) = &mut self.daemon else { return };
        if let Some(slot) = daemon.board.get_mut(&name)
            && slot.mode != ReadMode::Ask
            && slot.token.expires > now
            && slot.token.left(now) >= min_ttl
        {
            slot.last_read = Some(now);
            let flags = if slot.mode == ReadMode::Serve { Flags::NONE } else { Flags::RENEWING };
            let token = Arc::clone(&slot.token);
            self.journal.note(self.at, Entry::Read { name: name.clone(), token: token.fingerprint });
            return self.give(uid, &name, &token, flags, min_ttl);
        }
        let question = Question::Get { name: name.clone(), min_ttl, wait };
        self.put(Some(name), uid, question, OpenKind::Get);
    }

    /// The API refused a token, or a peer says so.
    fn complain(&mut self, uid: u32) {
        let name = self.some_name();
        let board = self.daemon.as_ref().and_then(|daemon| daemon.board.get(&name)).map(|slot| Arc::clone(&slot.token));
        let truthful = self.rng.chance(0.6);
        if truthful {
            if let Some(token) = board
                && !self.world.provider.accepts(self.at, token.access_token.expose())
            {
                self.reject(&name, token.fingerprint, uid);
            }
            return;
        }
        let remembered: Vec<Fingerprint> =
            self.peers.remembered.get(&name).map(|tokens| tokens.iter().copied().collect()).unwrap_or_default();
        if let Some(fingerprint) = self.rng.pick(&remembered).copied() {
            self.reject(&name, fingerprint, uid);
        }
    }

    pub(super) fn reject(&mut self, name: &TokenName, fingerprint: Fingerprint, uid: u32) {
        let question = Question::Reject { name: name.clone(), fingerprint, min_ttl: Duration::ZERO };
        self.ask(Some(name.clone()), uid, question, OpenKind::Reject(fingerprint));
    }

    /// A question, if the rules allow it.
    pub(super) fn ask(&mut self, name: Option<TokenName>, uid: u32, question: Question, kind: OpenKind) {
        let act = match &question {
            Question::Refresh { .. } | Question::Import { .. } => Act::Admin,
            _ => Act::Read,
        };
        if name.as_ref().is_none_or(|name| self.lets(uid, name, act)) {
            self.put(name, uid, question, kind);
        }
    }

    /// A question to the core, with what it may expect.
    fn put(&mut self, name: Option<TokenName>, uid: u32, question: Question, kind: OpenKind) {
        let now = self.machine.boot(self.at);
        self.waiters += 1;
        let waiter = WaiterId(self.waiters);
        let seconds = Duration::from_secs;
        let (what, min_ttl, wait) = match &question {
            Question::Get { min_ttl, wait, .. } => ("get", *min_ttl, *wait),
            Question::Reject { min_ttl, .. } => ("reject", *min_ttl, seconds(10)),
            Question::Watch { .. } => unreachable!("nobody asks for this here"),
            Question::Refresh { .. } => ("refresh", Duration::ZERO, seconds(40)),
            Question::Import { .. } => ("import", Duration::ZERO, seconds(40)),
            Question::Resolve { .. } => ("resolve", Duration::ZERO, seconds(10)),
            Question::Tenants { .. } => ("tenants", Duration::ZERO, seconds(10)),
        };
        let Some(daemon) = &mut self.daemon else { return };
        if let (OpenKind::Refresh, Some(name)) = (kind, &name)
            && let Some(profile) = daemon.applied.profiles.get(&name.profile)
        {
            self.invariants.is_wanted_now(&name.profile, &profile.client_id);
        }
        let mut unwanted = None;
        if let Some(name) = &name {
            self.journal.note(self.at, Entry::Asked { waiter: waiter.0, what, name: name.clone() });
            let fingerprint = match kind {
                OpenKind::Reject(fingerprint) => Some(fingerprint),
                OpenKind::Refresh => daemon.board.get(name).map(|slot| slot.token.fingerprint),
                _ => None,
            };
            if let Some(slot) = daemon.board.get(name).filter(|slot| slot.token.left(now) < min_ttl) {
                self.invariants.wants_more(name, slot.token.fingerprint);
            }
            if let Some(fingerprint) = fingerprint
                && daemon.board.get(name).is_some_and(|slot| slot.token.fingerprint == fingerprint)
            {
                self.invariants.complaint(name, fingerprint);
                self.invariants.complained_at(name, fingerprint, now);
                unwanted = Some(fingerprint);
            }
        }
        let wait = match &question {
            // Whatever is on the wire: reads of a Classic token that is good wait no longer than that.
            Question::Get { name, .. } if daemon.serves_classic(name, now + HOLD) => wait.min(HOLD),
            _ => wait,
        };
        let tenants_of = match &question {
            Question::Tenants { profile, .. } | Question::Resolve { profile, .. } => Some(profile.clone()),
            _ => name.as_ref().filter(|name| name.tenant.is_some()).map(|name| name.profile.clone()),
        };
        daemon.opened(waiter, Open { uid, name, tenants_of, min_ttl, deadline: now + wait, kind, unwanted });
        let asker = Asker { uid, superuser: uid == 0 };
        self.tell(Input::Ask { waiter, asker, question });
    }

    pub(super) fn ask_for_status(&mut self, uid: u32) {
        let now = self.machine.now(self.at);
        let Some(daemon) = &self.daemon else { return };
        let found = daemon.core.query(now, &Query::Status { page: everything() });
        let Ok(View::Status(Part { entries: names, .. })) = found else {
            return self.invariants.fail("answered-at-once", format!("a page of status is {found:?}"));
        };
        let known = names.iter().filter_map(|status| status.name.parse::<TokenRef>().ok()?.canonical());
        let seen = known.filter(|name| self.judged(uid, name, Act::Read)).count();
        self.journal.note(self.at, Entry::Listed { seen, of: names.len() });
        self.heard(&names);
    }

    /// A peer that waits goes away.
    fn leave(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let waiting: Vec<WaiterId> = daemon.open.keys().copied().collect();
        if let Some(waiter) = self.rng.pick(&waiting).copied() {
            daemon.closed(waiter);
            self.journal.note(self.at, Entry::Left(waiter.0));
            self.tell(Input::Leave(waiter));
        }
    }

    /// Hundreds at once, for one name or for any.
    fn crowd(&mut self) {
        let count = self.rng.between(20, 400);
        let same = self.rng.chance(0.7).then(|| self.some_name());
        for _ in 0..count {
            let name = same.clone().unwrap_or_else(|| self.some_name());
            let (min_ttl, uid) = (self.some_ttl(), self.rng.between(1000, 1200) as u32);
            self.read(name, min_ttl, Duration::from_secs(10), uid);
        }
    }

    /// One peer reads every tenant of a workspace, as fast as it can.
    fn sweep(&mut self) {
        let workspaces: Vec<ProfileName> = self.world.tenants.keys().cloned().collect();
        let Some(profile) = self.rng.pick(&workspaces).cloned() else { return };
        for (index, tenant) in self.world.tenants[&profile].clone().into_iter().enumerate() {
            let name = TokenName { profile: profile.clone(), tenant: Some(tenant) };
            self.after(20 * index as u64, Event::Sweep(name));
        }
    }

    fn ask_for_tenants(&mut self, uid: u32) {
        let profile = self.some_name().profile;
        let access = self.daemon.as_ref().map(|daemon| &daemon.access);
        if access.is_none_or(|access| !access.may_read_some_tenant(&peer(uid), &profile)) {
            return;
        }
        let workspace_name = *self.rng.pick(&["Tenant 0", "Tenant 2", "Nobody"]).expect("some");
        let question = match self.rng.chance(0.5) {
            true => Question::Tenants { profile, page: everything() },
            false => Question::Resolve { profile, workspace_name: workspace_name.into() },
        };
        self.ask(None, uid, question, OpenKind::Other);
    }

    fn some_name(&mut self) -> TokenName {
        let profiles: Vec<&ProfileName> = self.world.good.profiles.keys().collect();
        let profile = (*self.rng.pick(&profiles).expect("some")).clone();
        let tenant = match self.world.tenants.get(&profile) {
            Some(tenants) if self.rng.chance(0.6) => self.rng.pick(tenants).copied(),
            _ => None,
        };
        match self.rng.between(0, 49) {
            0 => TokenName::from("nobody".parse::<ProfileName>().expect("a name")),
            1 => TokenName { profile, tenant: "00000000000000000000000000000bad".parse::<WorkspaceId>().ok() },
            _ => TokenName { profile, tenant },
        }
    }

    fn some_ttl(&mut self) -> Duration {
        let seconds = match self.rng.between(0, 9) {
            0..6 => 0,
            6..8 => self.rng.between(1, 300),
            _ => self.rng.between(300, 8000),
        };
        Duration::from_secs(seconds)
    }

    fn some_wait(&mut self) -> Duration {
        let seconds = match self.rng.between(0, 9) {
            0 => 0,
            1..9 => 10,
            _ => self.rng.between(1, 600),
        };
        Duration::from_secs(seconds)
    }

    fn is_classic(&self, profile: &ProfileName) -> bool {
        let known = self.world.file.profiles.get(profile);
        known.is_some_and(|profile| matches!(profile.kind, Kind::Classic { .. }))
    }

    /// What the operator reads in the status makes it act, in calm weather.
    fn heard(&mut self, names: &[NameStatus]) {
        if !self.phase.is_calm() {
            return;
        }
        let needs = |health| match health {
            Health::ChainLost | Health::ChainEmpty => true,
            // Perhaps of an import that is of another client.
            Health::Rejected => true,
            _ => false,
        };
        let needy = names.iter().filter(|name| needs(name.health));
        let needy: Vec<ProfileName> =
            needy.filter_map(|name| name.name.parse().ok()).filter(|name| self.is_classic(name)).collect();
        for profile in needy {
            self.after(SECOND, Event::Import(profile));
        }
        // A chain whose answers were not complete is left alone for up to an hour, unless somebody asks.
        let incomplete =
            |name: &&NameStatus| name.last_error.as_ref().is_some_and(|error| error.contains("brought no"));
        let incomplete: Vec<ProfileName> =
            names.iter().filter(incomplete).filter_map(|name| name.name.parse().ok()).collect();
        for profile in incomplete {
            let name = TokenName::from(profile);
            self.ask(Some(name.clone()), 0, Question::Refresh { name }, OpenKind::Refresh);
        }
    }
}
