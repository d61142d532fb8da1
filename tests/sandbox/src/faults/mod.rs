//! Misbehaviour on demand.

mod catalog;
mod effect;
mod odd;
mod saying;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Endpoint;
pub use catalog::catalog;
pub use odd::Odd;
pub use saying::Saying;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// An error status with the family's own body: 500, 502, 503, 504 or any other.
    Status {
        /// The status.
        status: u16,
        /// The text of `Retry-After`: seconds or a date.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// 429.
    TooMany(RetryHint),
    /// The answer comes so many milliseconds later. It adds to whichever other fault strikes.
    Delay(u64),
    /// The connection is reset without an answer.
    Reset,
    /// The body ends after so many bytes, at most one short of all of it.
    Truncated(usize),
    /// 200 with a page of HTML, as a captive portal has it.
    Html,
    /// 200 and nothing.
    Empty,
    /// 200 and that many bytes, 256 MiB at most, of JSON text that does not come to an end.
    Huge(usize),
    /// 200 and bytes that are no UTF-8.
    NotUtf8,
    /// 200 and this JSON.
    OtherShape(Value),
    /// `expires_in` is this text, which need not be JSON, or missing. Only answers that hold one change.
    ExpiresIn(Option<String>),
    /// The access token is this text. Only answers that hold one change.
    AccessToken(String),
    /// 302 to this location.
    Redirect(String),
    /// Something else speaks, or the provider says what is not so.
    Says(Saying),
    /// The answer is right and odd.
    Odd(Odd),
}

/// Where a 429 says how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryHint {
    /// Nowhere.
    None,
    /// Seconds in `Retry-After`.
    RetryAfter(u64),
    /// Seconds in `ratelimit-reset`, as GreenLake has it.
    RatelimitReset(u64),
    /// Seconds at the end of the body's `message`, as a Classic login has it.
    Message(u64),
    /// So many seconds from now, as a date in `Retry-After`.
    RetryAfterDate(u64),
    /// So many seconds from now, as a date-time (UTC) in `X-RateLimit-Reset`, as Central's specification has it.
    ResetDate(u64),
    /// So many seconds from now, in `X-RateLimit-Reset`, counted from 1970.
    ResetEpoch(u64),
}

/// Whether the request is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// No: the fault answers in the provider's place.
    Before,
    /// Yes: the state changes, and the fault spoils the answer.
    After,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// For the next so many requests that match.
    Count(u32),
    /// Until it is taken away.
    Forever,
    /// For each request that matches with this probability, from 0 to 1.
    Chance(f64),
}

/// A fault, for whom, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What goes wrong.
    pub fault: Fault,
    /// Where; nothing: everywhere.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// For this client only.
    #[serde(default)]
    pub client_id: Option<String>,
    /// For this id in the path only: a workspace or a tenant.
    #[serde(default)]
    pub id: Option<String>,
    /// How often.
    #[serde(default = "once")]
    pub times: Times,
    /// Whether the request is carried out. [`Fault::Truncated`], [`Fault::ExpiresIn`], [`Fault::AccessToken`] and
    /// [`Fault::Odd`] spoil an answer, so theirs always is.
    #[serde(default = "before")]
    pub stage: Stage,
}

/// Names a rule, to take it away again.
pub type RuleId = u64;

fn once() -> Times {
    Times::Count(1)
}

fn before() -> Stage {
    Stage::Before
}

impl FaultRule {
    /// The fault once, anywhere, in the provider's place.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { fault, endpoints: Vec::new(), client_id: None, id: None, times: once(), stage: before() }
    }

    /// At this endpoint too; the first one named takes away "anywhere".
    #[must_use]
    pub fn at(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// For this client only.
    #[must_use]
    pub fn client(mut self, client_id: &str) -> Self {
        self.client_id = Some(client_id.to_owned());
        self
    }

    /// For this workspace or tenant in the path only.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// For so many requests.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self { times: Times::Count(count), ..self }
    }

    /// Until it is taken away.
    #[must_use]
    pub fn forever(self) -> Self {
        Self { times: Times::Forever, ..self }
    }

    /// With this probability for each request.
    #[must_use]
    pub fn chance(self, probability: f64) -> Self {
        Self { times: Times::Chance(probability), ..self }
    }

    /// The request is carried out and the answer spoilt.
    #[must_use]
    pub fn after_handling(self) -> Self {
        Self { stage: Stage::After, ..self }
    }

    fn matches(&self, endpoint: Endpoint, client_id: Option<&str>, id: Option<&str>) -> bool {
        let here = self.endpoints.is_empty() || self.endpoints.contains(&endpoint);
        let theirs = self.client_id.is_none() || self.client_id.as_deref() == client_id;
        here && theirs && (self.id.is_none() || self.id.as_deref() == id)
    }

    fn stage(&self) -> Stage {
        match self.fault {
            Fault::Truncated(_) | Fault::ExpiresIn(_) | Fault::AccessToken(_) | Fault::Odd(_) => Stage::After,
            _ => self.stage,
        }
    }
}

/// The rules in force.
#[derive(Clone, Default)]
pub(super) struct Faults {
    rules: Vec<(RuleId, FaultRule)>,
    last: RuleId,
}

/// What strikes one request.
pub(super) struct Hit {
    pub(super) delay: u64,
    pub(super) fault: Option<(Fault, Stage)>,
}

impl Faults {
    fn add(&mut self, rule: FaultRule) -> RuleId {
        self.last += 1;
        self.rules.push((self.last, rule));
        self.last
    }

    /// The first rule that strikes, and the first delay. Chances share the roll: two of 0.3 strike 0.6 of the time.
    pub(super) fn draw(&mut self, endpoint: Endpoint, client_id: Option<&str>, id: Option<&str>, roll: f64) -> Hit {
        let mut hit = Hit { delay: 0, fault: None };
        let (mut fault_roll, mut delay_roll) = (roll, roll);
        for (_, rule) in self.rules.iter_mut().filter(|(_, rule)| rule.matches(endpoint, client_id, id)) {
            let is_delay = matches!(rule.fault, Fault::Delay(_));
            if if is_delay { hit.delay > 0 } else { hit.fault.is_some() } {
                continue;
            }
            let roll = if is_delay { &mut delay_roll } else { &mut fault_roll };
            let strikes = match &mut rule.times {
                Times::Forever => true,
                Times::Count(left) => {
                    let some = *left > 0;
                    *left = left.saturating_sub(1);
                    some
                }
                Times::Chance(probability) => {
                    *roll -= *probability;
                    *roll < 0.0
                }
            };
            match rule.fault {
                Fault::Delay(millis) if strikes => hit.delay = millis,
                _ if strikes => hit.fault = Some((rule.fault.clone(), rule.stage())),
                _ => {}
            }
        }
        self.rules.retain(|(_, rule)| rule.times != Times::Count(0));
        hit
    }
}

impl super::Provider {
    /// Puts a fault into force.
    pub fn add_fault(&mut self, rule: FaultRule) -> RuleId {
        self.faults.add(rule)
    }

    /// Takes a fault away; false when it is used up or never was.
    pub fn remove_fault(&mut self, id: RuleId) -> bool {
        let before = self.faults.rules.len();
        self.faults.rules.retain(|(rule, _)| *rule != id);
        before != self.faults.rules.len()
    }

    /// Takes all faults away.
    pub fn clear_faults(&mut self) {
        self.faults.rules.clear();
    }

    /// The faults in force, with what is left of their counts.
    pub fn fault_rules(&self) -> impl Iterator<Item = &(RuleId, FaultRule)> {
        self.faults.rules.iter()
    }
}

#[cfg(test)]
mod odd_tests;
#[cfg(test)]
mod tests;
