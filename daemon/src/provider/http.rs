//! The HTTP client: time-outs, limits, proxies, and what it never does (follow redirects, repeat a request,
//! speak plain http to another machine).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap};
use reqwest::{Client, RequestBuilder, StatusCode, Url, redirect, retry};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use url::Host;
use zeroize::Zeroizing;

use super::body::{self, Body, BodyFault};
use super::gate::Gate;
use super::reply::Reply;
use super::request::Request;
use super::resolver::Resolver;
use super::system_store::Roots;
use super::timing::Timing;
use super::trust::{Trust, TrustGroup};
use super::{classify, deadline};
use crate::core::provider::{Failure, FailureKind};
use crate::core::settings::{Kind, Profile};
use crate::core::time::BootTime;
use crate::os::clock;
use crate::os::process::KEPT_CONNECTIONS;

/// Connections kept per host, for tenants in a row; Classic keeps none.
const IDLE_CONNECTIONS: usize = 2;

/// Shorter than what servers usually keep, so that we are the ones to close.
const IDLE_TIME: Duration = Duration::from_secs(15);

/// Headers of one answer. The HTTP library has 100, and a limit of its own for their bytes.
const MAX_HEADERS: usize = 1024;

const USER_AGENT: &str = concat!("tokend/", env!("CARGO_PKG_VERSION"));

/// What has come of an answer so far.
#[derive(Default)]
struct Arrived {
    head: Option<(StatusCode, HeaderMap)>,
    bytes: Zeroizing<Vec<u8>>,
}

/// Sends, and puts what comes where it outlives this future.
async fn receive(
    request: RequestBuilder,
    limit: usize,
    arrived: &mut Arrived,
) -> reqwest::Result<Result<(), BodyFault>> {
    let response = request.send().await?;
    arrived.head = Some((response.status(), response.headers().clone()));
    Ok(body::read(response, limit, &mut arrived.bytes).await)
}

/// The clients, each made when it is first needed.
pub(super) struct Http {
    timing: Timing,
    trust: Trust,
    /// With the number of the system's authorities that each was made with.
    clients: Mutex<HashMap<(TrustGroup, ConnectMode), (u64, Client)>>,
    /// Connections are kept for further requests.
    keeps: bool,
}

/// How connections are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ConnectMode {
    /// To this machine; else through the environment's proxy, if it names one.
    loopback: bool,
    /// A new one each time.
    fresh: bool,
}

impl Http {
    pub(super) fn new(timing: Timing, trust: Trust) -> Self {
        Self { timing, trust, clients: Mutex::default(), keeps: true }
    }

    /// Keeps none where there are so many hosts that they would take more descriptors than are kept back for them.
    pub(super) fn keeping_connections_to(self, hosts: usize) -> Self {
        Self { keeps: hosts.saturating_mul(IDLE_CONNECTIONS) <= KEPT_CONNECTIONS, ..self }
    }

    pub(super) fn timing(&self) -> Timing {
        self.timing
    }

    /// Boot time, which goes on in suspend.
    pub(super) fn boot(&self) -> BootTime {
        clock::boot()
    }

    /// Sends once and reads the answer, whatever its status. Fails only if there is none.
    pub(super) async fn send(&self, profile: &Profile, request: Request) -> Result<Reply, Failure> {
        let Request { asked, method, url, headers, body } = request;
        if url.scheme() != "https" && !is_loopback_address(&url) {
            let why = "without TLS only 127.0.0.0/8 and [::1] are spoken to";
            return Err(classify::not_sent(asked, FailureKind::Transient, why));
        }
        let way = ConnectMode {
            loopback: is_loopback(&url),
            fresh: !self.keeps || matches!(profile.kind, Kind::Classic { .. }),
        };
        let group = self.trust.group(&profile.name);
        let roots = self.trust.roots(group, self.boot()).await.map_err(|why| {
            let why = format!("the system's certificate store cannot be read: {why}");
            classify::not_sent(asked, FailureKind::Transient, &why)
        })?;
        let extra = self.trust.authorities(group).await.map_err(|why| {
            let why = format!("ca_file {why}; it is read again with each attempt");
            classify::not_sent(asked, FailureKind::Transient, &why)
        })?;
        let client = self.client(group, (&roots, &extra), way);
        let client = client.map_err(|error| classify::transport(asked, &error, false))?;
        let gate = Gate::default();
        let request = client
            .request(method, url)
            .header(ACCEPT, "application/json")
            // A compressed answer is read all the same: see `coding`.
            .header(ACCEPT_ENCODING, "identity")
            .headers(headers)
            .body(gate.body(body));
        let mut arrived = Arrived::default();
        let exchange = receive(request, asked.limit(), &mut arrived);
        let ended = deadline::answer_first(exchange, self.timing, &gate).await;
        let Arrived { head, bytes } = arrived;
        let Some((status, headers)) = head else {
            let on_its_way = !gate.close();
            return Err(match ended {
                Some(Err(error)) => {
                    if classify::is_of_unknown_authority(&error) {
                        self.trust.doubt();
                    }
                    classify::transport(asked, &error, on_its_way)
                }
                Some(Ok(_)) | None => classify::out_of_time(asked, on_its_way),
            });
        };
        let end = match ended {
            Some(Ok(end)) => end,
            Some(Err(_)) => Err(BodyFault::BrokenOff),
            None => Err(BodyFault::TimedOut),
        };
        Ok(Reply::new(status, headers, Body { bytes, end }, asked.limit()))
    }

    /// It is made when it is first needed, and when the system trusts others than before.
    fn client(
        &self,
        group: TrustGroup,
        (roots, extra): (&Roots, &[CertificateDer<'static>]),
        way: ConnectMode,
    ) -> reqwest::Result<Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((number, client)) = clients.get(&(group, way))
            && *number == roots.number
        {
            return Ok(client.clone());
        }
        let client = build(self.trust.tls(group, roots, extra), self.timing, way)?;
        clients.insert((group, way), (roots.number, client.clone()));
        Ok(client)
    }
}

fn build(tls: ClientConfig, timing: Timing, way: ConnectMode) -> reqwest::Result<Client> {
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .tls_backend_preconfigured(tls)
        // Somewhat less, so that what it says of a look-up is heard.
        .dns_resolver(Arc::new(Resolver::new(timing.connect * 9 / 10)))
        .http1_only()
        .https_only(!way.loopback)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        // The time-out of the whole request is in `deadline`.
        .connect_timeout(timing.connect)
        // What curl takes is taken: an answer is not thrown away for a header that nobody reads.
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_max_headers(MAX_HEADERS)
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
