//! The calls that both clients make: each one's request, the meaning of its reply, and the method that makes it. The
//! methods are written once, and expand with and without `async`.

use std::str::FromStr;
use std::time::Duration;

use tokend_proto::{
    Explanation, Fingerprint, Imported, Millis, NameError, Peer, ProfileName, Reloaded, Renewed, Reply, Request,
    Secret, SecretStr, TokenRef,
};

use crate::retry::RetryPolicy;
use crate::wire::Answer;
use crate::{Error, InvalidName, Token, TokenOptions};

/// A call to the daemon: one request, or several when the answer comes in pages.
pub(crate) trait Call {
    /// What the caller gets.
    type Answer;

    /// How long the next request may take.
    fn policy(&self) -> RetryPolicy;

    /// The next request. `left` is what is left of the policy's wait.
    fn request(&self, left: Duration) -> Request<'_>;

    /// Reads a reply. `None`: the call needs another request.
    fn read(&mut self, answer: Answer) -> Result<Option<Self::Answer>, Error>;
}

/// Reads the only kind of reply that answers a request.
macro_rules! reply {
    ($request:literal, $reply:pat => $value:expr) => {
        |answer: Answer| answer.expect($request, |reply| if let $reply = reply { Some($value) } else { None })
    };
}

pub(crate) use reply;

/// A call that is one request.
struct Single<'a, P> {
    policy: RetryPolicy,
    request: Request<'a>,
    read: P,
}

impl<P, T> Call for Single<'_, P>
where
    P: Fn(Answer) -> Result<T, Error>,
{
    type Answer = T;

    fn policy(&self) -> RetryPolicy {
        self.policy
    }

    fn request(&self, left: Duration) -> Request<'_> {
        match self.request {
            Request::Get { name, min_ttl, .. } => Request::Get { name, min_ttl, wait: left.into() },
            other => other,
        }
    }

    fn read(&mut self, answer: Answer) -> Result<Option<T>, Error> {
        (self.read)(answer).map(Some)
    }
}

pub(crate) fn get(name: &str, options: TokenOptions, wait: Duration) -> Result<impl Call<Answer = Token> + '_, Error> {
    check_name::<TokenRef>(name)?;
    let min_ttl = options.min_ttl;
    Ok(Single {
        policy: RetryPolicy::read(options.wait.unwrap_or(wait)),
        request: Request::Get { name, min_ttl: min_ttl.into(), wait: Millis::default() },
        read: move |answer| token(name, min_ttl, answer),
    })
}

pub(crate) fn reject(
    name: &str,
    fingerprint: Fingerprint,
    min_ttl: Duration,
    wait: Duration,
) -> Result<impl Call<Answer = Token> + '_, Error> {
    check_name::<TokenRef>(name)?;
    Ok(Single {
        policy: RetryPolicy::slow_read(wait),
        request: Request::Reject { name, fingerprint, min_ttl: min_ttl.into() },
        read: move |answer| token(name, min_ttl, answer),
    })
}

pub(crate) fn explain(name: &str, wait: Duration) -> Result<impl Call<Answer = Explanation> + '_, Error> {
    check_name::<TokenRef>(name)?;
    Ok(Single {
        policy: RetryPolicy::read(wait),
        request: Request::Explain { name },
        read: reply!("Explain", Reply::Explanation(it) => *it),
    })
}

pub(crate) fn refresh(name: &str, wait: Duration) -> Result<impl Call<Answer = Renewed> + '_, Error> {
    check_name::<TokenRef>(name)?;
    Ok(Single {
        policy: RetryPolicy::once(wait),
        request: Request::Refresh { name },
        read: reply!("Refresh", Reply::Renewed(it) => it),
    })
}

pub(crate) fn import<'a>(
    profile: &'a str,
    refresh_token: &'a Secret,
    wait: Duration,
) -> Result<impl Call<Answer = Imported> + 'a, Error> {
    check_name::<ProfileName>(profile)?;
    let refresh_token = SecretStr::new(refresh_token);
    Ok(Single {
        policy: RetryPolicy::once(wait),
        request: Request::Import { name: profile, refresh_token },
        read: reply!("Import", Reply::Imported(it) => it),
    })
}

pub(crate) fn reload(wait: Duration) -> impl Call<Answer = Reloaded> {
    Single {
        policy: RetryPolicy::once(wait),
        request: Request::Reload,
        read: reply!("Reload", Reply::Reloaded(it) => it),
    }
}

pub(crate) fn whoami(wait: Duration) -> impl Call<Answer = Peer> {
    Single { policy: RetryPolicy::read(wait), request: Request::WhoAmI, read: reply!("WhoAmI", Reply::Peer(it) => it) }
}

pub(crate) fn ping(wait: Duration) -> impl Call<Answer = String> {
    Single {
        policy: RetryPolicy::read(wait),
        request: Request::Ping,
        read: reply!("Ping", Reply::Pong { version } => version),
    }
}

fn token(name: &str, min_ttl: Duration, answer: Answer) -> Result<Token, Error> {
    let flags = answer.flags;
    let token = reply!("Get", Reply::Token(it) => it)(answer)?;
    Token::new(name, min_ttl, flags, token).map_err(Error::from)
}

/// Checks a name of a token or of a profile.
pub(crate) fn check_name<N: FromStr<Err = NameError>>(name: &str) -> Result<(), Error> {
    let parsed = name.parse::<N>();
    parsed.map(drop).map_err(|source| InvalidName { name: name.to_owned(), source }.into())
}

/// Expands to the methods: `client_methods!(build, async, await)` in an `impl` of the async client,
/// `client_methods!(build_blocking)` in one of the blocking client. Both clients have `inner.path`, `inner.settings`
/// and `ask`.
macro_rules! client_methods {
    ($build:ident $(, $async:ident, $await:ident)?) => {
        /// A client of the daemon at the usual socket; see [`socket_path`](crate::socket_path).
        #[must_use]
        pub fn from_env() -> Self {
            Self::builder().$build()
        }

        /// A client with other settings: [`Builder`] makes it.
        #[must_use]
        pub fn builder() -> Builder {
            Builder::default()
        }

        /// A client of the daemon at this socket. It has pinged the daemon once.
        ///
        /// # Errors
        /// When nobody answers there.
        pub $($async)? fn connect(path: impl Into<PathBuf>) -> Result<Self, Error> {
            let client = Self::builder().socket(path).$build();
            client.ping()$(.$await)??;
            Ok(client)
        }

        /// The socket.
        #[must_use]
        pub fn path(&self) -> &Path {
            &self.inner.path
        }

        /// The newest token of `PROFILE` or `PROFILE/TENANT`.
        ///
        /// # Errors
        /// When there is none within the client's `wait`, or this process may not read it.
        pub $($async)? fn token(&self, name: &str) -> Result<Token, Error> {
            self.token_with(name, TokenOptions::default())$(.$await)?
        }

        /// The newest token, with a minimum life and a limit to waiting.
        ///
        /// # Errors
        /// As [`Client::token`].
        pub $($async)? fn token_with(&self, name: &str, options: TokenOptions) -> Result<Token, Error> {
            self.ask(calls::get(name, options, self.wait())?)$(.$await)?
        }

        /// Replaces a token to which an API answered 401. If the daemon has replaced it already, it returns the current
        /// one and does not ask the provider.
        ///
        /// # Errors
        /// As [`Client::token`]; and with [`ErrorCode::Throttled`](crate::ErrorCode::Throttled) when tokens of
        /// this name are rejected too often.
        pub $($async)? fn reject(&self, token: &Token) -> Result<Token, Error> {
            self.reject_fingerprint(token.name(), token.fingerprint(), token.min_ttl())$(.$await)?
        }

        /// As [`Client::reject`], if you have only the token's fingerprint.
        ///
        /// # Errors
        /// As [`Client::reject`].
        pub $($async)? fn reject_fingerprint(
            &self,
            name: &str,
            fingerprint: Fingerprint,
            min_ttl: Duration,
        ) -> Result<Token, Error> {
            self.ask(calls::reject(name, fingerprint, min_ttl, self.wait())?)$(.$await)?
        }

        /// The state of one name, or of every name that this process may read.
        ///
        /// # Errors
        /// When the daemon does not answer, does not know the name, or does not show it to this process.
        pub $($async)? fn status(&self, name: Option<&str>) -> Result<Status, Error> {
            self.ask(paging::status(name, self.wait())?)$(.$await)?
        }

        /// Why a name is in its state: what the daemon has, what it does next, when and why.
        ///
        /// # Errors
        /// As [`Client::status`] of one name. [`Error::Unsupported`]: the daemon is too old to explain.
        pub $($async)? fn explain(&self, name: &str) -> Result<Explanation, Error> {
            self.ask(calls::explain(name, self.wait())?)$(.$await)?
        }

        /// The tenants of a GreenLake MSP workspace, sorted by id.
        ///
        /// # Errors
        /// When the profile is not such a workspace, or the provider does not give its list.
        pub $($async)? fn tenants(&self, profile: &str) -> Result<Vec<Tenant>, Error> {
            self.ask(paging::tenants(profile, self.wait())?)$(.$await)?
        }

        /// Renews a name now. The caller needs `admin` for it.
        ///
        /// # Errors
        /// When the renewal failed. [`Error::Disconnected`]: it may have happened.
        pub $($async)? fn refresh(&self, name: &str) -> Result<Renewed, Error> {
            self.ask(calls::refresh(name, self.wait())?)$(.$await)?
        }

        /// Starts a Classic chain from a refresh token. The caller needs `admin` for the profile.
        ///
        /// # Errors
        /// When the provider refuses it. [`Error::Disconnected`]: the daemon may have taken it. Importing the same
        /// token twice is safe: the second import changes nothing.
        pub $($async)? fn import(&self, profile: &str, refresh_token: &Secret) -> Result<Imported, Error> {
            self.ask(calls::import(profile, refresh_token, self.wait())?)$(.$await)?
        }

        /// Makes the daemon read its configuration again. Only root and the daemon's own user may do this.
        ///
        /// # Errors
        /// When the new configuration is not valid: the daemon keeps the old one.
        pub $($async)? fn reload(&self) -> Result<Reloaded, Error> {
            self.ask(calls::reload(self.wait()))$(.$await)?
        }

        /// What the daemon sees of this process, and what it may do.
        ///
        /// # Errors
        /// When the daemon does not answer.
        pub $($async)? fn whoami(&self) -> Result<Peer, Error> {
            self.ask(calls::whoami(self.wait()))$(.$await)?
        }

        /// As [`Client::whoami`], with the names that this process may read.
        ///
        /// # Errors
        /// When the daemon does not answer. [`Error::Unsupported`]: the daemon is too old and only knows
        /// [`Client::whoami`].
        pub $($async)? fn rights(&self) -> Result<Rights, Error> {
            self.ask(paging::rights(self.wait()))$(.$await)?
        }

        /// The daemon's version.
        ///
        /// # Errors
        /// When the daemon does not answer.
        pub $($async)? fn ping(&self) -> Result<String, Error> {
            self.ask(calls::ping(self.wait()))$(.$await)?
        }

        fn wait(&self) -> Duration {
            self.inner.settings.wait
        }
    };
}

pub(crate) use client_methods;
