//! Tokens on the requests of a `reqwest` client, by way of the crate `reqwest-middleware`.

use async_trait::async_trait;
use bytes::Bytes;
use http::Extensions;
use reqwest_middleware::reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest_middleware::reqwest::{Request, Response, StatusCode};
use reqwest_middleware::{Error, Middleware, Next, Result};
use zeroize::Zeroizing;

use crate::{Client, Token, TokenOptions};

/// Puts the newest token of a name on each request. After a 401 it has that token replaced and sends the request once
/// more.
///
/// Use it with a `reqwest` client that speaks only with this API, or name the API's hosts with [`BearerToken::host`]:
/// otherwise other hosts get the token too. A request that has an `Authorization` header keeps it. (`reqwest` drops the
/// header when it follows a redirect to another host.)
///
/// After each 401 the daemon learns of it. The middleware sends the request again only if it can clone it (it cannot
/// clone a body that is a stream) and if there is another token. Otherwise, and when the API refuses the second token
/// too, the caller gets the 401.
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

    /// The minimum life of the tokens and the limit to waiting.
    #[must_use]
    pub fn options(mut self, options: TokenOptions) -> Self {
        self.options = options;
        self
    }

    /// Only requests to this host get a token. Write it as in a URL, without the port. Call this several times for
    /// several hosts.
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

/// The header is marked as sensitive, so that code that logs headers does not show it.
fn authorize(request: &mut Request, token: &Token) -> Result<()> {
    let text = Zeroizing::new(format!("{} {}", token.scheme(), token.secret()));
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).map_err(Error::middleware)?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}
