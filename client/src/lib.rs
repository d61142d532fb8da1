//! The thin client of tokend: fresh access tokens from the daemon on this machine.
//!
//! ```no_run
//! # async fn example() -> Result<(), tokend_client::Error> {
//! let client = tokend_client::Client::from_env();
//! let token = client.token("campus").await?;
//! // … and when an API call with it was answered 401:
//! let token = client.reject(&token).await?;
//! # Ok(()) }
//! ```
//!
//! A [`Client`] is one connection that any number of tasks share: requests are multiplexed, replies come in
//! any order. It connects when it is first used, again when the daemon was restarted, and lets go of the
//! connection when it was idle for some minutes.
//!
//! **When the connection breaks** in the middle of a call, what may safely be asked twice is asked again
//! within the caller's `wait`: reads, and also [`Client::reject`], because a rejection names its token by
//! fingerprint, so that a repeated one can never cost a newer token. [`Client::refresh`],
//! [`Client::import`] and [`Client::reload`] answer [`Error::Disconnected`] instead: whether the daemon
//! has acted is not known.
//!
//! Not here: a command line, TLS, a cache (the daemon is the cache), and the decision when to renew.

mod backoff;
mod builder;
mod call;
mod client;
mod connection;
mod driver;
mod error;
mod paging;
mod socket;
mod token;

pub use builder::Builder;
pub use client::{Client, Rights, Status, TokenOptions};
pub use error::{DaemonError, Error, ProtocolError};
pub use socket::socket_path;
pub use token::Token;

pub use tokend_proto::{
    ChainStatus, ErrorCode, Fingerprint, Health, Imported, NameError, NameRights, NameStatus, Peer, Reloaded, Renewed,
    Secret, Stamp, Tenant,
};
