//! To come.

pub mod secret;
