//! A provider to play with: it imitates every endpoint of SSO, GreenLake and Classic Central that tokend speaks to, and
//! the token endpoints of ClearPass and of a server that keeps to RFC 6749.
//!
//! [`Provider`] is a pure state machine: `handle(now, request)` gives an [`Outcome`] and nothing else happens. It has
//! no clock, no sockets and no randomness of its own, so a simulation can run it in virtual time, clone it and replay
//! it from a seed. [`Sandbox`] puts it behind HTTP on loopback, and [`program`] is the one that does so for a person.
//!
//! Where the real provider's behaviour is not certain, [`Quirks`] can play it both ways. What an operator does in the
//! web interface (a Download Token, revoking, resetting credentials) are plain methods, and [`admin`] offers them over
//! HTTP. [`FaultRule`]s make it misbehave.
//!
//! What is *not* here: TLS, users with roles, and any API beyond one protected endpoint of each family.

pub mod admin;
mod api;
mod call;
mod central;
mod classic;
mod coding;
mod ending;
mod endpoint;
mod faults;
mod greenlake;
mod http;
mod limits;
mod log;
mod login;
mod mint;
mod oauth2;
mod operator;
mod oracle;
mod population;
pub mod program;
mod provider;
mod server;
mod settings;
mod state;
mod tenants;

pub use ending::{Coding, Ending, OddHead, Unended};
pub use endpoint::Endpoint;
pub use faults::{Fault, FaultRule, Odd, RetryHint, RuleId, Saying, Stage, Times, catalog};
pub use http::{Request, Response};
pub use limits::{Per, RateLimits};
pub use log::{Entry, Log};
pub use operator::{Credentials, DownloadToken, OperatorError};
pub use population::Population;
pub use provider::{Outcome, Provider};
pub use server::{Sandbox, StartError};
pub use settings::{DeadSubject, Lives, OffsetCounts, Quirks, RefusedBody};
pub use state::ChainId;

/// Milliseconds since the Unix epoch. In virtual time any origin will do, as only `created_at` shows it.
pub type Now = u64;

/// So many seconds later. An operator may ask for a life that has no end.
fn later(now: Now, seconds: u64) -> Now {
    now.saturating_add(seconds.saturating_mul(1000))
}
