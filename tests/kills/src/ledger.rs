//! The provider's log held against what was on disk: whether each refusal is explained by a kill.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tokend_proto::Fingerprint;

use super::report::Report;
use super::snapshot::Snapshot;
use sandbox::{Endpoint, Entry, Now, Provider};

/// A request of a daemon that is dead by now may be read so many milliseconds later by a provider that is busy.
const LATE: u64 = 10_000;

/// A pair is in the gap from its issue to its record: the delay of the reply, 200 ms at most, and what the disk takes,
/// which is seconds beside a build. A daemon that was killed more milliseconds after the issue should have stored it.
const LONGEST_GAP: u64 = 10_000;

/// One life of the daemon.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub(super) started: Now,
    pub(super) killed: Now,
}

/// What is known of one Classic client.
#[derive(Debug, Default, Clone)]
pub(super) struct Client {
    /// Its first chain may begin with a login.
    pub(super) begins_by_login: bool,
    /// Refresh tokens that were refused, each explained by a kill or reported.
    pub(super) refusals: u64,
    /// Logins that were begun.
    pub(super) logins: u64,
    /// Tokens that logins brought.
    pub(super) login_tokens: u64,
    /// A kill cut a login off.
    pub(super) login_cut_off: bool,
    /// When it was last granted a pair.
    pub(super) last_pair: Option<Now>,
}

struct Pair {
    issued: Now,
    access: Option<Fingerprint>,
}

/// Everything seen so far.
#[derive(Default)]
pub(super) struct Ledger {
    read: u64,
    clients: BTreeMap<String, Client>,
    /// What each refresh token was spent on.
    spent: HashMap<Fingerprint, Pair>,
    refused: HashSet<Fingerprint>,
    /// Refresh tokens that a kill left in flight.
    in_flight: HashMap<Fingerprint, Vec<Life>>,
    /// Tokens that stood in a file of the state folder after a kill, and after the power cut that followed it.
    stored: HashSet<Fingerprint>,
    /// Those of them that the last kill left to the page cache: a power cut before the next daemon has read them
    /// takes them away.
    afloat: HashSet<Fingerprint>,
    /// Refresh tokens that stood under a temporary name alone.
    astray: HashSet<Fingerprint>,
    /// Access tokens that nobody may ever have seen.
    lost: Vec<Fingerprint>,
    open_logins: BTreeSet<String>,
}

impl Ledger {
    pub(super) fn add_client(&mut self, client_id: &str, begins_by_login: bool) {
        self.clients.insert(client_id.to_owned(), Client { begins_by_login, ..Client::default() });
    }

    pub(super) fn client(&self, client_id: &str) -> Client {
        let mut client = self.clients.get(client_id).cloned().unwrap_or_default();
        client.login_cut_off = self.open_logins.contains(client_id);
        client
    }

    /// Access tokens that were issued in a gap.
    pub(super) fn lost(&self) -> &[Fingerprint] {
        &self.lost
    }

    /// A daemon was killed and left this behind.
    pub(super) fn killed(&mut self, life: Life, snapshot: Snapshot, power_cut: bool, report: &mut Report) {
        report.violations.extend(snapshot.problems.into_iter().map(|problem| format!("after a kill: {problem}")));
        report.amid_rotation += u64::from(snapshot.rotations > 0);
        for sent in snapshot.in_flight {
            self.in_flight.entry(sent).or_default().push(life);
        }
        let afloat = std::mem::take(&mut self.afloat);
        if power_cut {
            self.stored.retain(|token| !afloat.contains(token));
        } else {
            self.afloat = snapshot.tokens.all.difference(&self.stored).copied().collect();
        }
        self.stored.extend(snapshot.tokens.all);
        report.left_astray += snapshot.tokens.astray.len() as u64;
        self.astray.extend(snapshot.tokens.astray);
        self.open_logins.extend(snapshot.open_logins);
    }

    /// Reads on in the provider's log.
    pub(super) fn read(&mut self, provider: &Provider, report: &mut Report) {
        let new = provider.log().entries().rev().take_while(|entry| entry.seq > self.read);
        let new: Vec<Entry> = new.cloned().collect();
        for entry in new.into_iter().rev() {
            self.read = entry.seq;
            self.enter(&entry, report);
        }
    }

    fn enter(&mut self, entry: &Entry, report: &mut Report) {
        let Some(client) = entry.client_id.as_ref().and_then(|id| self.clients.get_mut(id)) else { return };
        match (entry.endpoint, entry.status) {
            (Endpoint::ClassicRefresh, Some(200)) => {
                report.rotations += 1;
                client.last_pair = Some(entry.at);
                if let Some(presented) = entry.presented {
                    report.came_back += u64::from(self.astray.remove(&presented));
                    self.spent.insert(presented, Pair { issued: entry.at, access: entry.issued });
                }
            }
            (Endpoint::ClassicRefresh, Some(400)) => self.refusal(entry, report),
            (Endpoint::ClassicCode, Some(200)) => {
                client.login_tokens += 1;
                client.last_pair = Some(entry.at);
            }
            (Endpoint::Login, Some(200)) => {
                report.logins += 1;
                client.logins += 1;
                let allowed = client.refusals > 0 || client.begins_by_login;
                if !allowed || client.logins > 1 {
                    let (logins, refusals) = (client.logins, client.refusals);
                    report.violations.push(format!("login {logins} of a client after {refusals} refusals: {entry:?}"));
                }
            }
            (Endpoint::Authorize, Some(200)) => {}
            _ => report.violations.push(format!("the provider refused what should not have been asked: {entry:?}")),
        }
    }

    /// A refresh token was refused. That is right once only, after its pair was lost in a gap.
    fn refusal(&mut self, entry: &Entry, report: &mut Report) {
        let Some(presented) = entry.presented else { return };
        if !self.refused.insert(presented) {
            return; // asked again, because a kill came before it could be noted down
        }
        if let Some(client) = entry.client_id.as_ref().and_then(|id| self.clients.get_mut(id)) {
            client.refusals += 1;
        }
        let unexplained = match self.spent.get(&presented) {
            None => "the token was never spent".to_owned(),
            Some(pair) if pair.access.is_some_and(|access| self.stored.contains(&access)) => {
                "its pair was in the state folder, and is lost all the same".to_owned()
            }
            Some(pair) => {
                let lives = self.in_flight.get(&presented).map(Vec::as_slice).unwrap_or_default();
                let lost_in = lives.iter().find(|life| {
                    (life.started..=life.killed + LATE).contains(&pair.issued)
                        && life.killed.saturating_sub(pair.issued) <= LONGEST_GAP
                });
                if let Some(life) = lost_in {
                    report.replies_lost += 1;
                    report.longest_gap = report.longest_gap.max(life.killed.saturating_sub(pair.issued));
                    self.lost.extend(pair.access);
                    return;
                }
                format!("its pair was issued at {}, and no kill came soon after: {lives:?}", pair.issued)
            }
        };
        report.violations.push(format!("an unexplained loss: {unexplained}: {entry:?}"));
    }
}
