//! What is done in an hour is bounded, whatever goes on: requests of one purpose, readings of one profile's secrets,
//! notices of one subject.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokend::core::time::BootTime;
use tokend_proto::ProfileName;

use super::Invariants;
use super::attempts::Purpose;

const HOUR: Duration = Duration::from_secs(3600);

/// A purpose that fails is tried every 15 s at the most often, once its backoff is at its longest step: 240 times. Each
/// token that ends meanwhile brings 16 tries a second apart before its end and some 30 before those; a workspace's ends
/// four times an hour.
const REQUESTS: usize = 450;

/// As a purpose that fails, and once for each refusal of a secret.
const READINGS: usize = 300;

/// Two for each request of a name and each reading, and one for each of its tenants' that a provider asks to wait.
const NOTICES: usize = 1500;

/// Of this life of the daemon.
#[derive(Default)]
pub(super) struct Hourly {
    requests: BTreeMap<Purpose, VecDeque<BootTime>>,
    readings: BTreeMap<ProfileName, VecDeque<BootTime>>,
    notices: BTreeMap<String, VecDeque<BootTime>>,
    broken: Option<(&'static str, String)>,
    /// The most of each in an hour, over all lives.
    pub(super) most: BTreeMap<&'static str, u64>,
}

impl Hourly {
    pub(super) fn life_ended(&mut self) {
        *self = Self { most: std::mem::take(&mut self.most), ..Self::default() };
    }

    pub(super) fn request(&mut self, purpose: &Purpose, now: BootTime) {
        let times = self.requests.entry(purpose.clone()).or_default();
        let count = counted(times, now);
        self.judge("requests-an-hour", count, REQUESTS, || format!("{purpose:?}"));
    }

    /// A request has brought a token that lives so short that the next one follows soon.
    pub(super) fn excuse(&mut self, purpose: &Purpose) {
        if let Some(times) = self.requests.get_mut(purpose) {
            times.pop_back();
        }
    }

    pub(super) fn reading(&mut self, profile: &ProfileName, now: BootTime) {
        let count = counted(self.readings.entry(profile.clone()).or_default(), now);
        self.judge("readings-an-hour", count, READINGS, || profile.to_string());
    }

    pub(super) fn notice(&mut self, subject: &str, now: BootTime) {
        let count = match self.notices.get_mut(subject) {
            Some(times) => counted(times, now),
            None => counted(self.notices.entry(subject.to_owned()).or_default(), now),
        };
        self.judge("notices-an-hour", count, NOTICES, || subject.to_owned());
    }

    fn judge(&mut self, rule: &'static str, count: usize, most: usize, what: impl FnOnce() -> String) {
        let before = self.most.entry(rule).or_default();
        *before = (*before).max(count as u64);
        if count > most {
            self.broken.get_or_insert((rule, format!("{}: {count} within an hour, where {most} are the most", what())));
        }
    }
}

fn counted(times: &mut VecDeque<BootTime>, now: BootTime) -> usize {
    times.push_back(now);
    while times.front().is_some_and(|first| now.since(*first) >= HOUR) {
        times.pop_front();
    }
    times.len()
}

impl Invariants {
    /// The core has said something to the operator.
    pub(crate) fn notice(&mut self, subject: &str, now: BootTime) {
        self.hourly.notice(subject, now);
    }

    /// After each event.
    pub(crate) fn hours_are_bounded(&mut self) {
        if let Some((rule, what)) = self.hourly.broken.take() {
            self.fail(rule, what);
        }
    }
}
