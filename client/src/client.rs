//! The calls that a program makes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokend_proto::{
    Fingerprint, Imported, NameRights, NameStatus, Peer, ProfileName, Reloaded, Renewed, Reply, Request, Secret,
    SecretStr, Tenant, TokenRef,
};
use tokio::sync::mpsc;

use crate::call::Plan;
use crate::driver::{Answer, Call, QUEUE, drive};
use crate::{Builder, Error, ProtocolError, Token};

/// A connection to the daemon, shared by all its clones.
///
/// Its calls need a tokio runtime with I/O and time enabled; making one does not.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) path: PathBuf,
    pub(crate) settings: Builder,
    pub(crate) was_connected: Arc<AtomicBool>,
    last_id: AtomicU64,
    driver: Mutex<Option<mpsc::Sender<Call>>>,
}

/// What a token should be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenOptions {
    /// Life that it should still have. Three quarters of its whole life can always be had; what falls short
    /// of more is given all the same and says so: [`Token::falls_short`].
    pub min_ttl: Duration,
    /// How long to wait for one, 10 minutes at most. `None` is the client's own `wait`.
    pub wait: Option<Duration>,
}

/// How the daemon and its names are doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// Warnings about the daemon as a whole.
    pub notes: Vec<String>,
    /// The names that this process may read, in their order.
    pub names: Vec<NameStatus>,
}

/// This process as the daemon sees it, and what it may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// Who it is, and the patterns of the rules that are for it.
    pub peer: Peer,
    /// The systemd slices around its unit, the outermost first.
    pub slices: Vec<String>,
    /// Why its unit is not known, where it is not.
    pub no_unit: Option<String>,
    /// The names that it may read, in their order.
    pub names: Vec<NameRights>,
}

impl Client {
    /// A client of the daemon at the usual socket; see [`socket_path`](crate::socket_path).
    #[must_use]
    pub fn from_env() -> Self {
        Self::builder().build()
    }

    /// A client with other settings.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A client of the daemon at this socket, with which it has spoken once.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn connect(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let client = Self::builder().socket(path).build();
        client.ping().await?;
        Ok(client)
    }

    pub(crate) fn new(path: PathBuf, settings: Builder) -> Self {
        let was_connected = Arc::default();
        Self {
            inner: Arc::new(Inner {
                path,
                settings,
                was_connected,
                last_id: AtomicU64::new(0),
                driver: Mutex::default(),
            }),
        }
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
    pub async fn token(&self, name: &str) -> Result<Token, Error> {
        self.token_with(name, TokenOptions::default()).await
    }

    /// The newest token, with a wish for its life and a limit to waiting.
    ///
    /// # Errors
    /// As [`Client::token`].
    pub async fn token_with(&self, name: &str, options: TokenOptions) -> Result<Token, Error> {
        token_name(name)?;
        let min_ttl = options.min_ttl.into();
        let plan = Plan::read(options.wait.unwrap_or(self.wait()));
        let answer = self.call(plan, |wait| Request::Get { name, min_ttl, wait: wait.into() }).await?;
        expect_token(name, options.min_ttl, answer)
    }

    /// Another token in place of one with which a call was answered 401. If it was replaced already, that is
    /// the current one, and nothing is asked of the provider.
    ///
    /// # Errors
    /// As [`Client::token`]; and with [`ErrorCode::Throttled`](crate::ErrorCode::Throttled) when tokens of
    /// this name are rejected too often.
    pub async fn reject(&self, token: &Token) -> Result<Token, Error> {
        self.reject_fingerprint(token.name(), token.fingerprint(), token.min_ttl()).await
    }

    /// As [`Client::reject`], for a token of which only the fingerprint is at hand.
    ///
    /// # Errors
    /// As [`Client::reject`].
    pub async fn reject_fingerprint(
        &self,
        name: &str,
        fingerprint: Fingerprint,
        min_ttl: Duration,
    ) -> Result<Token, Error> {
        token_name(name)?;
        let request = Request::Reject { name, fingerprint, min_ttl: min_ttl.into() };
        let answer = self.call(Plan::slow_read(self.wait()), |_| request).await?;
        expect_token(name, min_ttl, answer)
    }

    /// How one name, or every name that this process may read, is doing.
    ///
    /// # Errors
    /// When the daemon does not answer, or does not know or show the name.
    pub async fn status(&self, name: Option<&str>) -> Result<Status, Error> {
        name.map(token_name).transpose()?;
        crate::paging::status(self, name).await
    }

    /// The tenants of a GreenLake MSP workspace, by the order of their ids.
    ///
    /// # Errors
    /// When the profile is no such workspace, or its list cannot be had.
    pub async fn tenants(&self, profile: &str) -> Result<Vec<Tenant>, Error> {
        profile_name(profile)?;
        crate::paging::tenants(self, profile).await
    }

    /// Renews a name now. Needs `admin` for it.
    ///
    /// # Errors
    /// When it could not be renewed. [`Error::Disconnected`]: it may have been.
    pub async fn refresh(&self, name: &str) -> Result<Renewed, Error> {
        token_name(name)?;
        let answer = self.call(Plan::once(self.wait()), |_| Request::Refresh { name }).await?;
        expect(answer, "Refresh", |reply| if let Reply::Renewed(it) = reply { Some(it) } else { None })
    }

    /// Starts a Classic chain from a refresh token. Needs `admin` for the profile.
    ///
    /// # Errors
    /// When the provider refuses it. [`Error::Disconnected`]: it may have been taken; the same one may be
    /// imported again, which then changes nothing.
    pub async fn import(&self, profile: &str, refresh_token: &Secret) -> Result<Imported, Error> {
        profile_name(profile)?;
        let refresh_token = SecretStr::new(refresh_token);
        let request = Request::Import { name: profile, refresh_token };
        let answer = self.call(Plan::once(self.wait()), |_| request).await?;
        expect(answer, "Import", |reply| if let Reply::Imported(it) = reply { Some(it) } else { None })
    }

    /// Has the daemon read its configuration again. For root and the daemon's own user.
    ///
    /// # Errors
    /// When the new configuration does not validate: the old one stays.
    pub async fn reload(&self) -> Result<Reloaded, Error> {
        let answer = self.call(Plan::once(self.wait()), |_| Request::Reload).await?;
        expect(answer, "Reload", |reply| if let Reply::Reloaded(it) = reply { Some(it) } else { None })
    }

    /// What the daemon sees of this process, and what it may do.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn whoami(&self) -> Result<Peer, Error> {
        let answer = self.call(Plan::read(self.wait()), |_| Request::WhoAmI).await?;
        expect(answer, "WhoAmI", |reply| if let Reply::Peer(it) = reply { Some(it) } else { None })
    }

    /// As [`Client::whoami`], with the names that there are.
    ///
    /// # Errors
    /// When the daemon does not answer. [`Error::Unsupported`]: it is of a version that only knows
    /// [`Client::whoami`].
    pub async fn rights(&self) -> Result<Rights, Error> {
        crate::paging::rights(self).await
    }

    /// The daemon's version.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn ping(&self) -> Result<String, Error> {
        let answer = self.call(Plan::read(self.wait()), |_| Request::Ping).await?;
        expect(answer, "Ping", |reply| if let Reply::Pong { version } = reply { Some(version) } else { None })
    }

    pub(crate) fn wait(&self) -> Duration {
        self.inner.settings.wait
    }

    /// Ids start at 1: 0 stands for the connection as a whole.
    pub(crate) fn next_id(&self) -> u64 {
        self.inner.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The way to the task, which is started when it is first needed, or when its runtime has ended.
    pub(crate) fn driver(&self) -> mpsc::Sender<Call> {
        let mut driver = self.inner.driver.lock().unwrap_or_else(PoisonError::into_inner);
        match &*driver {
            Some(calls) if !calls.is_closed() => calls.clone(),
            _ => {
                let (calls, receiver) = mpsc::channel(QUEUE);
                tokio::spawn(drive(self.inner.path.clone(), receiver, Arc::clone(&self.inner.was_connected)));
                driver.insert(calls).clone()
            }
        }
    }
}

/// The reply that belongs to the request, or the daemon's refusal.
pub(crate) fn expect<T>(
    answer: Answer,
    request: &'static str,
    pick: impl FnOnce(Reply) -> Option<T>,
) -> Result<T, Error> {
    match answer.reply {
        Reply::Error(error) => Err(Error::Daemon(error.into())),
        Reply::Unsupported(it) => Err(Error::Unsupported { versions: it.versions, message: it.message }),
        reply if answer.version == tokend_proto::VERSION => {
            pick(reply).ok_or(Error::Protocol(ProtocolError::WrongReply(request)))
        }
        _ => Err(Error::Unsupported {
            versions: vec![answer.version],
            message: "its answer is of another version".to_owned(),
        }),
    }
}

fn expect_token(name: &str, min_ttl: Duration, answer: Answer) -> Result<Token, Error> {
    let flags = answer.flags;
    let token = expect(answer, "Get", |reply| if let Reply::Token(it) = reply { Some(it) } else { None })?;
    Token::new(name, min_ttl, flags, token).map_err(Error::Protocol)
}

fn token_name(name: &str) -> Result<(), Error> {
    match name.parse::<TokenRef>() {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::InvalidName { name: name.to_owned(), source }),
    }
}

fn profile_name(name: &str) -> Result<(), Error> {
    match name.parse::<ProfileName>() {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::InvalidName { name: name.to_owned(), source }),
    }
}
