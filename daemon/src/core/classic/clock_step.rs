//! The records and the wall clock. In one boot only boot time counts, whatever the wall clock does; after a reboot the
//! wall clock alone tells how long ago something was. So what is recorded follows the clock's steps: those that are
//! noticed, and those that happened while there was no daemon. And of a record of another boot the clock is asked once,
//! when it is read: from then on it holds moments of this boot, most of them before its beginning.

use std::collections::BTreeSet;
use std::time::Duration;

use super::state::{Chain, Quota, Send, Work, Written, quota_key};
use crate::core::Core;
use crate::core::activity::Activity;
use crate::core::effect::Severity;
use crate::core::egress::queue::Job;
use crate::core::record::{ChainKey, ChainRecord, ChainState, LostCause, QuotaKey, QuotaRecord, Record, RecordKey};
use crate::core::time::{BootId, DurableTime, Now};
use crate::core::timers::Alarm;

/// A step of the wall clock that is no drift, in milliseconds.
const STEP: i64 = 1000;

/// What may have gone unnoticed: less than a step before the last start, and less than one since. By so much what is
/// known by the wall clock alone is taken for older or younger, whichever does no harm.
const UNNOTICED: i64 = 2 * STEP;

/// A record that could not be written after a step is tried again after this time at the earliest.
const AGAIN: Duration = Duration::from_secs(60);

/// A record that has to wait, because the space that it takes is reserved for another, is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Core {
    /// Whether the wall clock was stepped since records last went by it.
    pub(in crate::core) fn watch_wall_clock(&mut self, now: Now) {
        let ahead = now.wall_ahead();
        if (ahead - self.wall_ahead).abs() < i128::from(STEP) {
            return;
        }
        self.wall_ahead = ahead;
        self.quotas.values_mut().for_each(|quota| quota.rebase_at = Some(now.boot));
        self.chains.values_mut().for_each(|chain| chain.rebase_at = Some(now.boot));
        self.alarms.set(Alarm::Clock, Some(now.boot));
    }

    /// Something was begun that a record's new times had to wait for, and has ended.
    pub(in crate::core) fn rebase_soon(&mut self, is_due: bool) {
        if is_due {
            self.alarms.set(Alarm::Clock, Some(crate::core::time::BootTime::default()));
        }
    }

    /// Writes what is due to be written with new times.
    pub(in crate::core) fn rebase(&mut self, now: Now) {
        let due = |chain: &Chain| chain.rebase_at.is_some_and(|at| at <= now.boot);
        let chains: Vec<ChainKey> = self.chains.iter().filter(|(_, c)| due(c)).map(|(key, _)| key.clone()).collect();
        for key in &chains {
            let chain = &self.chains[key];
            if matches!(chain.work, Work::Queued(Send::Login)) && matters(chain) {
                // It begins again afterwards, with space of its own.
                self.forget_queued(key);
                self.rest(key);
            }
        }
        let due = |quota: &Quota| !quota.writing && quota.rebase_at.is_some_and(|at| at <= now.boot);
        let quotas: Vec<QuotaKey> = self.quotas.iter().filter(|(_, q)| due(q)).map(|(key, _)| key.clone()).collect();
        for key in quotas {
            self.rebase_quota(now, &key);
        }
        let reserved = self.reserved_for_logins();
        for key in chains {
            self.rebase_chain(now, &key, &reserved);
        }
        let of_quotas = self.quotas.values().map(|quota| quota.rebase_at);
        let later = of_quotas.chain(self.chains.values().map(|chain| chain.rebase_at)).flatten();
        self.alarms.set(Alarm::Clock, later.filter(|at| *at > now.boot).min());
    }

    /// An idle chain is about to begin something. Whether its record is written with new times first.
    pub(in crate::core) fn rebases_first(&mut self, now: Now, key: &ChainKey) -> bool {
        let due = self.chains.get(key).is_some_and(|chain| chain.rebase_at.is_some_and(|at| at <= now.boot));
        due && {
            let reserved = self.reserved_for_logins();
            self.rebase_chain(now, key, &reserved)
        }
    }

    fn rebase_quota(&mut self, now: Now, key: &QuotaKey) {
        let boot_id = self.boot_id;
        let Some(quota) = self.quotas.get_mut(key) else { return };
        quota.rebase_at = None;
        rebase_attempts(&mut quota.record, now, boot_id);
        if quota.record.attempts.iter().any(|attempt| !attempt.is_over(now, boot_id)) {
            self.write_quota(key);
        }
    }

    /// Whether the record is being written now. What is on the wire or about to become durable is left alone: the
    /// record is due until that has ended.
    fn rebase_chain(&mut self, now: Now, key: &ChainKey, reserved: &BTreeSet<QuotaKey>) -> bool {
        let boot_id = self.boot_id;
        let Some(chain) = self.chains.get_mut(key) else { return false };
        if !matters(chain) {
            chain.rebase_at = None;
            return false;
        }
        let queued = match chain.work {
            Work::Idle | Work::Secrets => None,
            Work::Queued(send) => Some(send),
            _ => return false,
        };
        if reserved.contains(&quota_key(key)) {
            chain.rebase_at = Some(now.boot + LOOK_AGAIN);
            return false;
        }
        chain.work = Work::Rebasing(queued);
        let mut record = chain.record.clone();
        rebase_record(&mut record, now, boot_id);
        let (revision, purpose) = (chain.revision, Written::Restamped(key.clone(), Box::new(record.clone())));
        self.egress.remove(&Job::Chain(key.clone()));
        self.write(RecordKey::Chain(key.clone()), revision, Some(Record::Chain(record)), purpose);
        if let Some(name) = self.name_of(key) {
            self.set_activity(&name, Activity::Chain);
        }
        true
    }

    pub(in crate::core) fn rebased(
        &mut self,
        now: Now,
        key: &ChainKey,
        record: ChainRecord,
        result: Result<(), String>,
    ) {
        let Some(chain) = self.chains.get_mut(key) else { return };
        let Work::Rebasing(queued) = chain.work else { return };
        match result {
            Ok(()) => chain.is_written(record, self.wall_ahead),
            Err(problem) => {
                chain.rebase_at = Some(now.boot + AGAIN);
                let message = format!("its times could not be recorded again after a step of the clock: {problem}");
                self.notice(Severity::Warning, &key.profile, message);
            }
        }
        match queued {
            Some(send) => self.queue_chain(key, send),
            None => self.rest(key),
        }
    }

    /// Clients with a login under way: the space that is reserved for its pair is not to be taken by another record.
    fn reserved_for_logins(&self) -> BTreeSet<QuotaKey> {
        let busy = self.quotas.iter().filter(|(_, quota)| quota.busy.is_some()).map(|(key, _)| key.clone());
        let keeping = self.chains.iter().filter(|(_, chain)| matches!(chain.work, Work::Keeping(_)));
        busy.chain(keeping.map(|(key, _)| quota_key(key))).collect()
    }

    /// A quota that could not be written.
    pub(in crate::core) fn rebase_quota_later(&mut self, now: Now, key: &QuotaKey) {
        if let Some(quota) = self.quotas.get_mut(key) {
            quota.rebase_at = Some(now.boot + AGAIN);
            self.rebase_soon(true);
        }
    }
}

impl Chain {
    /// Its record is durable, with times by a wall clock that was so far ahead of boot time, or stepped since.
    pub(in crate::core) fn is_written(&mut self, record: ChainRecord, wall_ahead: i128) {
        let is_current = |mark: DurableTime| (mark.wall_ahead() - wall_ahead).abs() < i128::from(STEP);
        if times(&record).into_iter().flatten().all(is_current) {
            self.rebase_at = None;
        }
        self.record = record;
        self.revision.0 += 1;
    }
}

/// Whether its record has times that something may be decided by. A token that has expired is no exception: by a clock
/// that was set back it would be alive again.
fn matters(chain: &Chain) -> bool {
    let is_read = !matches!(chain.record.state, ChainState::Lost { why: LostCause::RecordUnreadable, .. });
    chain.revision.0 > 0 && is_read && chain.record.rotated.is_some()
}

/// Takes over a chain's record as read. Whether it is to be written with other times than it was.
pub(in crate::core) fn restore_chain(record: &mut ChainRecord, now: Now, boot_id: BootId) -> bool {
    if record.issued().is_some_and(|issued| issued.boot_id != boot_id && now.wall <= issued.wall) {
        record.access = None; // the wall clock is not to be trusted: how old the token is cannot be said
    }
    let before = record.clone();
    rebase_record(record, now, boot_id);
    let differ =
        |(one, other): (Option<DurableTime>, Option<DurableTime>)| one.zip(other).is_some_and(|(a, b)| differs(a, b));
    times(&before).into_iter().zip(times(record)).any(differ)
}

/// The like of the record before a damaged one. It may have been written before a step that the other one followed.
pub(in crate::core) fn restore_previous(record: &mut ChainRecord, now: Now, boot_id: BootId) {
    if record.issued().is_some_and(|issued| issued.boot_id != boot_id) {
        record.access = None;
    }
    rebase_record(record, now, boot_id);
}

/// Takes over a quota's record as read. Whether it is to be written with other times than it was.
pub(in crate::core) fn restore_quota(record: &mut QuotaRecord, now: Now, boot_id: BootId) -> bool {
    let before = record.clone();
    rebase_attempts(record, now, boot_id);
    before.attempts.iter().zip(&record.attempts).any(|(before, after)| differs(before.at, after.at))
}

/// A chain's record with the times that it would have if it were made now: a token is rather taken for too old.
pub(in crate::core) fn rebase_record(record: &mut ChainRecord, now: Now, boot_id: BootId) {
    let rebase = |time: &mut DurableTime| *time = time.rebased(now, boot_id, UNNOTICED);
    record.rotated.iter_mut().for_each(rebase);
    record.access.iter_mut().flat_map(|access| &mut access.issued).for_each(rebase);
    match &mut record.state {
        ChainState::InFlight { since, .. } | ChainState::AwaitingLogin { since } | ChainState::Lost { since, .. } => {
            rebase(since);
        }
        ChainState::Empty | ChainState::Settled => {}
    }
}

/// The like of a quota: a login is rather taken for too young.
fn rebase_attempts(record: &mut QuotaRecord, now: Now, boot_id: BootId) {
    for attempt in &mut record.attempts {
        attempt.at = attempt.at.rebased(now, boot_id, -UNNOTICED);
    }
}

/// All times that a chain's record holds.
fn times(record: &ChainRecord) -> [Option<DurableTime>; 3] {
    [record.rotated, record.access.as_ref().and_then(|access| access.issued), since(&record.state)]
}

fn since(state: &ChainState) -> Option<DurableTime> {
    match state {
        ChainState::InFlight { since, .. } | ChainState::AwaitingLogin { since } | ChainState::Lost { since, .. } => {
            Some(*since)
        }
        ChainState::Empty | ChainState::Settled => None,
    }
}

fn differs(one: DurableTime, other: DurableTime) -> bool {
    one.boot_id != other.boot_id || one.wall.0.abs_diff(other.wall.0) >= STEP.unsigned_abs()
}
