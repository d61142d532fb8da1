//! The real daemon and the real command line, started as processes against a sandbox provider on loopback.
//!
//! [`World`] is a sandbox, a temporary folder and a configuration; [`Daemon`] a running `tokend`; [`Ctl`] runs
//! `tokenctl`; [`Peer`] speaks frames and [`reading`] has peers that read in a loop; [`Api`] calls the provider's APIs;
//! [`Inside`] looks into a process and [`Frozen`] holds up one thread of it.
//! Whatever is started here is ended here, by its own handle.

mod api;
mod binaries;
mod clock;
mod ctl;
mod daemon;
mod frozen;
mod inside;
mod peer;
pub mod reading;
mod wait;
mod world;

pub use api::Api;
pub use binaries::{Binaries, BuildError};
pub(crate) use binaries::{cargo, executable};
pub use clock::boot_ms;
pub use ctl::{Ctl, Ran};
pub use daemon::Daemon;
pub use frozen::Frozen;
pub use inside::{Inside, copies, processes_of};
pub use peer::Peer;
pub use wait::{PATIENCE, timed, until, within};
pub use world::{Outage, ProfileText, World};
