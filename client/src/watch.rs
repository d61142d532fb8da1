//! Watches a name: it reports each new token and each change of health, through restarts of the daemon.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokend_proto::limits::MAX_IN_FLIGHT;
use tokend_proto::{Flags, HealthReport, Reply, Request, TokenRef, codec};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use zeroize::Zeroizing;

use crate::backoff::Backoff;
use crate::calls::check_name;
use crate::client::Client;
use crate::mailbox::{Mail, Mailbox};
use crate::outgoing::Outgoing;
use crate::wire::{Answer, Failure};
use crate::{Error, ErrorCode, ProtocolError, Token};

/// How many watches one client may have. The rest of the connection's requests is for its calls.
pub(crate) const MAX_WATCHES: usize = MAX_IN_FLIGHT * 3 / 4;

/// What a watch reports.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Change {
    /// A new token. The first event carries the current one. The same token comes again when the daemon is about to
    /// replace it, and it may stop working at any moment: [`Token::renewing`].
    Token(Token),
    /// The health of the name: at first, and whenever it changes.
    Health(HealthReport),
    /// The daemon cannot be reached at present. The watch goes on; this event comes once until the daemon is back.
    Interrupted(Error),
}

/// A watch of a name; see [`Client::watch`]. Dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    name: String,
    live: Option<Live>,
    backoff: Backoff,
    not_before: Option<Instant>,
    interrupted: bool,
    /// The last event: fingerprint and expiry of the token, and whether the daemon is replacing it.
    token: Option<(crate::Fingerprint, u64, bool)>,
    health: Option<HealthReport>,
    _permit: WatchPermit,
}

/// A watch that the daemon knows of.
#[derive(Debug)]
struct Live {
    id: u64,
    mailbox: Arc<Mailbox>,
    /// The queue of the worker that carries the watch's connection.
    calls: mpsc::Sender<Outgoing>,
}

/// One of a client's [`MAX_WATCHES`].
#[derive(Debug)]
struct WatchPermit(Client);

impl Client {
    /// Watches `PROFILE` or `PROFILE/TENANT`: the newest token at once, then each new one, and the health of the name.
    /// The daemon keeps a watched tenant as fresh as a warm one.
    ///
    /// Nothing is asked before the first [`Watch::next`]. A watch that nobody reads keeps the newest event of each
    /// kind.
    ///
    /// # Errors
    /// When the name is not valid, or this client watches 192 names already: another client has a connection of its
    /// own.
    pub fn watch(&self, name: &str) -> Result<Watch, Error> {
        check_name::<TokenRef>(name)?;
        let add = |count| (count < MAX_WATCHES).then_some(count + 1);
        let watches = &self.inner.watches;
        if watches.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_err() {
            return Err(Error::TooManyWatches(MAX_WATCHES));
        }
        Ok(Watch {
            client: self.clone(),
            name: name.to_owned(),
            live: None,
            backoff: Backoff::new(),
            not_before: None,
            interrupted: false,
            token: None,
            health: None,
            _permit: WatchPermit(self.clone()),
        })
    }
}

impl Watch {
    /// The watched name, as the caller gave it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next change. Call it again and again. Dropping the future before it is ready loses nothing.
    ///
    /// # Errors
    /// When the watch cannot go on: the name is gone or may not be read any more, the daemon knows no watches, or no
    /// daemon was ever there (unless [`crate::Builder::wait_for_daemon`]). Calling it again starts a new watch.
    pub async fn next(&mut self) -> Result<Change, Error> {
        loop {
            if let Some(not_before) = self.not_before {
                sleep_until(not_before).await;
                self.not_before = None;
            }
            let mailbox = match &self.live {
                Some(live) => Arc::clone(&live.mailbox),
                None => self.begin().await?,
            };
            let change = match mailbox.take().await {
                Mail::Answer(answer) => self.on_answer(answer)?,
                Mail::End(failure) => {
                    self.live = None;
                    self.interrupted(failure)?
                }
            };
            if let Some(change) = change {
                return Ok(change);
            }
        }
    }

    async fn begin(&mut self) -> Result<Arc<Mailbox>, Error> {
        let id = self.client.next_id();
        let frame = codec::encode_request(id, &Request::Watch { name: &self.name }).map_err(Error::TooLong)?;
        let mailbox = Arc::<Mailbox>::default();
        let calls = self.client.worker();
        let call = Outgoing::Watch { id, frame: Zeroizing::new(frame), mailbox: Arc::clone(&mailbox) };
        if calls.send(call).await.is_err() {
            // The worker has ended with its runtime.
            mailbox.end(Failure::NotSent);
        }
        self.live = Some(Live { id, mailbox: Arc::clone(&mailbox), calls });
        Ok(mailbox)
    }

    fn on_answer(&mut self, answer: Answer) -> Result<Option<Change>, Error> {
        let flags = answer.flags;
        let reply = answer.expect("Watch", |reply| match reply {
            Reply::Token(_) | Reply::Health(_) => Some(reply),
            _ => None,
        });
        match reply {
            Ok(Reply::Token(token)) => self.token(flags, token),
            Ok(Reply::Health(health)) => {
                self.backoff.reset();
                self.interrupted = false;
                if self.health.as_ref() == Some(&health) {
                    return Ok(None);
                }
                self.health = Some(health.clone());
                Ok(Some(Change::Health(health)))
            }
            // Any other reply: the daemon has ended the watch with it.
            Ok(_) | Err(Error::Protocol(_)) => self.over(ProtocolError::WrongReply("Watch").into()),
            Err(error) if is_final(&error) => self.over(error),
            Err(error) => {
                self.ended();
                let asked = if let Error::Daemon(error) = &error { error.retry_after } else { None };
                Ok(self.pause(error, asked))
            }
        }
    }

    fn token(&mut self, flags: Flags, token: tokend_proto::Token) -> Result<Option<Change>, Error> {
        self.interrupted = false;
        let token = match Token::new(&self.name, Duration::ZERO, flags, token) {
            Ok(token) => token,
            Err(error) => return self.over(error.into()),
        };
        let told = (token.fingerprint(), token.expires_at().boot_ms, token.renewing());
        if self.token.replace(told) == Some(told) {
            return Ok(None);
        }
        Ok(Some(Change::Token(token)))
    }

    fn interrupted(&mut self, failure: Failure) -> Result<Option<Change>, Error> {
        let goes_on = match &failure {
            Failure::Connect(error) => self.client.may_come_back(error),
            Failure::NotSent | Failure::Broken | Failure::Refused(_) => true,
            Failure::Protocol(_) | Failure::Version(_) => false,
        };
        let error = failure.describe(self.client.path());
        if goes_on { Ok(self.pause(error, None)) } else { self.over(error) }
    }

    /// Tries again later, and reports that once.
    fn pause(&mut self, error: Error, asked: Option<Duration>) -> Option<Change> {
        let pause = self.backoff.next().max(asked.unwrap_or_default().min(LONGEST_PAUSE));
        self.not_before = Some(Instant::now() + pause);
        self.health = None;
        tracing::debug!(%error, name = self.name, "watching again");
        let first = !std::mem::replace(&mut self.interrupted, true);
        first.then_some(Change::Interrupted(error))
    }

    fn over(&mut self, error: Error) -> Result<Option<Change>, Error> {
        self.ended();
        (self.token, self.health) = (None, None);
        Err(error)
    }

    /// Tells the connection that it need not keep the watch.
    fn ended(&mut self) {
        if let Some(live) = self.live.take() {
            live.end();
        }
    }
}

/// The longest pause that the watch takes when the daemon asks for one: the daemon may restart meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Live {
    /// If the queue is full, the connection finds out by itself.
    fn end(self) {
        self.mailbox.abandon();
        let _ = self.calls.try_send(Outgoing::Unwatch { watch: self.id });
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended();
    }
}

impl Drop for WatchPermit {
    fn drop(&mut self) {
        self.0.inner.watches.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An error that waiting does not change.
fn is_final(error: &Error) -> bool {
    match error {
        Error::Daemon(error) => {
            matches!(error.code, ErrorCode::Denied | ErrorCode::NoSuchName | ErrorCode::InvalidArgument)
        }
        _ => true,
    }
}
