//! The real daemon and the real command line, started as processes against a sandbox provider on loopback.
//!
//! [`World`] is a sandbox, a temporary folder and a configuration; [`Daemon`] a running `tokend`; [`Ctl`] runs
//! `tokenctl`; [`Peer`] speaks frames and [`reading`] has peers that read in a loop; [`Api`] calls the provider's APIs;
//! [`Procfs`] looks into a process and [`Frozen`] holds up one thread of it.
//! Whatever is started here is ended here, by its own handle.

mod api;
mod clock;
mod ctl;
mod daemon;
mod descriptors;
mod frozen;
mod peer;
mod procfs;
pub mod reading;
pub mod stop;
mod stopwatch;
mod wait;
mod world;

pub use api::Api;
pub use binaries::{Binaries, BuildError};
pub use clock::boot_ms;
pub use ctl::{Ctl, Ran, Running};
pub use daemon::Daemon;
pub use descriptors::raise_descriptor_limit;
pub use frozen::Frozen;
pub use peer::Peer;
pub use procfs::{Procfs, copies, processes_of};
pub use stopwatch::Stopwatch;
pub use wait::{PATIENCE, timed, until, within};
pub use world::{Outage, ProfileText, World};
