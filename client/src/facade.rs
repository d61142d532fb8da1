//! The methods that both clients have, written once: they expand with and without `async`.

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
