//! The blocking client: its settings and the connection that it keeps.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokend_proto::{Explanation, Fingerprint, Imported, Peer, Reloaded, Renewed, Secret, Tenant};

use super::connection::Connection;
use crate::calls::client_methods;
use crate::{Builder, Error, Rights, Status, Token, TokenOptions, calls, paging};

/// A client of the daemon, shared by all its clones. Calls block their thread; calls of several threads do not wait for
/// each other.
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
    /// The connection of the last call, for the next one.
    pub(super) kept: Mutex<Option<Connection>>,
}

impl Builder {
    /// The client that needs no runtime. It connects at the first call.
    #[must_use]
    pub fn build_blocking(self) -> Client {
        Client::new(self.path(), self)
    }
}

impl Client {
    client_methods!(build_blocking);

    fn new(path: PathBuf, settings: Builder) -> Self {
        let (was_connected, last_id, kept) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(None));
        Self { inner: Arc::new(Inner { path, settings, was_connected, last_id, kept }) }
    }
}
