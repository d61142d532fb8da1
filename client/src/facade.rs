//! The methods that both clients have, in one list: each is written once, with and without `async`.

/// `client_methods!(build, async, await)` in an `impl` of the async client; `client_methods!(build_blocking)` in one of
/// the blocking client. Both have `inner.path`, `inner.settings` and `ask`.
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

        /// A client of the daemon at this socket, with which it has spoken once.
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
        /// When there is none within the client's `wait`, or this process may not have it.
        pub $($async)? fn token(&self, name: &str) -> Result<Token, Error> {
            self.token_with(name, TokenOptions::default())$(.$await)?
        }

        /// The newest token, with a wish for its life and a limit to waiting.
        ///
        /// # Errors
        /// As [`Client::token`].
        pub $($async)? fn token_with(&self, name: &str, options: TokenOptions) -> Result<Token, Error> {
            self.ask(calls::get(name, options, self.wait())?)$(.$await)?
        }

        /// Another token in place of one with which a call was answered 401. If it was replaced already, that is
        /// the current one, and nothing is asked of the provider.
        ///
        /// # Errors
        /// As [`Client::token`]; and with [`ErrorCode::Throttled`](crate::ErrorCode::Throttled) when tokens of
        /// this name are rejected too often.
        pub $($async)? fn reject(&self, token: &Token) -> Result<Token, Error> {
            self.reject_fingerprint(token.name(), token.fingerprint(), token.min_ttl())$(.$await)?
        }

        /// As [`Client::reject`], for a token of which only the fingerprint is at hand.
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

        /// How one name, or every name that this process may read, is doing.
        ///
        /// # Errors
        /// When the daemon does not answer, or does not know or show the name.
        pub $($async)? fn status(&self, name: Option<&str>) -> Result<Status, Error> {
            self.ask(paging::status(name, self.wait())?)$(.$await)?
        }

        /// Why a name is as it is: what is there, what the daemon does next and why then.
        ///
        /// # Errors
        /// As [`Client::status`] of one name. [`Error::Unsupported`]: the daemon is of a version that does not explain.
        pub $($async)? fn explain(&self, name: &str) -> Result<Explanation, Error> {
            self.ask(calls::explain(name, self.wait())?)$(.$await)?
        }

        /// The tenants of a GreenLake MSP workspace, by the order of their ids.
        ///
        /// # Errors
        /// When the profile is no such workspace, or its list cannot be had.
        pub $($async)? fn tenants(&self, profile: &str) -> Result<Vec<Tenant>, Error> {
            self.ask(paging::tenants(profile, self.wait())?)$(.$await)?
        }

        /// Renews a name now. Needs `admin` for it.
        ///
        /// # Errors
        /// When it could not be renewed. [`Error::Disconnected`]: it may have been.
        pub $($async)? fn refresh(&self, name: &str) -> Result<Renewed, Error> {
            self.ask(calls::refresh(name, self.wait())?)$(.$await)?
        }

        /// Starts a Classic chain from a refresh token. Needs `admin` for the profile.
        ///
        /// # Errors
        /// When the provider refuses it. [`Error::Disconnected`]: it may have been taken; the same one may be
        /// imported again, which then changes nothing.
        pub $($async)? fn import(&self, profile: &str, refresh_token: &Secret) -> Result<Imported, Error> {
            self.ask(calls::import(profile, refresh_token, self.wait())?)$(.$await)?
        }

        /// Has the daemon read its configuration again. For root and the daemon's own user.
        ///
        /// # Errors
        /// When the new configuration does not validate: the old one stays.
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

        /// As [`Client::whoami`], with the names that there are.
        ///
        /// # Errors
        /// When the daemon does not answer. [`Error::Unsupported`]: it is of a version that only knows
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
