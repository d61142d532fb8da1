//! A name that is watched: each new token, and how the name is doing, through restarts of the daemon.

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

/// Watches that one client may have: what is left of the connection's requests is for its calls.
pub(crate) const MAX_WATCHES: usize = MAX_IN_FLIGHT * 3 / 4;

/// What a watch brings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Change {
    /// Another token is the newest one; the first of these is the one that there was. The same token comes again when
    /// it is about to be replaced and may stop working at any moment: [`Token::renewing`].
    Token(Token),
    /// The name is doing like this, at first and whenever that changes.
    Health(HealthReport),
    /// The daemon cannot be heard at present. The watch goes on by itself, and this comes once until it does.
    Interrupted(Error),
}

/// A name that is watched; see [`Client::watch`]. It ends when it is dropped.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    name: String,
    live: Option<Live>,
    backoff: Backoff,
    not_before: Option<Instant>,
    interrupted: bool,
    /// What was brought last: fingerprint and expiry of the token, and whether it is being replaced.
    token: Option<(crate::Fingerprint, u64, bool)>,
    health: Option<HealthReport>,
    _permit: WatchPermit,
}

/// A watch as the daemon has it.
#[derive(Debug)]
struct Live {
    id: u64,
    mailbox: Arc<Mailbox>,
    /// To the task that has its connection.
    calls: mpsc::Sender<Outgoing>,
}

/// One of a client's [`MAX_WATCHES`].
#[derive(Debug)]
struct WatchPermit(Client);

impl Client {
    /// Watches `PROFILE` or `PROFILE/TENANT`: the newest token at once, then each new one, and how the name is doing.
    /// The daemon keeps a watched tenant as fresh as a warm one.
    ///
    /// Nothing is asked before the first [`Watch::next`]. A watch that is not looked at keeps the newest, not all.
    ///
    /// # Errors
    /// When the name can be no name, or 192 are watched with this client: a further client has a connection of its own.
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
    /// The name that is watched, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next change. To be called again and again; nothing is lost when it is dropped before it is ready.
    ///
    /// # Errors
    /// When the watch cannot go on: the name is gone, or may not be read (any more), or the daemon knows no watches, or
    /// no daemon was ever there (unless [`crate::Builder::wait_for_daemon`]). Calling it again begins the watch anew.
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
            // The task has ended with its runtime.
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
            // Whatever it is, the daemon has ended the watch with it.
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

    /// Tries again later; says so once.
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

    /// The connection need not keep anything for it.
    fn ended(&mut self) {
        if let Some(live) = self.live.take() {
            live.end();
        }
    }
}

/// A pause that the daemon asks for is honoured up to this: it may be restarted meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Live {
    /// If the queue is full just now, the connection finds out by itself.
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

/// What no waiting changes.
fn is_final(error: &Error) -> bool {
    match error {
        Error::Daemon(error) => {
            matches!(error.code, ErrorCode::Denied | ErrorCode::NoSuchName | ErrorCode::InvalidArgument)
        }
        _ => true,
    }
}
