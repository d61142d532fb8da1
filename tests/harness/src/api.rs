//! Calls of the sandbox's protected endpoints, as a peer makes them with its token.

use std::sync::Once;

use tokio::runtime::{Builder, Runtime};

use super::PATIENCE;

/// An HTTP client of the provider's APIs.
#[derive(Debug)]
pub struct Api {
    base_url: String,
    http: reqwest::Client,
    runtime: Runtime,
}

impl Api {
    /// For the provider at this URL.
    ///
    /// # Panics
    /// When the system gives no descriptors.
    #[must_use]
    pub fn new(base_url: &str) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // Another part of the process may have chosen already; that one is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        Self { base_url: base_url.to_owned(), http, runtime }
    }

    /// The status of `GET path` with this bearer token.
    ///
    /// # Panics
    /// When no answer comes.
    #[must_use]
    pub fn status(&self, path: &str, token: &str) -> u16 {
        let request = self.http.get(format!("{}{path}", self.base_url)).bearer_auth(token);
        let answer = self.runtime.block_on(async { request.send().await }).expect("the provider is up");
        answer.status().as_u16()
    }
}
