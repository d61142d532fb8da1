//! Who a peer is and what it may do: the access rules, the user, groups and unit of a peer, and the rules in force.
//!
//! Not here: the socket, and how the rules are written in the configuration file.

pub mod cgroup;
pub mod current;
pub mod lookups;
pub mod peer;
pub(crate) mod peer_groups;
pub mod policy;
pub mod unit;
