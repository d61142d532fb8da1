//! The operator's and the faults' methods over HTTP, for a sandbox in another process.
//!
//! | request | body | answer |
//! | --- | --- | --- |
//! | `GET /sandbox/log?after=SEQ` | | `{"seen", "entries"}`, the entries after that number |
//! | `GET /sandbox/counts` | | requests by endpoint |
//! | `POST /sandbox/clear-log` | | `{}` |
//! | `GET /sandbox/faults` | | a list of `[id, rule]` |
//! | `POST /sandbox/faults` | a [`FaultRule`] | `{"id"}` |
//! | `DELETE /sandbox/faults`, `DELETE /sandbox/faults/ID` | | `{}` |
//! | `POST /sandbox/lives` | members of [`Lives`] to change | all of them |
//! | `POST /sandbox/quirks` | members of [`Quirks`] to change | all of them |
//! | `POST /sandbox/rate-limits` | [`RateLimits`]; those left out are off | `{}` |
//! | `POST /sandbox/revoke` | `{"chain": N}` | `{}` |
//! | `POST /sandbox/kill` | `{"client_id"}` or `{"fingerprint"}`: access tokens only | `{"killed": N}` |
//! | `POST /sandbox/add-secret` | `{"client_id", "client_secret"}`: one more that is taken | `{}` |
//! | `POST /sandbox/reset` | `{"client_id"}` | the new credentials |
//! | `POST /sandbox/download-token` | `{"client_id"}` | a Download Token |
//! | `POST /sandbox/tenants` | `{"workspace", "name"}` | `{"id"}` |
//!
//! A rule is written as `{"fault": {"status": {"status": 503}}, "endpoints": ["classic-refresh"], "times":
//! {"count": 3}, "stage": "after"}`; `"reset"`, `"html"` and their like are plain strings, `"forever"` too.
//! [`catalog`](super::catalog) has all of them, and `sandbox --help` prints it.
//! What is wrong with a request is said in a 400's `{"error"}`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokend_proto::Fingerprint;

use super::{FaultRule, Lives, Now, OperatorError, Provider, Quirks, RateLimits, Request, Response};

/// What the paths begin with.
pub const PREFIX: &str = "/sandbox/";

/// Carries out one request to the operator's interface.
pub fn handle(provider: &mut Provider, now: Now, request: &Request) -> Response {
    match act(provider, now, request) {
        Ok(body) => Response::json(200, &body),
        Err(Refusal { status, message }) => Response::json(status, &json!({ "error": message })),
    }
}

struct Refusal {
    status: u16,
    message: String,
}

impl From<OperatorError> for Refusal {
    fn from(error: OperatorError) -> Self {
        Self { status: 400, message: error.to_string() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfClient {
    client_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSecret {
    client_id: String,
    client_secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfChain {
    chain: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Kill {
    ClientId(String),
    Fingerprint(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    workspace: String,
    name: String,
}

fn act(provider: &mut Provider, now: Now, request: &Request) -> Result<Value, Refusal> {
    let what = request.path.strip_prefix(PREFIX).unwrap_or_default();
    match (request.method.as_str(), what) {
        ("GET", "log") => return Ok(log(provider, request)),
        ("GET", "counts") => return Ok(plain(provider.log().counts())),
        ("POST", "clear-log") => provider.clear_log(),
        ("GET", "faults") => return Ok(plain(&provider.fault_rules().collect::<Vec<_>>())),
        ("POST", "faults") => return Ok(json!({ "id": provider.add_fault(read::<FaultRule>(request)?) })),
        ("DELETE", "faults") => provider.clear_faults(),
        ("POST", "lives") => {
            let lives: Lives = changed(&provider.lives(), request)?;
            provider.set_lives(lives);
            return Ok(plain(&lives));
        }
        ("POST", "quirks") => {
            let quirks: Quirks = changed(&provider.quirks(), request)?;
            provider.set_quirks(quirks);
            return Ok(plain(&quirks));
        }
        ("POST", "rate-limits") => provider.set_rate_limits(read::<RateLimits>(request)?),
        ("POST", "revoke") => provider.revoke(read::<OfChain>(request)?.chain)?,
        ("POST", "kill") => return kill(provider, read(request)?),
        ("POST", "add-secret") => {
            let NewSecret { client_id, client_secret } = read(request)?;
            provider.add_secret(&client_id, &client_secret)?;
        }
        ("POST", "reset") => return Ok(plain(&provider.reset_credentials(&read::<OfClient>(request)?.client_id)?)),
        ("POST", "download-token") => {
            return Ok(plain(&provider.download_token(now, &read::<OfClient>(request)?.client_id)?));
        }
        ("POST", "tenants") => {
            let NewTenant { workspace, name } = read(request)?;
            return Ok(json!({ "id": provider.add_tenant(&workspace, &name)? }));
        }
        ("DELETE", what) => {
            let id = what.strip_prefix("faults/").and_then(|id| id.parse().ok());
            if !id.is_some_and(|id| provider.remove_fault(id)) {
                return Err(Refusal { status: 404, message: "no such fault".to_owned() });
            }
        }
        _ => return Err(Refusal { status: 404, message: format!("no such request: {} {what}", request.method) }),
    }
    Ok(json!({}))
}

fn log(provider: &Provider, request: &Request) -> Value {
    let pairs = url::form_urlencoded::parse(request.query.as_bytes());
    let after = pairs.filter(|(name, _)| name == "after").find_map(|(_, seq)| seq.parse().ok()).unwrap_or(0);
    let entries: Vec<_> = provider.log().entries().filter(|entry| entry.seq > after).collect();
    json!({ "seen": provider.log().seen(), "entries": entries })
}

fn kill(provider: &mut Provider, which: Kill) -> Result<Value, Refusal> {
    let killed = match which {
        Kill::ClientId(id) => provider.kill_access_tokens(&id),
        Kill::Fingerprint(text) => {
            let which: Fingerprint = text.parse().map_err(|error| bad(&error))?;
            usize::from(provider.kill_access_token(which))
        }
    };
    Ok(json!({ "killed": killed }))
}

/// Settings with the request's members in place of the present ones.
fn changed<T: Serialize + DeserializeOwned>(present: &T, request: &Request) -> Result<T, Refusal> {
    let mut all = plain(present);
    if let (Value::Object(all), Value::Object(members)) = (&mut all, read::<Value>(request)?) {
        all.extend(members);
    }
    serde_json::from_value(all).map_err(|error| bad(&error))
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
    serde_json::from_slice(&request.body).map_err(|error| bad(&error))
}

fn bad(error: &dyn std::error::Error) -> Refusal {
    Refusal { status: 400, message: error.to_string() }
}

fn plain<T: Serialize + ?Sized>(value: &T) -> Value {
    serde_json::to_value(value).expect("the sandbox's own types have string keys and cannot fail")
}

#[cfg(test)]
mod tests {
    use super::super::{Endpoint, Fault, Population, Times};
    use super::*;

    fn post(provider: &mut Provider, what: &str, body: Value) -> Response {
        handle(provider, 5, &Request::json(&format!("{PREFIX}{what}"), &body))
    }

    #[test]
    fn a_rule_is_read_as_it_is_documented() {
        let mut provider = Provider::new(1);
        let rule = json!({ "fault": { "status": { "status": 503 } }, "endpoints": ["classic-refresh"],
            "times": { "count": 3 }, "stage": "after" });
        assert_eq!(post(&mut provider, "faults", rule).value(), json!({ "id": 1 }));
        let expected = FaultRule::new(Fault::Status { status: 503, retry_after: None });
        let expected = expected.at(Endpoint::ClassicRefresh).times(3).after_handling();
        assert_eq!(provider.fault_rules().next(), Some(&(1, expected)));
        post(&mut provider, "faults", json!({ "fault": "reset", "times": "forever" }));
        assert_eq!(provider.fault_rules().nth(1).map(|(_, rule)| rule.times), Some(Times::Forever));
        assert_eq!(handle(&mut provider, 5, &Request::new("DELETE", "/sandbox/faults/1")).status, 200);
        assert_eq!(handle(&mut provider, 5, &Request::new("DELETE", "/sandbox/faults/1")).status, 404);
        assert_eq!(handle(&mut provider, 5, &Request::new("DELETE", "/sandbox/faults")).status, 200);
        assert_eq!(provider.fault_rules().count(), 0);
    }

    #[test]
    fn lives_and_quirks_change_member_by_member() {
        let mut provider = Provider::new(1);
        assert_eq!(post(&mut provider, "lives", json!({ "central": 5 })).value()["classic"], json!(7200));
        assert_eq!(provider.lives(), Lives { central: 5, ..Lives::default() });
        post(&mut provider, "quirks", json!({ "offset_counts": "pages", "refresh_race": 9 }));
        assert_eq!((provider.quirks().refresh_race, provider.quirks().hyphens_refused), (9, true));
        assert_eq!(post(&mut provider, "lives", json!({ "centrall": 5 })).status, 400);
    }

    #[test]
    fn tokens_are_made_killed_and_revoked() {
        let (mut provider, world) = Population::settle(1);
        let client = json!({ "client_id": world.classic.client_id });
        let token = post(&mut provider, "download-token", client.clone()).value();
        assert_eq!(token["created_at"], json!(5));
        assert_eq!(post(&mut provider, "kill", client.clone()).value(), json!({ "killed": 1 }));
        assert_eq!(post(&mut provider, "revoke", json!({ "chain": token["id"] })).status, 200);
        assert_eq!(post(&mut provider, "revoke", json!({ "chain": token["id"] })).status, 400);
        let secret = json!({ "client_id": world.classic.client_id, "client_secret": "one more" });
        assert_eq!(post(&mut provider, "add-secret", secret).status, 200);
        let new = post(&mut provider, "reset", client).text("client_secret");
        assert_ne!(new, world.classic.client_secret);
        assert_eq!(post(&mut provider, "kill", json!({ "fingerprint": "xyz" })).status, 400);
        let tenant = json!({ "workspace": world.workspace, "name": "Initech" });
        assert_eq!(post(&mut provider, "tenants", tenant).text("id").len(), 32);
    }

    #[test]
    fn the_log_is_read_from_where_one_left_off() {
        let mut provider = Provider::new(1);
        for _ in 0..3 {
            provider.handle(7, &Request::get("/devices/v1/devices"));
        }
        let log = handle(&mut provider, 8, &Request::get("/sandbox/log?after=2")).value();
        assert_eq!((&log["seen"], log["entries"].as_array().map(Vec::len)), (&json!(3), Some(1)));
        assert_eq!(log["entries"][0]["status"], json!(401));
        let counts = handle(&mut provider, 8, &Request::get("/sandbox/counts")).value();
        assert_eq!(counts, json!({ "greenlake-api": 3 }));
    }
}
