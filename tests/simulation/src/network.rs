//! The way to the provider and back: delay, loss on either way, no way at all.

use std::collections::BTreeMap;

use tokend::core::provider::{Grant, ProviderRequest, RequestId};
use tokend_proto::Secret;

use super::machine::{SECOND, Time};
use super::rng::Rng;
use super::wire::{Step, Texts};

/// The daemon's limit for a whole request, and for a connection.
pub(super) const WHOLE: Time = 30 * SECOND;
pub(super) const CONNECT: Time = 5 * SECOND;

/// Names a request over all lives of the daemon.
pub(super) type FlightId = (u64, RequestId);

/// A request of the daemon, from its sending to its answer.
pub(super) struct Flight {
    pub(super) request: ProviderRequest,
    pub(super) texts: Texts,
    pub(super) step: Step,
    /// When the first step was begun.
    pub(super) sent: Time,
    /// When the step was begun.
    pub(super) begun: Time,
    /// When the provider handled it.
    pub(super) handled: Option<Time>,
    /// The refresh token in the answer that is on its way.
    pub(super) offered: Option<Secret>,
    /// The daemon that sent it is gone.
    pub(super) orphan: bool,
}

impl Flight {
    /// What it spends.
    pub(super) fn refresh_token(&self) -> Option<&Secret> {
        match &self.request.grant {
            Grant::Refresh { refresh_token, .. } => Some(refresh_token),
            _ => None,
        }
    }
}

/// How the network is.
#[derive(Default)]
pub(super) struct Network {
    pub(super) flights: BTreeMap<FlightId, Flight>,
    /// Chance that a request is lost on its way.
    pub(super) loss_before: f64,
    /// Chance that its answer is.
    pub(super) loss_after: f64,
    /// There is no way to the provider.
    pub(super) partition: bool,
    /// Longest delay of each way.
    pub(super) slowness: Time,
}

impl Network {
    pub(super) fn new() -> Self {
        Self { slowness: 200, ..Self::default() }
    }

    pub(super) fn calm(&mut self) {
        self.loss_before = 0.0;
        self.loss_after = 0.0;
        self.partition = false;
        self.slowness = 200;
    }

    pub(super) fn delay(&self, rng: &mut Rng) -> Time {
        rng.between(5, self.slowness.max(5))
    }
}
