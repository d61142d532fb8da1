//! One request after the other: what comes in, what goes out, what is written down.

use std::fmt;

use serde_json::json;
use tokend_proto::{Fingerprint, Secret};

use super::call::Call;
use super::faults::{Faults, Hit, Stage};
use super::limits::Limiter;
use super::log::{Entry, Log};
use super::mint::Mint;
use super::state::State;
use super::{Ending, Endpoint, Lives, Now, Quirks, RateLimits, Request, Response};

/// The whole provider as a value.
#[derive(Clone)]
pub struct Provider {
    pub(super) state: State,
    pub(super) mint: Mint,
    pub(super) lives: Lives,
    pub(super) quirks: Quirks,
    pub(super) limiter: Limiter,
    pub(super) faults: Faults,
    pub(super) log: Log,
}

/// What becomes of a request, so that a simulation can act it out as well as the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Milliseconds to wait before the ending. What the request changes has happened by then.
    pub delay: u64,
    /// What the client sees in the end.
    pub ending: Ending,
}

impl Outcome {
    /// The response that arrives whole, if one does.
    #[must_use]
    pub fn reply(self) -> Option<Response> {
        match self.ending {
            Ending::Reply(response) => Some(response),
            _ => None,
        }
    }
}

/// What a handler made of a call.
pub(super) struct Answer {
    pub(super) response: Response,
    /// The access token that was issued.
    pub(super) issued: Option<Fingerprint>,
}

impl Answer {
    pub(super) fn issued(response: Response, token: &str) -> Self {
        Self { response, issued: Some(fingerprint(token)) }
    }
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self { response, issued: None }
    }
}

pub(super) fn fingerprint(token: &str) -> Fingerprint {
    Fingerprint::of(&Secret::from(token))
}

impl Provider {
    /// An empty provider. Everything it will ever issue follows from the seed and the requests.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            state: State::default(),
            mint: Mint::new(seed),
            lives: Lives::default(),
            quirks: Quirks::default(),
            limiter: Limiter::default(),
            faults: Faults::default(),
            log: Log::default(),
        }
    }

    /// Carries out one request; faults by chance roll with the provider's own seed.
    pub fn handle(&mut self, now: Now, request: &Request) -> Outcome {
        let roll = self.mint.roll();
        self.handle_rolled(now, request, roll)
    }

    /// The same with the caller's roll, from 0 up to, but not including, 1, for the faults that have a chance.
    pub fn handle_rolled(&mut self, now: Now, request: &Request, roll: f64) -> Outcome {
        let call = Call::read(request);
        let mut entry = self.entry(now, &call);
        let Hit { delay, fault } = self.faults.draw(call.endpoint, entry.client_id.as_deref(), call.id, roll);
        entry.fault = fault.as_ref().map(|(fault, _)| fault.name());
        let ending = match fault {
            Some((fault, Stage::Before)) => fault.before(now, call.endpoint),
            fault => {
                let answer = self.carry_out(now, &call, entry.client_id.as_deref());
                entry.handled = true;
                entry.status = Some(answer.response.status);
                entry.issued = answer.issued;
                match fault {
                    Some((fault, _)) => fault.after(now, answer.response, call.endpoint),
                    None => Ending::Reply(answer.response),
                }
            }
        };
        if let Some(response) = ending.response() {
            entry.status = Some(response.status);
        }
        self.log.push(entry);
        Outcome { delay, ending }
    }

    fn entry(&self, now: Now, call: &Call<'_>) -> Entry {
        let short = |id: String| id.chars().take(Entry::LONGEST_NAME).collect();
        let client_id = call.client_id(&self.state).map(short);
        let place = call.id.filter(|id| id.len() <= Entry::LONGEST_NAME).map(str::to_owned);
        let is_tenant = matches!(call.endpoint, Endpoint::TenantExchange | Endpoint::TenantApi | Endpoint::MspTenant);
        let (workspace, tenant) = if is_tenant { (None, place) } else { (place, None) };
        let presented = call.presented().map(fingerprint);
        Entry { at: now, client_id, workspace, tenant, presented, ..Entry::new(call.endpoint) }
    }

    fn carry_out(&mut self, now: Now, call: &Call<'_>, client_id: Option<&str>) -> Answer {
        let known = client_id.filter(|id| self.state.clients.contains_key(*id));
        let mut headers = Vec::new();
        if let Err(refusal) = self.limiter.admit(now, call.endpoint, known, &mut headers) {
            return refusal.into();
        }
        let mut answer = self.dispatch(now, call);
        answer.response.headers.extend(headers);
        answer
    }

    fn dispatch(&mut self, now: Now, call: &Call<'_>) -> Answer {
        match call.endpoint {
            Endpoint::CentralToken => self.central_token(now, call),
            Endpoint::WorkspaceToken => self.workspace_token(now, call),
            Endpoint::TenantExchange => self.tenant_exchange(now, call),
            Endpoint::MspTenants => self.msp_tenants(now, call).into(),
            Endpoint::MspTenant => self.msp_tenant(now, call).into(),
            Endpoint::CentralTenants => self.central_tenants(now, call).into(),
            Endpoint::ClassicRefresh => self.classic_refresh(now, call),
            Endpoint::ClassicCode => self.classic_code(now, call),
            Endpoint::Login => self.login(now, call).into(),
            Endpoint::Authorize => self.authorize(now, call).into(),
            Endpoint::ClearpassToken => self.clearpass_token(now, call),
            Endpoint::StrictToken => self.strict_token(now, call),
            Endpoint::CentralApi | Endpoint::TenantApi | Endpoint::GreenlakeApi | Endpoint::ClearpassApi => {
                self.api(now, call).into()
            }
            Endpoint::ClassicApi => self.classic_api(now, call).into(),
            Endpoint::Unknown => Response::json(call.refused, &json!({ "message": "no such endpoint" })).into(),
        }
    }

    /// How long things live from now on.
    #[must_use]
    pub fn lives(&self) -> Lives {
        self.lives
    }

    /// Changes how long things live that are issued from now on.
    pub fn set_lives(&mut self, lives: Lives) {
        self.lives = lives;
    }

    /// How the provider behaves where nobody is certain.
    #[must_use]
    pub fn quirks(&self) -> Quirks {
        self.quirks
    }

    /// Changes how the provider behaves where nobody is certain.
    pub fn set_quirks(&mut self, quirks: Quirks) {
        self.mint.put_colons(quirks.colon_in_tokens);
        self.quirks = quirks;
    }

    /// Switches rate limits on or off; what was counted so far is forgotten.
    pub fn set_rate_limits(&mut self, limits: RateLimits) {
        self.limiter = Limiter::new(limits);
    }

    /// What was asked, newest last.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// How many requests an endpoint has seen since the start or the last [`Provider::clear_log`], faults included.
    #[must_use]
    pub fn count(&self, endpoint: Endpoint) -> u64 {
        self.log.count(endpoint)
    }

    /// Forgets the log and starts counting anew.
    pub fn clear_log(&mut self) {
        self.log.clear();
    }
}

/// Names what is there, and no secret.
impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = self.state.clients.keys().collect::<Vec<_>>();
        f.debug_struct("Provider").field("clients", &clients).field("log", &self.log).finish_non_exhaustive()
    }
}
