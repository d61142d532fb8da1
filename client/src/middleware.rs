//! Tokens on the requests of a `reqwest` client, by way of the crate `reqwest-middleware`.

use async_trait::async_trait;
use bytes::Bytes;
use http::Extensions;
use reqwest_middleware::reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest_middleware::reqwest::{Request, Response, StatusCode};
use reqwest_middleware::{Error, Middleware, Next, Result};
use zeroize::Zeroizing;

use crate::{Client, Token, TokenOptions};

/// Puts the newest token of a name on each request, and on a 401 has that token replaced and asks once more.
///
/// It is for a `reqwest` client that speaks with this API alone, or for the hosts that [`BearerToken::host`] names:
/// to whom else that client speaks, the token is sent too. A request that has an `Authorization` header keeps it. (A
/// redirect to another host is followed without the header; that is `reqwest`'s doing.)
///
/// After a 401 the daemon is told, whatever the request is; the request is sent a second time only if it can be cloned
/// (a body that is a stream cannot) and if there is another token. Otherwise, and when the second token is refused
/// too, the 401 is the answer.
#[derive(Debug, Clone)]
pub struct BearerToken {
    client: Client,
    name: String,
    options: TokenOptions,
    hosts: Vec<String>,
}

impl BearerToken {
    /// Tokens of `PROFILE` or `PROFILE/TENANT`.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into(), options: TokenOptions::default(), hosts: Vec::new() }
    }

    /// What the tokens should be like.
    #[must_use]
    pub fn options(mut self, options: TokenOptions) -> Self {
        self.options = options;
        self
    }

    /// Only requests to this host, as it stands in a URL without its port, get a token; said several times, to any of
    /// them.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    fn is_for(&self, request: &Request) -> bool {
        let host = request.url().host_str().unwrap_or_default();
        let meant = self.hosts.is_empty() || self.hosts.iter().any(|one| one.eq_ignore_ascii_case(host));
        meant && !request.headers().contains_key(AUTHORIZATION)
    }
}

#[async_trait]
impl Middleware for BearerToken {
    async fn handle(&self, mut request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        if !self.is_for(&request) {
            return next.run(request, extensions).await;
        }
        let again = request.try_clone();
        let token = self.client.token_with(&self.name, self.options).await.map_err(Error::middleware)?;
        authorize(&mut request, &token)?;
        let response = next.clone().run(request, extensions).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let replaced = self.client.reject(&token).await;
        match (replaced, again) {
            (Ok(other), Some(mut request)) if other.fingerprint() != token.fingerprint() => {
                drop(response);
                authorize(&mut request, &other)?;
                next.run(request, extensions).await
            }
            (Ok(_), _) => Ok(response),
            (Err(error), _) => {
                tracing::debug!(%error, "there is no other token for a request that was answered 401");
                Ok(response)
            }
        }
    }
}

/// The header is marked as sensitive: whoever logs headers does not show it.
fn authorize(request: &mut Request, token: &Token) -> Result<()> {
    let text = Zeroizing::new(format!("{} {}", token.scheme(), token.secret()));
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).map_err(Error::middleware)?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}
