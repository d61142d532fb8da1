//! How long the parts of a request may take.

use std::time::Duration;

use crate::core::provider::LOGIN_STEPS;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// Until there is a connection, names resolved and TLS agreed. Shorter than `whole`: see
    /// [`super::classify::transport`].
    pub(super) connect: Duration,
    /// Until the last byte of the answer.
    pub(super) whole: Duration,
    /// After that, for what has arrived but was not looked at yet: see [`super::deadline`].
    pub(super) grace: Duration,
    /// Between the steps of a login.
    pub(super) login_pause: Duration,
    /// From its first step to the begin of its last.
    pub(super) login_steps: Duration,
}

impl Timing {
    pub(super) const PRODUCTION: Self = Self {
        connect: Duration::from_secs(5),
        whole: Duration::from_secs(30),
        grace: Duration::from_secs(1),
        // One step a second is the provider's limit.
        login_pause: Duration::from_secs(1),
        login_steps: LOGIN_STEPS,
    };
}
