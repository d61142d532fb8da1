//! Tokens kept in this process. A read takes some nanoseconds, without a lock and without a system call.
//!
//! A task for each kept name watches it and replaces its token by each new one. The cache returns a token until its
//! `refresh_at`, and stops at once when the daemon says that it is about to die. When the cache has no token to return,
//! it asks the daemon.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use tokend_proto::TokenRef;
use tokio::task::JoinHandle;

use crate::calls::check_name;
use crate::client::Client;
use crate::deadline::Deadline;
use crate::watch::{Change, MAX_WATCHES, Watch};
use crate::{Error, Token};

/// Tokens of any names, kept in this process. All clones share them.
///
/// A cache keeps up to 192 names. It asks the daemon each time for any further name: another client has room of its
/// own.
#[derive(Debug, Clone)]
pub struct Cache {
    client: Client,
    names: Arc<ArcSwap<HashMap<Box<str>, Cached>>>,
}

/// The token of one name, kept in this process. All clones share it; the watch ends with the last of them.
#[derive(Debug, Clone)]
pub struct Cached(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    name: String,
    kept: Arc<ArcSwapOption<Kept>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// A token and the time until which the cache may return it.
struct Kept {
    token: Token,
    until: Deadline,
}

/// A read. It is not an `async fn`: the compiler inlines this future into the caller, which saves a copy of the result,
/// and it takes little room in the caller's future.
struct Reading<'a> {
    cached: &'a Cached,
    asked: Option<PendingAnswer<'a>>,
}

/// A request to the daemon on its way.
type PendingAnswer<'a> = Pin<Box<dyn Future<Output = Result<CachedToken, Error>> + Send + 'a>>;

/// A token from a cache. Use it at once and drop it: there may be a newer one the next moment.
///
/// It has two words: it is moved several times on its way to the caller, and those moves are a good part of the time of
/// a read.
pub struct CachedToken(Guard<Option<Arc<Kept>>>);

impl Client {
    /// A cache of any names. It asks nothing before the first [`Cache::token`].
    #[must_use]
    pub fn cache(&self) -> Cache {
        Cache { client: self.clone(), names: Arc::default() }
    }

    /// A cache of one name. This is the fastest, because it looks up no name. It asks nothing before the first
    /// [`Cached::token`].
    ///
    /// # Errors
    /// When the name is not valid.
    pub fn cached(&self, name: &str) -> Result<Cached, Error> {
        check_name::<TokenRef>(name)?;
        Ok(Cached::new(self.clone(), name))
    }
}

impl Cache {
    /// The newest token of `PROFILE` or `PROFILE/TENANT`. After the first call for a name, this reads memory.
    ///
    /// # Errors
    /// As [`Client::token`], when memory has none.
    pub async fn token(&self, name: &str) -> Result<CachedToken, Error> {
        let known = {
            let names = self.names.load();
            let known = names.get(name);
            if let Some(token) = known.and_then(Cached::current) {
                return Ok(token);
            }
            known.cloned()
        };
        match known {
            Some(cached) => cached.token().await,
            None => {
                // A name is kept only once it has a token, so that a name that does not exist takes no room.
                let token = self.client.token(name).await?;
                self.keep(name);
                Ok(CachedToken::asked(token))
            }
        }
    }

    /// The kept token, if it may still be used. This never asks the daemon.
    #[must_use]
    pub fn current(&self, name: &str) -> Option<CachedToken> {
        self.names.load().get(name)?.current()
    }

    fn keep(&self, name: &str) {
        self.names.rcu(|names| {
            if names.contains_key(name) || names.len() >= MAX_WATCHES {
                return Arc::clone(names);
            }
            let mut names = HashMap::clone(names);
            names.insert(name.into(), Cached::new(self.client.clone(), name));
            Arc::new(names)
        });
        if let Some(cached) = self.names.load().get(name) {
            cached.0.follow();
        }
    }
}

impl Cached {
    fn new(client: Client, name: &str) -> Self {
        let (kept, task) = (Arc::default(), Mutex::default());
        Self(Arc::new(Inner { client, name: name.to_owned(), kept, task }))
    }

    /// The name, as the caller gave it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The newest token. After the first call this reads memory, unless the kept token may not be used any more.
    ///
    /// # Errors
    /// As [`Client::token`], when memory has none.
    #[inline]
    pub fn token(&self) -> impl Future<Output = Result<CachedToken, Error>> + Send + '_ {
        Reading { cached: self, asked: None }
    }

    #[cold]
    fn ask(&self) -> PendingAnswer<'_> {
        Box::pin(async {
            let token = self.0.client.token(&self.0.name).await?;
            self.0.follow();
            Ok(CachedToken::asked(token))
        })
    }

    /// The kept token, if it may still be used. This never asks the daemon.
    #[must_use]
    #[inline]
    pub fn current(&self) -> Option<CachedToken> {
        let kept = self.0.kept.load();
        match &*kept {
            Some(it) if !it.until.has_passed() => Some(CachedToken(kept)),
            _ => None,
        }
    }
}

impl Future for Reading<'_> {
    type Output = Result<CachedToken, Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.asked.is_none()
            && let Some(token) = self.cached.current()
        {
            return Poll::Ready(Ok(token));
        }
        let cached = self.cached;
        self.asked.get_or_insert_with(|| cached.ask()).as_mut().poll(context)
    }
}

impl Inner {
    /// Starts a task that follows the name, unless one runs.
    fn follow(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        // When the client cannot watch another name, the cache asks for this one each time.
        if let Ok(watch) = self.client.watch(&self.name) {
            *task = Some(tokio::spawn(follow(watch, CacheWriter(Arc::clone(&self.kept)))));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

/// Stores new tokens. When it is dropped, nobody follows the name any more, and it removes the last token.
struct CacheWriter(Arc<ArcSwapOption<Kept>>);

impl Drop for CacheWriter {
    fn drop(&mut self) {
        self.0.store(None);
    }
}

async fn follow(mut watch: Watch, writer: CacheWriter) {
    loop {
        match watch.next().await {
            // A token that may stop working at any moment is not kept: the daemon decides who gets it.
            Ok(Change::Token(token)) => writer.0.store((!token.renewing()).then(|| Arc::new(Kept::new(token)))),
            // The daemon cannot be reached: the last token stays good until its time.
            Ok(Change::Health(_) | Change::Interrupted(_)) => {}
            Err(error) => {
                tracing::debug!(%error, name = watch.name(), "no longer kept in process");
                return;
            }
        }
    }
}

impl Kept {
    fn new(token: Token) -> Self {
        let until = Deadline::at(token.refresh_at().boot_ms.min(token.expires_at().boot_ms));
        Self { token, until }
    }
}

impl CachedToken {
    /// A token that is not in a cache.
    fn asked(token: Token) -> Self {
        Self(Guard::from_inner(Some(Arc::new(Kept::new(token)))))
    }
}

impl Deref for CachedToken {
    type Target = Token;

    #[inline]
    fn deref(&self) -> &Token {
        &self.0.as_ref().expect("it was looked at").token
    }
}

impl From<CachedToken> for Token {
    fn from(token: CachedToken) -> Self {
        let kept = Guard::into_inner(token.0).expect("it was looked at");
        Arc::try_unwrap(kept).map_or_else(|kept| kept.token.clone(), |kept| kept.token)
    }
}

impl fmt::Debug for CachedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Token::fmt(self, f)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.token.fmt(f)
    }
}
