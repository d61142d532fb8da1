//! The system's certificate store. It may hang, and it may be read while it is being replaced: then it is empty or only
//! half there. So it is read again when there is doubt, and a good reading is not given up for a bad one.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::RootCertStore;
use rustls_native_certs::CertificateResult;

use crate::core::time::BootTime;
use crate::os::detached::{self, Undone};

/// How long the first reading is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long another one is waited for, before what is known is used.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

/// Where there is doubt it is read again, but not sooner than this after the reading before.
const READ_AGAIN: Duration = Duration::from_secs(60);

/// So long after a first reading that did not end it is not waited for again.
const WAIT_AGAIN: Duration = Duration::from_secs(10);

/// What the system trusts.
#[derive(Clone)]
pub(super) struct Roots {
    pub(super) store: Arc<RootCertStore>,
    /// Another one when there is anything else in it.
    pub(super) number: u64,
}

/// Of this process, whatever configuration is in force.
pub(super) struct SystemStore {
    load: Box<dyn Fn() -> CertificateResult + Send + Sync>,
    state: Mutex<State>,
    /// Held by the one that waits for a reading.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    roots: Option<Roots>,
    /// Nothing was wrong when those were read.
    good: bool,
    /// What was wrong at the last reading.
    problems: Vec<String>,
    /// It is to be read again when it is needed.
    doubted: bool,
    tried: Option<BootTime>,
    /// When a reading was last waited for in vain.
    failed: Option<BootTime>,
}

impl SystemStore {
    /// The one that OpenSSL's variables name, or the distribution's.
    pub(super) fn of_this_process() -> Arc<Self> {
        static STORE: LazyLock<Arc<SystemStore>> =
            LazyLock::new(|| SystemStore::new(rustls_native_certs::load_native_certs));
        Arc::clone(&STORE)
    }

    fn new(load: impl Fn() -> CertificateResult + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { load: Box::new(load), state: Mutex::default(), reading: tokio::sync::Mutex::default() })
    }

    /// It is read again when it is needed next, however young it is.
    pub(super) fn read_again(&self) {
        let mut state = self.lock();
        (state.doubted, state.tried) = (true, None);
    }

    /// A server was met whose authority is not in it.
    pub(super) fn doubt(&self) {
        self.lock().doubted = true;
    }

    /// What is in it, as far as is known.
    pub(super) async fn roots(self: &Arc<Self>, now: BootTime) -> Result<Roots, Undone> {
        if let Some(known) = self.lock().known(now) {
            return known;
        }
        let _reading = self.reading.lock().await;
        let patience = {
            let mut state = self.lock();
            if let Some(known) = state.known(now) {
                return known;
            }
            (state.doubted, state.tried) = (false, Some(now));
            if state.roots.is_some() { SHORT_PATIENCE } else { PATIENCE }
        };
        let store = Arc::clone(self);
        // Whenever it ends, it is known then.
        let read = detached::within("the system's certificate store", patience, move || store.read()).await;
        let mut state = self.lock();
        state.failed = read.is_err().then_some(now);
        match &state.roots {
            Some(roots) => Ok(roots.clone()),
            None => Err(read.err().unwrap_or(Undone::Failed)),
        }
    }

    fn read(&self) {
        let CertificateResult { certs, errors, .. } = (self.load)();
        let mut store = RootCertStore::empty();
        let (usable, unusable) = store.add_parsable_certificates(certs);
        tracing::debug!(usable, unusable, "the system's certificate store is read");
        let mut problems: Vec<_> = errors
            .iter()
            .map(|error| format!("part of the system's certificate store cannot be read: {error}"))
            .collect();
        if store.is_empty() {
            let only = "the system's certificate store is empty: only a ca_file can make a provider trusted";
            problems.push(only.to_owned());
        }
        self.lock().read(store, problems);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is read is put there whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// `None` where it has to be read.
    fn known(&self, now: BootTime) -> Option<Result<Roots, Undone>> {
        let passed = |since: Option<BootTime>, time| since.is_none_or(|since| now.since(since) >= time);
        match &self.roots {
            Some(_) if self.doubted && passed(self.tried, READ_AGAIN) => None,
            Some(roots) => Some(Ok(roots.clone())),
            None if passed(self.failed, WAIT_AGAIN) => None,
            None => Some(Err(Undone::Hangs(PATIENCE))),
        }
    }

    fn read(&mut self, store: RootCertStore, problems: Vec<String>) {
        for problem in problems.iter().filter(|problem| !self.problems.contains(problem)) {
            tracing::warn!("{problem}");
        }
        let good = problems.is_empty();
        (self.doubted, self.problems) = (!good, problems);
        if self.good && !good {
            return;
        }
        self.good = good;
        let number = match &self.roots {
            Some(roots) if roots.store.roots == store.roots => return,
            Some(roots) => roots.number + 1,
            None => 1,
        };
        self.roots = Some(Roots { store: Arc::new(store), number });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const START: BootTime = BootTime(1_000_000_000_000);

    fn after(seconds: u64) -> BootTime {
        START + Duration::from_secs(seconds)
    }

    /// With so many authorities, and something wrong besides if it is not `whole`.
    fn found(authorities: usize, whole: bool) -> CertificateResult {
        let mut found = CertificateResult::default();
        found.certs = (0..authorities)
            .map(|_| {
                let mut parameters = rcgen::CertificateParams::new([]).unwrap();
                parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
                parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().clone()
            })
            .collect();
        if !whole {
            let kind = rustls_native_certs::ErrorKind::Os("the file is cut off".into());
            found.errors.push(rustls_native_certs::Error { context: "cut off", kind });
        }
        found
    }

    /// A reading waits for what it shall find.
    fn store() -> (Arc<SystemStore>, mpsc::Sender<CertificateResult>) {
        let (sender, receiver) = mpsc::channel();
        let receiver = Mutex::new(receiver);
        (SystemStore::new(move || receiver.lock().unwrap().recv().unwrap_or_default()), sender)
    }

    async fn count(store: &Arc<SystemStore>, seconds: u64) -> usize {
        store.roots(after(seconds)).await.unwrap().store.len()
    }

    #[tokio::test]
    async fn a_store_that_was_empty_or_half_there_is_read_again_and_a_good_one_is_not() {
        let (store, next) = store();
        next.send(found(0, true)).unwrap();
        assert_eq!(count(&store, 0).await, 0);
        assert_eq!(count(&store, 59).await, 0, "without a reading");
        next.send(found(1, false)).unwrap();
        assert_eq!(count(&store, 60).await, 1);
        next.send(found(2, true)).unwrap();
        assert_eq!(count(&store, 120).await, 2);
        assert_eq!(count(&store, 100_000).await, 2, "without a reading");
    }

    #[tokio::test]
    async fn doubt_makes_it_be_read_again_and_a_good_reading_is_not_given_up_for_a_bad_one() {
        let (store, next) = store();
        let whole = found(2, true);
        let mut again = CertificateResult::default();
        again.certs.clone_from(&whole.certs);
        next.send(whole).unwrap();
        let first = store.roots(START).await.unwrap();
        store.doubt();
        assert_eq!(count(&store, 59).await, 2, "without a reading");
        next.send(found(1, false)).unwrap();
        assert_eq!(count(&store, 60).await, 2);
        next.send(again).unwrap();
        let same = store.roots(after(120)).await.unwrap();
        assert_eq!(same.number, first.number, "what is made of it is kept");
        store.read_again();
        next.send(found(3, true)).unwrap();
        let other = store.roots(after(121)).await.unwrap();
        assert_eq!(other.store.len(), 3);
        assert_ne!(other.number, first.number);
    }

    #[tokio::test]
    async fn the_first_reading_is_waited_for_by_all_and_one_that_failed_not_again_and_again() {
        let (store, next) = store();
        let waiting: Vec<_> = (0..9)
            .map(|seconds| {
                let begun = Arc::clone(&store);
                tokio::spawn(async move { begun.roots(after(seconds)).await.map(|roots| roots.store.len()) })
            })
            .collect();
        while store.lock().tried.is_none() {
            tokio::task::yield_now().await;
        }
        next.send(found(2, true)).unwrap();
        for waits in waiting {
            assert_eq!(waits.await.unwrap(), Ok(2), "all wait for the first reading");
        }
        let failed = State { failed: Some(START), ..State::default() };
        let known = |seconds| failed.known(after(seconds)).map(|known| known.err());
        assert_eq!(known(9), Some(Some(Undone::Hangs(PATIENCE))));
        assert_eq!(known(10), None);
    }
}
