//! Readings of secrets: they have a pace of their own, whatever they are wanted for.
//!
//! After one that brought no client secret the next follows with the backoff of a name without a token; between any two
//! there is half a second. A reload, an import and an operator's refresh cut that short.

use std::collections::BTreeMap;
use std::time::Duration;

use tokend::core::provider::{ProviderRequest, RequestId, SecretVersion, SecretVersions};
use tokend::core::time::BootTime;
use tokend_proto::ProfileName;

use super::Invariants;

/// Between two readings, whatever the first one brought.
const LEAST: Duration = Duration::from_millis(500);

/// The longest step of the backoff.
const LONGEST_STEP: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Reading {
    under_way: bool,
    /// Somebody wanted another one meanwhile.
    again: bool,
    ended: Option<BootTime>,
    /// In a row.
    failures: u32,
    known: Vec<SecretVersion>,
    /// Times that what is known has changed, or that a person may have changed it.
    changes: u64,
}

/// Of this life of the daemon.
#[derive(Default)]
pub(super) struct Secrets {
    readings: BTreeMap<ProfileName, Reading>,
    /// What had changed when a request was sent.
    sent: BTreeMap<RequestId, u64>,
    /// The same for the request that was answered last.
    landed: Option<(RequestId, u64)>,
}

impl Secrets {
    /// The secrets that this request, which was answered just now, had one of, if they are the same.
    pub(super) fn known(&self, request: &ProviderRequest) -> Option<Vec<SecretVersion>> {
        let reading = self.readings.get(&request.profile.name)?;
        (self.landed == Some((request.id, reading.changes))).then(|| reading.known.clone())
    }

    pub(super) fn sent(&mut self, request: &ProviderRequest) {
        let changes = self.readings.get(&request.profile.name).map_or(0, |reading| reading.changes);
        self.sent.insert(request.id, changes);
    }

    pub(super) fn landed(&mut self, request: &ProviderRequest) {
        self.landed = self.sent.remove(&request.id).map(|changes| (request.id, changes));
    }

    pub(super) fn starts_afresh(&mut self, profile: &ProfileName) {
        let reading = self.readings.entry(profile.clone()).or_default();
        reading.again = reading.under_way;
        reading.ended = None;
        reading.failures = 0;
        reading.changes += 1;
    }

    pub(super) fn all_start_afresh(&mut self) {
        for profile in self.readings.keys().cloned().collect::<Vec<_>>() {
            self.starts_afresh(&profile);
        }
    }
}

impl Invariants {
    /// The core wants the secrets of a profile read.
    pub(crate) fn reads_secrets(&mut self, profile: &ProfileName, now: BootTime) {
        self.hourly.reading(profile, now);
        let reading = self.secrets.readings.entry(profile.clone()).or_default();
        reading.under_way = true;
        let again = std::mem::take(&mut reading.again);
        let Some(ended) = reading.ended.filter(|_| !again) else { return };
        let step = Duration::from_secs(1 << reading.failures.saturating_sub(1).min(5)).min(LONGEST_STEP);
        let (least, failures) = (LEAST.max(step / 2), reading.failures);
        let pause = now.since(ended);
        *self.judged.entry("pace-of-secrets").or_default() += 1;
        if pause + Duration::from_millis(1) < least {
            let what = format!("{profile}: secrets are read {pause:?} after reading {failures} that brought none");
            self.fail("pace-of-secrets", what);
        }
    }

    /// What the reading brought.
    pub(crate) fn secrets_are_read(&mut self, profile: &ProfileName, versions: &SecretVersions, now: BootTime) {
        let reading = self.secrets.readings.entry(profile.clone()).or_default();
        reading.under_way = false;
        reading.ended = Some(now);
        let brought = !versions.client_secrets.is_empty();
        if !reading.again {
            reading.failures = if brought { 0 } else { reading.failures + 1 };
        }
        if reading.known != versions.client_secrets {
            reading.known.clone_from(&versions.client_secrets);
            reading.changes += 1;
        }
    }
}
