//! Who watches which name, and how they learn that there is something new in the token cache.
//!
//! The writer of the token cache notes which watched names changed and rings once; the thread of the watchers
//! ([`Topics::wake_watchers`]) wakes them, so that a thousand of them cost the writer no more than one. What is new
//! they read themselves, so that of several changes a slow one gets the last.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use arc_swap::ArcSwapOption;
use tokend_proto::{Flags, HealthReport, Reply, TokenName, codec};
use tokio::sync::Notify;

/// All names that are watched.
#[derive(Debug, Default)]
pub(super) struct Topics {
    by_name: Mutex<HashMap<Arc<str>, Arc<Topic>>>,
    /// Those of which not all watchers know. Each is in it once at most.
    news: Mutex<Vec<Arc<Topic>>>,
    bell: Notify,
    next_watcher: AtomicU64,
}

/// One name that is watched.
#[derive(Debug)]
struct Topic {
    text: Arc<str>,
    report: ArcSwapOption<Report>,
    /// Counts what is new.
    version: AtomicU64,
    is_news: AtomicBool,
    watchers: Mutex<HashMap<u64, Option<Waker>>>,
}

/// How a name is doing, ready to be sent.
#[derive(Debug)]
pub struct Report {
    report: HealthReport,
    /// A whole frame with request id 0.
    frame: Vec<u8>,
}

/// One watcher's place; given back on drop.
#[derive(Debug)]
pub struct Subscription {
    topics: Arc<Topics>,
    topic: Arc<Topic>,
    watcher: u64,
}

impl Topics {
    /// Begins to watch a name.
    pub(super) fn watch(self: &Arc<Self>, name: &TokenName) -> Subscription {
        let topics = Arc::clone(self);
        let text: Arc<str> = name.to_string().into();
        let watcher = topics.next_watcher.fetch_add(1, Ordering::Relaxed);
        let mut by_name = lock(&topics.by_name);
        let topic = by_name.entry(Arc::clone(&text)).or_insert_with(|| Arc::new(Topic::new(text)));
        let topic = Arc::clone(topic);
        lock(&topic.watchers).insert(watcher, None);
        drop(by_name);
        Subscription { topics, topic, watcher }
    }

    /// Says how a name is doing to those who watch it.
    pub(super) fn report(&self, name: &TokenName, report: HealthReport) {
        let Some(topic) = self.of(&name.to_string()) else { return };
        if topic.report.load().as_ref().is_some_and(|before| before.report == report) {
            return;
        }
        let Ok(frame) = codec::encode_reply(0, Flags::NONE, &Reply::Health(report.clone())) else {
            return tracing::error!(%name, "how the name is doing does not fit into a frame");
        };
        topic.report.store(Some(Arc::new(Report { report, frame })));
        self.announce(topic);
    }

    /// Wakes watchers whenever there is something new for them. Never ends.
    pub(super) async fn wake_watchers(&self) {
        loop {
            self.bell.notified().await;
            for topic in std::mem::take(&mut *lock(&self.news)) {
                topic.is_news.store(false, Ordering::Relaxed);
                lock(&topic.watchers).values().flatten().for_each(Waker::wake_by_ref);
            }
        }
    }

    fn of(&self, text: &str) -> Option<Arc<Topic>> {
        lock(&self.by_name).get(text).cloned()
    }

    /// There is something new about this name, if anybody cares.
    pub(super) fn changed(&self, text: &str) {
        if let Some(topic) = self.of(text) {
            self.announce(topic);
        }
    }

    fn announce(&self, topic: Arc<Topic>) {
        topic.version.fetch_add(1, Ordering::Release);
        let mut news = lock(&self.news);
        if !topic.is_news.swap(true, Ordering::Relaxed) {
            news.push(topic);
            drop(news);
            self.bell.notify_one();
        }
    }
}

impl Topic {
    fn new(text: Arc<str>) -> Self {
        Self {
            text,
            report: ArcSwapOption::empty(),
            version: AtomicU64::new(0),
            is_news: AtomicBool::new(false),
            watchers: Mutex::default(),
        }
    }
}

impl Subscription {
    /// The name in its canonical spelling.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.topic.text
    }

    /// Has this waker woken from now on. The caller looks for news afterwards.
    pub fn wake(&self, waker: &Waker) {
        lock(&self.topic.watchers).insert(self.watcher, Some(waker.clone()));
    }

    /// A number that is another one whenever something is new.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.topic.version.load(Ordering::Acquire)
    }

    /// How the name is doing, once that is known.
    #[must_use]
    pub fn report(&self) -> Option<Arc<Report>> {
        self.topic.report.load_full()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut by_name = lock(&self.topics.by_name);
        let mut watchers = lock(&self.topic.watchers);
        watchers.remove(&self.watcher);
        if watchers.is_empty() {
            by_name.remove(&self.topic.text);
        }
    }
}

impl Report {
    /// Appends the frame.
    pub fn append_to(&self, out: &mut Vec<u8>, request_id: u64) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        codec::patch_reply(&mut out[start..], request_id, Flags::NONE);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is changed in single steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Poll, Wake};

    use tokend_proto::Health;

    use super::*;
    use crate::token_cache::TokenCache;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn name(text: &str) -> TokenName {
        text.parse::<tokend_proto::TokenRef>().unwrap().canonical().unwrap()
    }

    fn health(health: Health) -> HealthReport {
        HealthReport { name: "campus".into(), health, last_error: None, action: None }
    }

    #[test]
    fn every_watcher_is_woken_once_for_all_that_is_new_and_no_other() {
        let token_cache = TokenCache::new();
        let (mine, others) = (Arc::<Count>::default(), Arc::<Count>::default());
        let watches: Vec<Subscription> = (0..1_000).map(|_| token_cache.watch(&name("campus"))).collect();
        watches.iter().for_each(|watch| watch.wake(&Arc::clone(&mine).into()));
        let other = token_cache.watch(&name("other"));
        other.wake(&Arc::clone(&others).into());

        let mut spread = std::pin::pin!(token_cache.wake_watchers());
        let bell = Arc::<Count>::default();
        let waker = Arc::clone(&bell).into();
        let mut turn = || assert_eq!(spread.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
        turn();
        token_cache.report(&name("campus"), health(Health::Good));
        token_cache.report(&name("campus"), health(Health::Failing));
        token_cache.report(&name("campus"), health(Health::Failing));
        token_cache.report(&name("nobody-watches"), health(Health::Good));
        assert_eq!(bell.0.load(Ordering::Relaxed), 1, "the writer rings once");
        turn();
        assert_eq!(mine.0.load(Ordering::Relaxed), 1_000);
        assert_eq!(others.0.load(Ordering::Relaxed), 0);
        assert!(watches.iter().all(|watch| watch.version() == 2), "the same again is nothing new");

        token_cache.report(&name("campus"), health(Health::Good));
        turn();
        assert_eq!(mine.0.load(Ordering::Relaxed), 2_000);
    }

    #[test]
    fn nothing_is_kept_of_a_name_that_nobody_watches_any_more() {
        let token_cache = TokenCache::new();
        let (one, two) = (token_cache.watch(&name("campus")), token_cache.watch(&name("campus")));
        token_cache.report(&name("campus"), health(Health::Good));
        drop(one);
        assert!(two.report().is_some());
        drop(two);
        assert!(lock(&token_cache.topics.by_name).is_empty());
        assert!(token_cache.watch(&name("campus")).report().is_none(), "it is told again");
    }
}
