//! The async client: its connection, shared by all clones.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokend_proto::{Explanation, Fingerprint, Imported, Peer, Reloaded, Renewed, Secret, Tenant};
use tokio::sync::mpsc;

use crate::calls::client_methods;
use crate::outgoing::Outgoing;
use crate::worker::{QUEUE, run_worker};
use crate::{Builder, Error, Rights, Status, Token, TokenOptions, calls, paging};

/// A connection to the daemon, shared by all its clones.
///
/// Its calls need a tokio runtime with I/O and time enabled. Making a client needs none.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) path: PathBuf,
    pub(crate) settings: Builder,
    pub(crate) was_connected: Arc<AtomicBool>,
    /// How many watches there are.
    pub(crate) watches: AtomicUsize,
    last_id: AtomicU64,
    worker: Mutex<Option<mpsc::Sender<Outgoing>>>,
}

impl Builder {
    /// The client. It connects when it is first used.
    #[must_use]
    pub fn build(self) -> Client {
        Client::new(self.path(), self)
    }
}

impl Client {
    client_methods!(build, async, await);

    fn new(path: PathBuf, settings: Builder) -> Self {
        let was_connected = Arc::default();
        Self {
            inner: Arc::new(Inner {
                path,
                settings,
                was_connected,
                watches: AtomicUsize::new(0),
                last_id: AtomicU64::new(0),
                worker: Mutex::default(),
            }),
        }
    }

    /// Ids start at 1: the id 0 means the whole connection.
    pub(crate) fn next_id(&self) -> u64 {
        self.inner.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The queue of the worker. Starts a worker at the first call, and again when its runtime has ended.
    pub(crate) fn worker(&self) -> mpsc::Sender<Outgoing> {
        let mut worker = self.inner.worker.lock().unwrap_or_else(PoisonError::into_inner);
        match &*worker {
            Some(calls) if !calls.is_closed() => calls.clone(),
            _ => {
                let (calls, receiver) = mpsc::channel(QUEUE);
                tokio::spawn(run_worker(self.inner.path.clone(), receiver, Arc::clone(&self.inner.was_connected)));
                worker.insert(calls).clone()
            }
        }
    }
}
