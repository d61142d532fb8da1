//! Who may read what: rules as people mean them, to judge by, and the same as the daemon has them.

use std::cell::OnceCell;

use tokend::access::policy::{Access, Pattern, PeerIdentity, Rule};
use tokend::access::unit::{NoUnit, PeerUnit};
use tokend_proto::{ProfileName, TokenName, WorkspaceId};

use super::engine::Simulation;
use super::journal::Entry;
use super::rng::Rng;

/// The user that the daemon runs as.
const DAEMON: u32 = 990;

const UNIT: &str = "exporter.service";

/// Whom a rule is for.
#[derive(Debug, Clone, PartialEq)]
enum Whom {
    User(u32),
    Group(u32),
    Unit,
}

/// Which names it gives.
#[derive(Debug, Clone, PartialEq)]
enum What {
    Profile(ProfileName),
    Profiles,
    Tenants(ProfileName),
    Tenant(ProfileName, WorkspaceId),
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AccessRule {
    whom: Whom,
    what: Vec<What>,
    admin: bool,
}

/// What a peer wants to do with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Read,
    Admin,
}

/// The process behind a user's number: its groups and its unit follow from it.
pub(super) fn peer(uid: u32) -> PeerIdentity {
    let unit = if uid.is_multiple_of(3) {
        Ok(PeerUnit { name: UNIT.to_owned(), slices: vec!["system.slice".to_owned()] })
    } else {
        Err(NoUnit::NotInOne)
    };
    PeerIdentity { uid, gid: 3000 + uid % 2, groups: vec![3010 + uid % 4], pid: 1, unit: OnceCell::from(unit) }
}

/// Some rules, or none: then everybody may read everything.
pub(super) fn some_rules(names: &[TokenName], rng: &mut Rng) -> Vec<AccessRule> {
    let count = if rng.chance(0.4) { 0 } else { rng.between(2, 5) };
    let mut rules = Vec::new();
    for _ in 0..count {
        let whom = match rng.between(0, 3) {
            0 => Whom::User(1000 + rng.between(0, 3) as u32),
            1 => Whom::Group(3000 + rng.between(0, 1) as u32),
            2 => Whom::Group(3010 + rng.between(0, 3) as u32),
            _ => Whom::Unit,
        };
        let what = (0..rng.between(1, 3)).map(|_| some_names(names, rng)).collect();
        rules.push(AccessRule { whom, what, admin: rng.chance(0.2) });
    }
    rules
}

fn some_names(names: &[TokenName], rng: &mut Rng) -> What {
    let name = rng.pick(names).expect("there are profiles").clone();
    match (rng.between(0, 3), name.tenant) {
        (0, _) => What::Profiles,
        (1, Some(tenant)) => What::Tenant(name.profile, tenant),
        (2, _) => What::Tenants(name.profile),
        _ => What::Profile(name.profile),
    }
}

/// As the daemon has them.
pub(super) fn in_force(rules: &[AccessRule]) -> Access {
    let text = |what: &What| match what {
        What::Profile(profile) => profile.to_string(),
        What::Profiles => "*".to_owned(),
        What::Tenants(profile) => format!("{profile}/*"),
        What::Tenant(profile, tenant) => format!("{profile}/{tenant}"),
    };
    let rule = |rule: &AccessRule| {
        let profiles = rule.what.iter().map(|what| text(what).parse::<Pattern>().expect("a pattern")).collect();
        let mut made = Rule { profiles, admin: rule.admin, ..Rule::default() };
        match rule.whom {
            Whom::User(uid) => made.users.push(uid),
            Whom::Group(gid) => made.groups.push(gid),
            Whom::Unit => made.units.push(UNIT.parse().expect("a unit")),
        }
        made
    };
    Access::new(rules.iter().map(rule).collect(), DAEMON)
}

/// What the rules mean.
fn allows(rules: &[AccessRule], peer: &PeerIdentity, name: &TokenName, act: Act) -> bool {
    if matches!(peer.uid, 0 | DAEMON) || (rules.is_empty() && act == Act::Read) {
        return true;
    }
    let is_for = |whom: &Whom| match whom {
        Whom::User(uid) => peer.uid == *uid,
        Whom::Group(gid) => peer.gid == *gid || peer.groups.contains(gid),
        Whom::Unit => matches!(peer.unit.get(), Some(Ok(_))),
    };
    let gives = |what: &What| match what {
        What::Profile(profile) => name.profile == *profile && name.tenant.is_none(),
        What::Profiles => name.tenant.is_none(),
        What::Tenants(profile) => name.profile == *profile && name.tenant.is_some(),
        What::Tenant(profile, tenant) => name.profile == *profile && name.tenant == Some(*tenant),
    };
    let rules = rules.iter().filter(|rule| is_for(&rule.whom) && (rule.admin || act == Act::Read));
    rules.flat_map(|rule| &rule.what).any(gives)
}

impl Simulation {
    /// Asks the daemon's rules, as the socket does.
    pub(super) fn lets(&mut self, uid: u32, name: &TokenName, act: Act) -> bool {
        let lets = self.judged(uid, name, act);
        if !lets {
            self.totals.denied += 1;
            self.journal.note(self.at, Entry::Denied { uid, name: name.clone() });
        }
        lets
    }

    /// The same, for one of many names in a list; what the daemon's rules say is held against what they mean.
    pub(super) fn judged(&mut self, uid: u32, name: &TokenName, act: Act) -> bool {
        let Some(daemon) = &self.daemon else { return false };
        let peer = peer(uid);
        let lets = match act {
            Act::Read => daemon.access.may_read(&peer, name),
            Act::Admin => daemon.access.may_admin(&peer, name),
        };
        if lets != allows(&daemon.applied.rules, &peer, name, act) {
            let said = if lets { "lets" } else { "does not let" };
            self.invariants
                .fail("access-rules", format!("the daemon {said} user {uid} {act:?} {name}, against its rules"));
        }
        lets
    }

    /// A peer is given something of a name: it has to be allowed now, whenever it asked.
    pub(super) fn is_given(&mut self, uid: u32, name: &TokenName) {
        let Some(daemon) = &self.daemon else { return };
        if !allows(&daemon.applied.rules, &peer(uid), name, Act::Read) {
            self.invariants.fail("access-rules", format!("user {uid} was given {name}, which the rules deny"));
        }
    }
}
