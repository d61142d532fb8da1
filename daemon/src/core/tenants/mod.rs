//! Tenants of an MSP's workspace: their list, their parent's token, and those that somebody asked for.

pub(super) mod listing;
pub(super) mod on_demand;
pub(super) mod parent;
