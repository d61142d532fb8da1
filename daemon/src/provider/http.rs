//! The HTTP client: time-outs, limits, proxies, and what it never does (follow redirects, repeat a request,
//! speak plain http to another machine).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, StatusCode, Url, redirect, retry};
use tokio::sync::OnceCell;
use url::Host;
use zeroize::Zeroizing;

use super::body::{self, BodyFault};
use super::classify::{self, Asked};
use super::form::Form;
use super::trust::{Circle, Trust};
use crate::core::exchange::{Failure, FailureKind, LOGIN_STEPS};
use crate::core::settings::{Kind, Profile};
use crate::core::time::Boot;
use crate::system::clock::Clock;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// Until there is a connection, names resolved and TLS agreed. Shorter than `whole`: see
    /// [`classify::transport`].
    pub(super) connect: Duration,
    /// Until the last byte of the answer.
    pub(super) whole: Duration,
    /// Between the steps of a login.
    pub(super) login_pause: Duration,
    /// From its first step to the begin of its last.
    pub(super) login_steps: Duration,
}

impl Timing {
    pub(super) const PRODUCTION: Self = Self {
        connect: Duration::from_secs(5),
        whole: Duration::from_secs(30),
        // One step a second is the provider's limit.
        login_pause: Duration::from_secs(1),
        login_steps: LOGIN_STEPS,
    };
}

/// Longest token response or step of a login.
const MAX_TOKEN_BODY: usize = 256 * 1024;

/// Longest page of 300 tenants: 8 KiB for each and as much for the whole again.
pub(super) const MAX_TENANTS_BODY: usize = 4 * 1024 * 1024;

/// Connections kept per host, for tenants in a row; Classic keeps none.
const IDLE_CONNECTIONS: usize = 2;

/// Shorter than what servers usually keep, so that we are the ones to close.
const IDLE_TIME: Duration = Duration::from_secs(15);

const USER_AGENT: &str = concat!("tokend/", env!("CARGO_PKG_VERSION"));

/// A request, ready to go.
pub(super) struct Request {
    asked: Asked,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    limit: usize,
}

impl Request {
    pub(super) fn post(asked: Asked, url: Url) -> Self {
        Self { asked, method: Method::POST, url, headers: HeaderMap::new(), body: Bytes::new(), limit: MAX_TOKEN_BODY }
    }

    pub(super) fn get(asked: Asked, url: Url, limit: usize) -> Self {
        Self { asked, method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new(), limit }
    }

    pub(super) fn form(self, form: Form) -> Self {
        self.body("application/x-www-form-urlencoded", form.into_body())
    }

    pub(super) fn json(self, body: Bytes) -> Self {
        self.body("application/json", body)
    }

    fn body(mut self, content_type: &'static str, body: Bytes) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body;
        self
    }

    /// A header that nobody shall see in a log: a secret behind a prefix.
    pub(super) fn secret_header(mut self, name: &'static str, prefix: &str, secret: &str) -> Result<Self, Failure> {
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + secret.len()));
        text.push_str(prefix);
        text.push_str(secret);
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).map_err(|_| {
            classify::not_sent(self.asked, FailureKind::Transient, "a token holds characters that no header may hold")
        })?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }
}

/// An answer with its body, as far as that could be read.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Result<Zeroizing<Vec<u8>>, BodyFault>,
}

/// The clients, each made when it is first needed.
pub(super) struct Http {
    timing: Timing,
    clock: Clock,
    trust: Arc<Trust>,
    clients: Mutex<HashMap<(Circle, Way), Slot>>,
}

/// Of a client that is made once.
type Slot = Arc<OnceCell<Client>>;

/// How connections are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Way {
    /// To this machine; else through the environment's proxy, if it names one.
    loopback: bool,
    /// A new one each time.
    fresh: bool,
}

impl Http {
    pub(super) fn new(timing: Timing, trust: Trust) -> Self {
        Self { timing, clock: Clock::new(), trust: Arc::new(trust), clients: Mutex::default() }
    }

    pub(super) fn timing(&self) -> Timing {
        self.timing
    }

    /// Boot time, which goes on in suspend.
    pub(super) fn boot(&self) -> Boot {
        self.clock.boot()
    }

    /// Sends once and reads the answer, whatever its status. Fails only if there is none.
    pub(super) async fn send(&self, profile: &Profile, request: Request) -> Result<Reply, Failure> {
        let Request { asked, method, url, headers, body, limit } = request;
        if url.scheme() != "https" && !is_loopback_address(&url) {
            let why = "without TLS only 127.0.0.0/8 and [::1] are spoken to";
            return Err(classify::not_sent(asked, FailureKind::Transient, why));
        }
        let way = Way { loopback: is_loopback(&url), fresh: matches!(profile.kind, Kind::Classic { .. }) };
        let client = self.client(self.trust.circle(&profile.name), way).await;
        let client = client.map_err(|error| classify::transport(asked, &error))?;
        let sent = client.request(method, url).header(ACCEPT, "application/json").headers(headers).body(body);
        let response = sent.send().await.map_err(|error| classify::transport(asked, &error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Reply { status, headers, body: body::read(response, limit).await })
    }

    /// The first one of a circle is made on a thread where it may take its time: the system's store is read for it, and
    /// nothing else that the core decides has to wait.
    async fn client(&self, circle: Circle, way: Way) -> reqwest::Result<Client> {
        let slot = {
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(clients.entry((circle, way)).or_default())
        };
        let make = || async {
            let (trust, timing) = (Arc::clone(&self.trust), self.timing);
            let made = tokio::task::spawn_blocking(move || build(&trust, timing, circle, way)).await;
            made.expect("a panic has ended the process, and a runtime that ends polls nobody")
        };
        slot.get_or_try_init(make).await.cloned()
    }
}

fn build(trust: &Trust, timing: Timing, circle: Circle, way: Way) -> reqwest::Result<Client> {
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .tls_backend_preconfigured(trust.tls(circle))
        .http1_only()
        .https_only(!way.loopback)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .connect_timeout(timing.connect)
        .timeout(timing.whole)
        .pool_idle_timeout(IDLE_TIME)
        // A kept connection may be half dead, and then nobody knows whether a refresh token was spent.
        .pool_max_idle_per_host(if way.fresh { 0 } else { IDLE_CONNECTIONS });
    if way.loopback {
        builder = builder.no_proxy();
    }
    builder.build()
}

/// Written as an address: a name could resolve to anywhere.
fn is_loopback_address(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    is_loopback_address(url) || url.host() == Some(Host::Domain("localhost"))
}

/// An endpoint's URL with a path and a query put to it.
pub(super) fn url(asked: Asked, base: &str, path: std::fmt::Arguments<'_>) -> Result<Url, Failure> {
    Url::parse(&format!("{base}{path}"))
        .map_err(|_| classify::not_sent(asked, FailureKind::Transient, "the configured URL is not one"))
}
