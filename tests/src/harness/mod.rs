//! The real daemon and the real command line, started as processes against a sandbox provider on loopback.
//!
//! [`World`] is a sandbox, a temporary folder and a configuration; [`Daemon`] a running `tokend`; [`Ctl`] runs
//! `tokenctl`. Whatever is started here is ended here, by its own handle.

mod binaries;
mod ctl;
mod daemon;
mod wait;
mod world;

pub use binaries::Binaries;
pub use ctl::{Ctl, Ran};
pub use daemon::Daemon;
pub use wait::{PATIENCE, timed, until};
pub use world::{Outage, ProfileText, World};
