//! The calls that a program makes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokend_proto::{Explanation, Fingerprint, Imported, Peer, Reloaded, Renewed, Secret, Tenant};

use super::connection::Connection;
use crate::{Builder, Error, Rights, Status, Token, TokenOptions, calls, paging};

/// A way to the daemon, shared by all its clones. Calls block their thread; those of several threads do not wait
/// for each other.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) path: PathBuf,
    pub(super) settings: Builder,
    pub(super) was_connected: AtomicBool,
    pub(super) last_id: AtomicU64,
    /// The connection of the call that ended last, for the next one.
    pub(super) kept: Mutex<Option<Connection>>,
}

impl Builder {
    /// The client that needs no runtime. It connects when it is first used.
    #[must_use]
    pub fn build_blocking(self) -> Client {
        Client::new(self.path(), self)
    }
}

impl Client {
    /// A client of the daemon at the usual socket; see [`socket_path`](crate::socket_path).
    #[must_use]
    pub fn from_env() -> Self {
        Self::builder().build_blocking()
    }

    /// A client with other settings; [`Builder::build_blocking`] makes it.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A client of the daemon at this socket, with which it has spoken once.
    ///
    /// # Errors
    /// When nobody answers there.
    pub fn connect(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let client = Self::builder().socket(path).build_blocking();
        client.ping()?;
        Ok(client)
    }

    fn new(path: PathBuf, settings: Builder) -> Self {
        let (was_connected, last_id, kept) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(None));
        Self { inner: Arc::new(Inner { path, settings, was_connected, last_id, kept }) }
    }

    /// The socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The newest token of `PROFILE` or `PROFILE/TENANT`.
    ///
    /// # Errors
    /// When there is none within the client's `wait`, or this process may not have it.
    pub fn token(&self, name: &str) -> Result<Token, Error> {
        self.token_with(name, TokenOptions::default())
    }

    /// The newest token, with a wish for its life and a limit to waiting.
    ///
    /// # Errors
    /// As [`Client::token`].
    pub fn token_with(&self, name: &str, options: TokenOptions) -> Result<Token, Error> {
        self.ask(calls::get(name, options, self.wait())?)
    }

    /// Another token in place of one with which a call was answered 401. If it was replaced already, that is
    /// the current one, and nothing is asked of the provider.
    ///
    /// # Errors
    /// As [`Client::token`]; and with [`ErrorCode::Throttled`](crate::ErrorCode::Throttled) when tokens of
    /// this name are rejected too often.
    pub fn reject(&self, token: &Token) -> Result<Token, Error> {
        self.reject_fingerprint(token.name(), token.fingerprint(), token.min_ttl())
    }

    /// As [`Client::reject`], for a token of which only the fingerprint is at hand.
    ///
    /// # Errors
    /// As [`Client::reject`].
    pub fn reject_fingerprint(&self, name: &str, fingerprint: Fingerprint, min_ttl: Duration) -> Result<Token, Error> {
        self.ask(calls::reject(name, fingerprint, min_ttl, self.wait())?)
    }

    /// How one name, or every name that this process may read, is doing.
    ///
    /// # Errors
    /// When the daemon does not answer, or does not know or show the name.
    pub fn status(&self, name: Option<&str>) -> Result<Status, Error> {
        self.ask(paging::status(name, self.wait())?)
    }

    /// As [`crate::Client::explain`]: why a name is as it is, what the daemon does next and why then.
    ///
    /// # Errors
    /// As [`Client::status`] of one name. [`Error::Unsupported`]: the daemon is of a version that does not explain.
    pub fn explain(&self, name: &str) -> Result<Explanation, Error> {
        self.ask(calls::explain(name, self.wait())?)
    }

    /// The tenants of a GreenLake MSP workspace, by the order of their ids.
    ///
    /// # Errors
    /// When the profile is no such workspace, or its list cannot be had.
    pub fn tenants(&self, profile: &str) -> Result<Vec<Tenant>, Error> {
        self.ask(paging::tenants(profile, self.wait())?)
    }

    /// Renews a name now. Needs `admin` for it.
    ///
    /// # Errors
    /// When it could not be renewed. [`Error::Disconnected`]: it may have been.
    pub fn refresh(&self, name: &str) -> Result<Renewed, Error> {
        self.ask(calls::refresh(name, self.wait())?)
    }

    /// Starts a Classic chain from a refresh token. Needs `admin` for the profile.
    ///
    /// # Errors
    /// When the provider refuses it. [`Error::Disconnected`]: it may have been taken; the same one may be
    /// imported again, which then changes nothing.
    pub fn import(&self, profile: &str, refresh_token: &Secret) -> Result<Imported, Error> {
        self.ask(calls::import(profile, refresh_token, self.wait())?)
    }

    /// Has the daemon read its configuration again. For root and the daemon's own user.
    ///
    /// # Errors
    /// When the new configuration does not validate: the old one stays.
    pub fn reload(&self) -> Result<Reloaded, Error> {
        self.ask(calls::reload(self.wait()))
    }

    /// What the daemon sees of this process, and what it may do.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub fn whoami(&self) -> Result<Peer, Error> {
        self.ask(calls::whoami(self.wait()))
    }

    /// As [`Client::whoami`], with the names that there are.
    ///
    /// # Errors
    /// When the daemon does not answer. [`Error::Unsupported`]: it is of a version that only knows
    /// [`Client::whoami`].
    pub fn rights(&self) -> Result<Rights, Error> {
        self.ask(paging::rights(self.wait()))
    }

    /// The daemon's version.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub fn ping(&self) -> Result<String, Error> {
        self.ask(calls::ping(self.wait()))
    }

    fn wait(&self) -> Duration {
        self.inner.settings.wait
    }
}
