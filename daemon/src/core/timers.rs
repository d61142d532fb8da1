//! When what has to be looked at again.

use std::collections::{BTreeMap, BTreeSet};

use tokend_proto::{ProfileName, TokenName};

use super::id::WaiterId;
use super::record::ChainKey;
use super::time::BootTime;

/// Something that has to be looked at when its time comes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    Name(TokenName),
    /// In a box, so that it does not make all the others as large as itself: of names there may be very many.
    Chain(Box<ChainKey>),
    Listing(ProfileName),
    Waiter(WaiterId),
    /// Records that are to follow a step of the wall clock.
    Clock,
}

/// One time per alarm, in order.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    order: BTreeSet<(BootTime, Alarm)>,
    /// Of all but names, which keep theirs themselves.
    times: BTreeMap<Alarm, BootTime>,
}

impl Alarms {
    /// Of anything but a name.
    pub(super) fn set(&mut self, alarm: Alarm, at: Option<BootTime>) {
        debug_assert!(!matches!(alarm, Alarm::Name(_)), "names keep their times themselves");
        let before = match at {
            Some(at) => self.times.insert(alarm.clone(), at),
            None => self.times.remove(&alarm),
        };
        self.change(before, at, || alarm.clone());
    }

    /// Of a name, whose time was `before`.
    pub(super) fn change(&mut self, before: Option<BootTime>, at: Option<BootTime>, alarm: impl Fn() -> Alarm) {
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, alarm()));
        }
        if let Some(at) = at {
            self.order.insert((at, alarm()));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn first(&self) -> Option<BootTime> {
        self.order.first().map(|(at, _)| *at)
    }

    pub(super) fn pop_due(&mut self, now: BootTime) -> Option<Alarm> {
        if self.first()? > now {
            return None;
        }
        let (_, alarm) = self.order.pop_first()?;
        self.times.remove(&alarm);
        Some(alarm)
    }
}
