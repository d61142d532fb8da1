//! Chains: what was received is kept, and none is given up that the provider still has.

use std::collections::BTreeMap;

use tokend::core::record::{
    ChainKey, ChainRecord, ChainState, LostCause, Record, RecordKey, Restored, RestoredContent,
};
use tokend_proto::{Fingerprint, Secret};

use super::Invariants;
use crate::machine::{DAY, MINUTE, Machine, Time};
use sandbox::Provider;

/// Ages of a chain at which the operator is warned: 7, 3 and 1 days before its end.
const WARNINGS: [Time; 3] = [7 * DAY, 11 * DAY, 13 * DAY];

/// A warning is not late, or early, by less.
const TOLERANCE: Time = 2 * MINUTE;

/// What becomes of a refresh token.
#[derive(Debug, Clone, Default)]
pub(super) struct Fate {
    issued: Time,
    spent: Option<Spent>,
    /// A request with it had an outcome that nobody knows.
    doubtful: bool,
}

/// By whom a refresh token was spent, and what became of the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spent {
    /// By a daemon that was gone before the reply.
    ByTheDead,
    /// The reply has not arrived, so far.
    ReplyLost,
    /// The reply has arrived, but the daemon was gone before its bytes were on disk.
    DiedWithIt,
    /// The reply has arrived.
    Delivered,
}

/// A pair that was received and is not durable.
#[derive(Debug, Clone)]
struct Owed {
    pair: Fingerprint,
    /// The refresh token that it was got for.
    with: Option<Fingerprint>,
    since: Time,
}

/// What is known of a chain.
#[derive(Debug, Clone, Default)]
pub(super) struct ChainView {
    /// The newest refresh token that was durable.
    pub(super) last: Option<(Fingerprint, Secret)>,
    /// It was in flight when it was last looked at.
    in_flight: bool,
    dead: bool,
    /// Its record was damaged, and no pair is durable since.
    pub(super) rotten: bool,
    owed: Option<Owed>,
    /// A crash has left this refresh token on disk: the next daemon has to find it.
    on_disk: Option<Fingerprint>,
}

/// Why a chain is dead, in truth.
pub(crate) type Death = &'static str;

impl Invariants {
    /// A refresh token has come into the world.
    pub(crate) fn born(&mut self, token: &Secret, at: Time) {
        self.fates.entry(Fingerprint::of(token)).or_insert_with(|| Fate { issued: at, ..Fate::default() });
    }

    /// The provider has spent a refresh token.
    pub(crate) fn spent(&mut self, token: &Secret, orphan: bool) {
        let spent = if orphan { Spent::ByTheDead } else { Spent::ReplyLost };
        self.fates.entry(Fingerprint::of(token)).or_default().spent = Some(spent);
    }

    /// The daemon that waits for what this token was spent for is gone.
    pub(crate) fn orphaned(&mut self, token: &Secret) {
        if let Some(fate) = self.fates.get_mut(&Fingerprint::of(token))
            && fate.spent == Some(Spent::ReplyLost)
        {
            fate.spent = Some(Spent::ByTheDead);
        }
    }

    /// A request with this token has ended, nobody knows how.
    pub(crate) fn doubt(&mut self, token: &Secret) {
        self.fates.entry(Fingerprint::of(token)).or_default().doubtful = true;
    }

    /// The provider has definitely refused this token, and the daemon knows.
    pub(crate) fn was_refused(&mut self, token: &Secret) {
        self.refused.insert(Fingerprint::of(token));
    }

    /// Tokens of this client were taken back.
    pub(crate) fn take_back(&mut self, client: &str) {
        *self.taken_back.entry(client.to_owned()).or_default() += 1;
    }

    /// The daemon has received a pair; from now on it must not lose it but by a crash.
    pub(crate) fn pair_received(
        &mut self,
        key: &ChainKey,
        with: Option<&Secret>,
        pair: &Secret,
        at: Time,
        received: Time,
    ) {
        self.born(pair, at);
        let with = with.map(Fingerprint::of);
        let stays = with == Some(Fingerprint::of(pair));
        if let Some(fate) = with.filter(|_| !stays).and_then(|with| self.fates.get_mut(&with)) {
            fate.spent = Some(Spent::Delivered);
        }
        let view = self.chains.entry(key.clone()).or_default();
        let owed = Owed { pair: Fingerprint::of(pair), with, since: received };
        if let Some(Owed { pair: lost, .. }) = view.owed.replace(owed) {
            self.fail("pair-kept", format!("{}: refresh token {lost} was received and never stored", key.profile));
        }
    }

    /// Whether a pair was received before that time and is not durable.
    pub(crate) fn owes(&self, before: Time) -> Option<&ChainKey> {
        let owes = |view: &ChainView| view.owed.as_ref().is_some_and(|owed| owed.since < before);
        self.chains.iter().find(|(_, view)| owes(view)).map(|(key, _)| key)
    }

    /// A daemon has come to its end after the bytes of this record were fsynced.
    pub(crate) fn is_on_disk(&mut self, key: &ChainKey, record: &ChainRecord) {
        let view = self.chains.entry(key.clone()).or_default();
        view.on_disk = record.refresh_token.as_ref().map(Fingerprint::of);
    }

    /// What the next daemon has found.
    pub(crate) fn restored(&mut self, restored: &[Restored], rotten: &[RecordKey]) {
        let found: BTreeMap<&ChainKey, &RestoredContent> = restored
            .iter()
            .filter_map(|restored| match &restored.key {
                RecordKey::Chain(key) if !rotten.contains(&restored.key) => Some((key, &restored.content)),
                _ => None,
            })
            .collect();
        let mut missed = Vec::new();
        for (key, view) in &mut self.chains {
            let Some(pair) = view.on_disk.take() else { continue };
            let is_there = match found.get(key) {
                Some(RestoredContent::Newest(Record::Chain(record))) => {
                    record.refresh_token.as_ref().map(Fingerprint::of) == Some(pair)
                }
                Some(_) => false,
                None => rotten.contains(&RecordKey::Chain(key.clone())),
            };
            if !is_there {
                missed.push(format!("{}: {pair} was on disk at the crash and is not found", key.profile));
            }
        }
        for what in missed {
            self.fail("pair-on-disk", what);
        }
    }

    /// The daemon is gone, and with it what it had not stored; but of these chains it is not known yet.
    pub(crate) fn forget_what_was_owed(&mut self, afloat: &[ChainKey]) {
        for (key, view) in &mut self.chains {
            if !afloat.contains(key)
                && let Some(Owed { with: Some(with), .. }) = view.owed.take()
                && let Some(fate) = self.fates.get_mut(&with)
            {
                fate.spent = Some(Spent::DiedWithIt);
            }
            if let Some((last, _)) = view.last.as_ref().filter(|_| view.in_flight)
                && let Some(fate) = self.fates.get_mut(last)
            {
                fate.doubtful = true;
            }
        }
    }

    /// The record of this chain was found damaged. What is left of it is what the daemon can go on with, and what it is
    /// judged by from now on.
    pub(crate) fn rotted(&mut self, key: &ChainKey, left: Option<&ChainRecord>) {
        let view = self.chains.entry(key.clone()).or_default();
        view.rotten = true;
        let token = left.and_then(|record| record.refresh_token.as_ref());
        view.dead &= token.is_none();
        view.last = token.map(|token| (Fingerprint::of(token), token.clone()));
    }

    /// The operator is warned of a chain's end.
    pub(crate) fn warned(&mut self, profile: &str, misdated: Option<Time>, at: Time) {
        self.warned.insert(profile.to_owned(), at);
        let last = |view: &ChainView| self.fates.get(&view.last.as_ref()?.0).map(|fate| fate.issued);
        let of_profile = self.chains.iter().filter(|(key, _)| key.profile.as_str() == profile);
        let due = |issued: Time| issued + WARNINGS[0] < at + TOLERANCE || misdated >= Some(issued);
        if !of_profile.filter_map(|(_, view)| last(view)).any(due) {
            self.fail("warning-in-time", format!("{profile}: warned of the end of its chain, which is not near"));
        }
    }

    /// Whether the operator was warned of the end of a chain in time, by a daemon that runs since `started`.
    pub(crate) fn warnings(&mut self, key: &ChainKey, token: &Secret, started: Time, misdated: Option<Time>, at: Time) {
        let Some(issued) = self.fates.get(&Fingerprint::of(token)).map(|fate| fate.issued) else { return };
        let due = WARNINGS.iter().map(|age| issued + age).filter(|due| due + TOLERANCE < at).max();
        let Some(due) = due.map(|due| due.max(started)).filter(|due| due + TOLERANCE < at) else { return };
        let warned = self.warned.get(key.profile.as_str()).copied().unwrap_or_default();
        if misdated < Some(issued) && warned + TOLERANCE < due {
            self.fail("warning-in-time", format!("{}: nobody was warned that its chain ends", key.profile));
        }
    }

    /// A chain's record has changed, or may have. Says why the chain is dead, if it just died.
    pub(crate) fn review(
        &mut self,
        key: &ChainKey,
        record: &ChainRecord,
        provider: &Provider,
        machine: &Machine,
        at: Time,
    ) -> Option<Death> {
        let mut view = self.chains.remove(key).unwrap_or_default();
        let death = self.review_view(key, &mut view, record, provider, machine, at);
        self.chains.insert(key.clone(), view);
        death
    }

    fn review_view(
        &mut self,
        key: &ChainKey,
        view: &mut ChainView,
        record: &ChainRecord,
        provider: &Provider,
        machine: &Machine,
        at: Time,
    ) -> Option<Death> {
        view.in_flight = matches!(record.state, ChainState::InFlight { .. });
        let token = record.refresh_token.as_ref().map(|token| (Fingerprint::of(token), token.clone()));
        if let Some((fingerprint, _)) = &token {
            if !self.fates.contains_key(fingerprint) {
                self.fail(
                    "record-true",
                    format!("{}: its record holds refresh token {fingerprint}, which nobody gave", key.profile),
                );
            }
            let changed = view.last.as_ref().is_some_and(|(last, _)| last != fingerprint);
            if view.owed.as_ref().is_some_and(|owed| owed.pair == *fingerprint) {
                view.owed = None;
                view.rotten = false;
            } else if changed {
                self.fail(
                    "record-true",
                    format!("{}: its record holds {fingerprint}, which was not received for it", key.profile),
                );
            }
        }
        let why = match &record.state {
            ChainState::Lost { why, .. } => Some(Some(*why)),
            ChainState::AwaitingLogin { .. } => Some(None),
            _ => None,
        };
        let died = why.is_some() && !view.dead;
        view.dead = why.is_some();
        let death = match (why, &view.last) {
            (Some(why), Some((last, text))) if died => {
                let (last, text) = (*last, text.clone());
                Some(self.judge(key, view, last, &text, why, provider, machine, at))
            }
            _ => None,
        };
        if token.is_some() {
            view.last = token;
        }
        death
    }

    #[expect(clippy::too_many_arguments, reason = "all that a judgement is made of")]
    fn judge(
        &mut self,
        key: &ChainKey,
        view: &ChainView,
        token: Fingerprint,
        text: &Secret,
        why: Option<LostCause>,
        provider: &Provider,
        machine: &Machine,
        at: Time,
    ) -> Death {
        if why == Some(LostCause::RecordUnreadable) {
            self.fail("chain-given-up", format!("{}: given up as unreadable, which it was not", key.profile));
        }
        if provider.can_refresh(at, text.expose()) {
            self.fail(
                "chain-given-up",
                format!("{}: given up ({why:?}) though the provider would take {token}", key.profile),
            );
        }
        if !self.refused.contains(&token) {
            self.fail(
                "chain-given-up",
                format!("{}: given up ({why:?}) though {token} was never refused", key.profile),
            );
        }
        if view.owed.is_some() {
            self.fail("chain-given-up", format!("{}: given up ({why:?}) though a new pair was received", key.profile));
        }
        let fate = self.fates.get(&token).cloned().unwrap_or_default();
        let old = at.saturating_sub(fate.issued) >= 14 * DAY;
        let taken_back = self.taken_back.contains_key(&key.client_id);
        let (death, causes): (Death, &[LostCause]) = match fate.spent {
            Some(Spent::ByTheDead) => ("reply to a dead daemon", &[LostCause::ReplyLost]),
            Some(Spent::DiedWithIt) => ("crash before the fsync", &[LostCause::ReplyLost]),
            Some(Spent::ReplyLost) => ("reply lost", &[LostCause::ReplyLost]),
            Some(Spent::Delivered) if view.rotten => ("damaged record", &[LostCause::ReplyLost]),
            Some(Spent::Delivered) => {
                self.fail(
                    "chain-given-up",
                    format!("{}: {token} was replaced, the reply arrived, and yet it is given up", key.profile),
                );
                ("reply received", &[])
            }
            None if old => ("14 days", &[LostCause::Expired]),
            None if taken_back => ("revoked", &[LostCause::Revoked]),
            None => {
                self.fail("chain-given-up", format!("{}: {token} is dead and nobody killed it", key.profile));
                ("no reason", &[])
            }
        };
        // Whatever became of it before: after 14 days nothing else is needed.
        let causes = if old { &[causes, &[LostCause::Expired]].concat() } else { causes };
        let doubted = (fate.doubtful || view.rotten) && why == Some(LostCause::ReplyLost);
        // Its age in days is the wall clock's, once the machine has rebooted.
        let misdated =
            machine.has_misdated(fate.issued) && matches!(why, Some(LostCause::Expired | LostCause::Revoked));
        if let Some(why) = why
            && !causes.contains(&why)
            && !doubted
            && !misdated
        {
            self.fail("cause-of-loss", format!("{}: said to be lost as {why:?}, and it was: {death}", key.profile));
        }
        death
    }
}
