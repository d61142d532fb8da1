//! The file store: a thread of its own that does one thing at a time, so that neither the core's loop nor the order of
//! writes depends on the disk, and a write that has begun ends, even if nobody waits for it any more.

mod calls;
mod folder;
mod leftover;
mod load;
mod lock;
pub(super) mod names;
mod replace;
mod stored;

use std::collections::HashMap;
use std::path::Path;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use self::folder::Folder;
use self::load::{load, space_of};
use self::lock::Lock;
use self::names::{Names, stem};
use self::stored::{Known, last_login, spends};
use super::envelope::{belongs, encode};
use super::state_key::StateKey;
use super::{Loaded, Store, StoreError, Subject};
use crate::core::record::{ChainKey, LoginOutcome, QuotaKey, Record, RecordKey, RecordName, Revision};

/// Writes that wait for the disk. A writer that comes later waits for a place.
const MAX_QUEUED: usize = 64;

/// One file per record in a folder of this machine, held by one daemon at a time.
///
/// Dropping it waits for what was begun, then lets go of the folder.
pub struct FileStore {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

enum Job {
    Load(oneshot::Sender<Result<Loaded, StoreError>>),
    Write {
        key: RecordKey,
        replaces: Revision,
        record: Option<Box<Record>>,
        done: oneshot::Sender<Result<(), StoreError>>,
    },
}

/// A folder that no other daemon has, and of which nothing was read yet.
pub struct LockedFolder(Shelf);

impl LockedFolder {
    /// Opens the folder, made if need be, and locks it. Records are sealed with `key` from now on if there is one.
    ///
    /// # Errors
    /// When the folder is in use, others may write to it, or it cannot be used at all.
    pub fn take(folder: &Path, key: Option<StateKey>) -> Result<Self, StoreError> {
        Shelf::open(folder, key).map(Self)
    }

    /// Starts the thread that reads and writes it.
    ///
    /// # Errors
    /// When the system has no thread.
    pub fn open(self) -> Result<FileStore, StoreError> {
        FileStore::start(self.0)
    }
}

impl FileStore {
    /// [`LockedFolder::take`] and [`LockedFolder::open`] at once.
    ///
    /// # Errors
    /// Theirs.
    pub fn open(folder: &Path, key: Option<StateKey>) -> Result<Self, StoreError> {
        LockedFolder::take(folder, key)?.open()
    }

    pub(super) fn start(mut shelf: Shelf) -> Result<Self, StoreError> {
        let (jobs, mut queue) = mpsc::channel(MAX_QUEUED);
        let path = shelf.folder.path().to_owned();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    // The caller may have gone.
                    match job {
                        Job::Load(done) => drop(done.send(shelf.load())),
                        Job::Write { key, replaces, record, done } => {
                            drop(done.send(shelf.write(&key, replaces, record.as_deref())));
                        }
                    }
                }
            })
            .map_err(|source| StoreError::io("start the thread for", path, source))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(StoreError::Stopped)?;
        jobs.send(job(done)).await.map_err(|_| StoreError::Stopped)?;
        answer.await.map_err(|_| StoreError::Stopped)?
    }
}

impl Store for FileStore {
    async fn load(&self) -> Result<Loaded, StoreError> {
        self.ask(Job::Load).await
    }

    fn name_of(key: &RecordKey) -> RecordName {
        RecordName(stem(key))
    }

    async fn write(&self, key: &RecordKey, replaces: Revision, record: Option<&Record>) -> Result<(), StoreError> {
        let (key, record) = (key.clone(), record.cloned().map(Box::new));
        self.ask(move |done| Job::Write { key, replaces, record, done }).await
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the hook.
            let _ = thread.join();
        }
    }
}

/// The folder and what is known of it. The lock makes what is known true: nobody else writes.
pub(super) struct Shelf {
    pub(super) folder: Folder,
    seal: Option<StateKey>,
    known: Option<HashMap<RecordKey, Known>>,
    _lock: Lock,
}

impl Shelf {
    pub(super) fn open(folder: &Path, seal: Option<StateKey>) -> Result<Self, StoreError> {
        let folder = Folder::open(folder)?;
        let lock = Lock::take(&folder)?;
        Ok(Self { folder, seal, known: None, _lock: lock })
    }

    pub(super) fn load(&mut self) -> Result<Loaded, StoreError> {
        let (loaded, known) = load(&self.folder, self.seal.as_ref())?;
        self.known = Some(known);
        Ok(loaded)
    }

    pub(super) fn write(
        &mut self,
        key: &RecordKey,
        replaces: Revision,
        record: Option<&Record>,
    ) -> Result<(), StoreError> {
        let known = self.known.as_ref().ok_or(StoreError::NotLoaded)?.get(key).copied();
        let found = known.map_or(Revision(0), |known| known.revision);
        if found != replaces {
            return Err(StoreError::Conflict { what: Subject(key.clone()), found, replaces });
        }
        match record {
            Some(record) => self.put(key, known, record),
            None => self.remove(key),
        }
    }

    fn put(&mut self, key: &RecordKey, known: Option<Known>, record: &Record) -> Result<(), StoreError> {
        if !belongs(key, record) {
            return Err(StoreError::WrongKind { what: Subject(key.clone()) });
        }
        let revision = Revision(known.map_or(0, |known| known.revision.0) + 1);
        let content = encode(key, revision, record, self.seal.as_ref())?;
        let spends = spends(record);
        let space = Names::of(&space_of(key));
        let reserved = spends && replace::reserve(&self.folder, &space)?;
        let keep = known.is_some_and(|known| known.intact);
        let spares = if spends { Vec::new() } else { spares_for(key) };
        let names = Names::of(key);
        let before = self.folder.identity(&names.main)?;
        if let Err(error) = replace::replace(&self.folder, &names, &content, keep, &spares) {
            if reserved {
                replace::discard(&self.folder, &space.spare);
            }
            let undone = self.folder.identity(&names.main).is_ok_and(|main| main == before);
            if let Some(known) = known.filter(|_| !undone) {
                // What has the name now was never acknowledged.
                self.remember(key, Some(Known { intact: false, ..known }));
            }
            self.keep_space(key);
            return Err(error);
        }
        if let Record::Quota(quota) = record
            && last_login(quota) == Some(LoginOutcome::Failed)
        {
            replace::discard(&self.folder, &space.spare);
        }
        self.remember(key, Some(Known { revision, intact: true, spends }));
        self.keep_space(key);
        Ok(())
    }

    fn remove(&mut self, key: &RecordKey) -> Result<(), StoreError> {
        replace::remove(&self.folder, &Names::of(key))?;
        self.remember(key, None);
        self.keep_space(key);
        if matches!(key, RecordKey::Candidate(_)) {
            let chain = space_of(key);
            let needed = self.known.as_ref().and_then(|known| known.get(&chain)).is_some_and(|known| known.spends);
            if !needed {
                replace::discard(&self.folder, &Names::of(&chain).spare);
            }
        }
        Ok(())
    }

    /// A chain that was written, or could not be, may have taken the space that is still needed: by its own reply, by
    /// an import on trial, or by the login of another chain of its client. It is too late to refuse the write if there
    /// is no more; then that reply is stored without that certainty.
    fn keep_space(&self, key: &RecordKey) {
        let RecordKey::Chain(chain) = key else { return };
        let spends = |key: &RecordKey| self.known.as_ref().and_then(|known| known.get(key)).is_some_and(|k| k.spends);
        if spends(key) || spends(&RecordKey::Candidate(chain.clone())) {
            let _ = replace::reserve(&self.folder, &Names::of(key));
        }
        let quota = quota_of(chain);
        if spends(&quota) {
            let _ = replace::reserve(&self.folder, &Names::of(&quota));
        }
    }

    fn remember(&mut self, key: &RecordKey, entry: Option<Known>) {
        let Some(known) = &mut self.known else { return };
        match entry {
            Some(entry) => known.insert(key.clone(), entry),
            None => known.remove(key),
        };
    }
}

/// Reserved space that a record may use: a chain its own, or after a login what was reserved for that.
fn spares_for(key: &RecordKey) -> Vec<String> {
    let RecordKey::Chain(chain) = key else { return Vec::new() };
    [key, &quota_of(chain)].map(|key| Names::of(key).spare).into()
}

fn quota_of(chain: &ChainKey) -> RecordKey {
    RecordKey::Quota(QuotaKey { gateway: chain.gateway.clone(), client_id: chain.client_id.clone() })
}
