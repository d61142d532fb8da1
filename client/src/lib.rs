//! The thin client of tokend: fresh access tokens from the daemon on this machine.
//!
//! ```no_run
//! # #[cfg(feature = "async")]
//! # async fn example() -> Result<(), tokend_client::Error> {
//! let client = tokend_client::Client::from_env();
//! let token = client.token("campus").await?;
//! // … and when an API call with it was answered 401:
//! let token = client.reject(&token).await?;
//! # Ok(()) }
//! ```
//!
//! There are two clients with the same calls and the same errors: [`Client`] for tokio (feature `async`, on by
//! default), and [`blocking::Client`] for programs without a runtime, which compile none without that feature.
//!
//! A [`Client`] is one connection that any number of tasks share: requests are multiplexed, and replies come in any
//! order. It connects at the first call, and again after the daemon was restarted. It closes a connection that was idle
//! for some minutes.
//!
//! **When the connection breaks** in the middle of a call, the client sends again, within the caller's `wait`, what is
//! safe to send twice: reads, and also [`Client::reject`], because a rejection names its token by fingerprint, so that
//! a second one cannot cost a newer token. [`Client::refresh`], [`Client::import`] and [`Client::reload`] return
//! [`Error::Disconnected`] instead: nobody knows whether the daemon has acted.
//!
//! **A token for each of many requests** comes from memory with [`Client::cached`] or [`Client::cache`], which watch
//! the daemon. [`Client::watch`] reports each new token and each change of a name's health.
//!
//! Not here: a command line, TLS, and the decision when to renew.

#[cfg(feature = "async")]
mod attempts;
mod backoff;
pub mod blocking;
mod builder;
#[cfg(feature = "async")]
mod cache;
mod calls;
#[cfg(feature = "async")]
mod client;
#[cfg(feature = "async")]
mod connection;
#[cfg(feature = "async")]
mod deadline;
mod error;
#[cfg(feature = "async")]
mod mailbox;
#[cfg(feature = "reqwest-middleware")]
mod middleware;
#[cfg(feature = "async")]
mod outgoing;
mod paging;
mod retry;
mod socket;
mod token;
#[cfg(feature = "async")]
mod watch;
mod wire;
#[cfg(feature = "async")]
mod worker;

pub use builder::Builder;
#[cfg(feature = "async")]
pub use cache::{Cache, Cached, CachedToken};
#[cfg(feature = "async")]
pub use client::Client;
pub use error::{ConnectError, DaemonError, Error, InvalidName, ProtocolError, UnsupportedError};
#[cfg(feature = "reqwest-middleware")]
pub use middleware::BearerToken;
pub use paging::{Rights, Status};
pub use socket::socket_path;
pub use token::{Token, TokenOptions};
#[cfg(feature = "async")]
pub use watch::{Change, Watch};

pub use tokend_proto::{
    ChainStatus, ErrorCode, Explanation, Fingerprint, Health, HealthReport, Imported, LoginQuota, NameError,
    NameRights, NameStatus, Peer, Reloaded, Renewed, Secret, Stamp, Tenant,
};

/// The programs in README.md: the tests of this crate compile them.
#[cfg(all(doctest, feature = "reqwest-middleware"))]
#[doc = include_str!("../../README.md")]
struct Readme;
