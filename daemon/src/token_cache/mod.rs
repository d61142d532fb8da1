//! The token cache: published tokens, where the socket's thread reads them without a lock and without the core.
//!
//! The core's thread writes, any thread reads. A token's whole reply frame is encoded once, when it is
//! published; a reader copies it and puts its request's id in. Publishing a new token of a known name touches
//! that name alone; a name that comes or goes copies the part of the set of names that it is in.
//!
//! Not here: who may read a name (the socket asks [`crate::access::policy`]) and what to do when there is no
//! good enough token (the core).

mod entry;
mod names;
mod watchers;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokend_proto::{HealthReport, ProfileName, TokenName, WorkspaceId};

use crate::core::issued::{AccessToken, ReadMode};
use crate::core::time::{BootTime, Now};

use entry::CachedReply;
pub use entry::{Delivered, Held, Slot};
use names::Names;
pub use watchers::{Report, Subscription};

/// Workspace name to id.
type Workspaces = HashMap<Arc<str>, WorkspaceId>;

/// What the socket's thread and the core's thread share.
#[derive(Debug, Default)]
pub struct TokenCache {
    names: Names,
    directory: ArcSwap<HashMap<ProfileName, Arc<Workspaces>>>,
    topics: Arc<watchers::Topics>,
    /// Held by writers, so that none undoes what another one did. Readers never take it.
    writing: Mutex<()>,
}

impl TokenCache {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a token up in place of the one before.
    ///
    /// A token that does not fit into a frame cannot be read from here: it leaves its name without one, and
    /// reads of it go to the core.
    pub fn publish(&self, name: &TokenName, token: &Arc<AccessToken>, mode: ReadMode, now: Now) {
        let _writing = self.lock();
        let text = name.to_string();
        let posted = CachedReply::encode(token, mode, now).map(Arc::new);
        if posted.is_none() {
            tracing::error!(name = %text, "the token does not fit into a frame");
        }
        match self.slot(&text) {
            Some(slot) => slot.post(posted),
            None => {
                let slot = Slot::new(&text);
                slot.post(posted);
                self.names.insert(Arc::new(slot));
            }
        }
        self.topics.changed(&text);
    }

    /// Takes a name down.
    pub fn withdraw(&self, name: &TokenName) {
        let _writing = self.lock();
        let text = name.to_string();
        let Some(slot) = self.slot(&text) else { return };
        // A connection may still hold the slot.
        slot.post(None);
        self.names.remove(&text);
    }

    /// Replaces what is known of a profile's workspace names.
    pub fn set_directory(&self, profile: &ProfileName, tenants: Vec<(Arc<str>, WorkspaceId)>) {
        let _writing = self.lock();
        let mut directory = HashMap::clone(&self.directory.load());
        if tenants.is_empty() {
            directory.remove(profile);
        } else {
            directory.insert(profile.clone(), Arc::new(tenants.into_iter().collect()));
        }
        self.directory.store(Arc::new(directory));
    }

    /// When a name's token was last read from here; `None` if it never was since the name came up.
    #[must_use]
    pub fn last_read(&self, name: &TokenName) -> Option<BootTime> {
        self.slot(&name.to_string())?.last_read()
    }

    /// Encodes everything again after the wall clock was stepped: what a reply says in wall-clock time follows.
    pub fn rebase(&self, now: Now) {
        let _writing = self.lock();
        self.names.for_each(|slot| slot.rebase(now));
    }

    /// The slot of a name in its canonical spelling.
    #[must_use]
    pub fn slot(&self, text: &str) -> Option<Arc<Slot>> {
        self.names.get(text)
    }

    /// The tenant that has this workspace name, as far as is known.
    #[must_use]
    pub fn tenant(&self, profile: &ProfileName, workspace_name: &str) -> Option<WorkspaceId> {
        self.directory.load().get(profile)?.get(workspace_name).copied()
    }

    /// Begins to watch a name, whether or not there is a token of it.
    #[must_use]
    pub fn watch(&self, name: &TokenName) -> Subscription {
        self.topics.watch(name)
    }

    /// Says how a name is doing to those who watch it.
    pub fn report(&self, name: &TokenName, report: HealthReport) {
        self.topics.report(name, report);
    }

    /// Wakes watchers whenever there is something new for them. Never ends; one task of their own thread runs it.
    pub async fn wake_watchers(&self) {
        self.topics.wake_watchers().await;
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        // A writer that panicked has swapped in a whole set or none.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
