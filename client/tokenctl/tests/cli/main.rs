//! The built `tokenctl` against a scripted peer: exact stdout, stderr and status.

mod errors;
mod exec;
mod get;
mod harness;
mod input;
mod peer;
mod reports;
