//! Classic chains: refresh tokens that change at every use, their records, log-ins and imports.

pub(super) mod chain;
pub(super) mod clock_step;
pub(super) mod import;
pub(super) mod login;
pub(super) mod pair;
pub(super) mod rotation;
pub(super) mod state;
