//! Rate limits: Classic's per account, GreenLake's per API client. Off unless switched on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::greenlake_error;
use super::{Endpoint, Now, Response};

const SECOND: u64 = 1000;
const DAY: u64 = 24 * 3600 * SECOND;

/// So many requests in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Per {
    /// Requests.
    pub requests: u32,
    /// The window's length; windows follow each other without overlapping.
    pub seconds: u64,
}

/// Which limits hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimits {
    /// Classic calls in a second, for the whole account.
    pub classic_per_second: Option<u32>,
    /// Classic calls in a day, for the whole account.
    pub classic_per_day: Option<u32>,
    /// Login steps in a second, as on premises.
    pub login_per_second: Option<u32>,
    /// GreenLake calls of one API client.
    pub greenlake: Option<Per>,
}

impl RateLimits {
    /// What is documented for Classic; GreenLake's number is not, and is taken as 300 a minute.
    #[must_use]
    pub fn documented() -> Self {
        Self {
            classic_per_second: Some(7),
            classic_per_day: Some(5000),
            login_per_second: None,
            greenlake: Some(Per { requests: 300, seconds: 60 }),
        }
    }
}

/// The limits and what was counted against them.
#[derive(Clone, Default)]
pub(super) struct Limiter {
    limits: RateLimits,
    second: Window,
    day: Window,
    logins: Window,
    /// By client_id, of clients that exist only.
    greenlake: BTreeMap<String, Window>,
}

impl Limiter {
    pub(super) fn new(limits: RateLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Counts a request. `headers` are for the response to it, when there is one to come.
    pub(super) fn admit(
        &mut self,
        now: Now,
        endpoint: Endpoint,
        client_id: Option<&str>,
        headers: &mut Vec<(String, String)>,
    ) -> Result<(), Response> {
        let mut admitted = true;
        if endpoint.is_classic() {
            for (limit, window, length, name) in [
                (self.limits.classic_per_second, &mut self.second, SECOND, "second"),
                (self.limits.classic_per_day, &mut self.day, DAY, "day"),
            ] {
                let Some(limit) = limit else { continue };
                let left = window.count(now, length, limit);
                headers.push((format!("x-ratelimit-limit-{name}"), limit.to_string()));
                headers.push((format!("x-ratelimit-remaining-{name}"), left.unwrap_or(0).to_string()));
                admitted &= left.is_some();
            }
            if let (Some(limit), Endpoint::Login | Endpoint::Authorize) = (self.limits.login_per_second, endpoint) {
                admitted &= self.logins.count(now, SECOND, limit).is_some();
            }
            if !admitted {
                let mut refusal = Response::json(429, &json!({ "message": "API rate limit exceeded" }));
                refusal.headers.append(headers);
                return Err(refusal);
            }
        }
        if let (true, Some(per), Some(id)) = (endpoint.is_greenlake(), self.limits.greenlake, client_id) {
            let window = self.greenlake.entry(id.to_owned()).or_default();
            let left = window.count(now, per.seconds.saturating_mul(SECOND), per.requests);
            headers.push(("ratelimit-limit".to_owned(), per.requests.to_string()));
            headers.push(("ratelimit-remaining".to_owned(), left.unwrap_or(0).to_string()));
            headers.push((
                "ratelimit-reset".to_owned(),
                window.ends_in(now, per.seconds.saturating_mul(SECOND)).to_string(),
            ));
            if left.is_none() {
                let mut refusal = greenlake_error(429, "HPE_GL_ERROR_TOO_MANY_REQUESTS", "Too many requests");
                refusal.headers.append(headers);
                return Err(refusal);
            }
        }
        Ok(())
    }
}

/// A fixed window, as Kong counts.
#[derive(Clone, Default)]
struct Window {
    start: Now,
    used: u32,
}

impl Window {
    /// Takes one of `limit`: how many are left, or none when there was none to take.
    fn count(&mut self, now: Now, length: u64, limit: u32) -> Option<u32> {
        let start = now - now % length.max(1);
        if start != self.start {
            *self = Self { start, used: 0 };
        }
        let left = limit.saturating_sub(self.used).checked_sub(1)?;
        self.used += 1;
        Some(left)
    }

    /// Seconds until the window ends, rounded up.
    fn ends_in(&self, now: Now, length: u64) -> u64 {
        self.start.saturating_add(length).saturating_sub(now).div_ceil(SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Population, Provider, Request};
    use super::*;

    fn get(provider: &mut Provider, now: Now, target: &str, token: &str) -> Response {
        provider.handle(now, &Request::get(target).bearer(token)).reply().unwrap()
    }

    #[test]
    fn the_eighth_classic_call_of_a_second_is_refused_and_the_next_second_is_free() {
        let (mut provider, world) = Population::settle(8);
        provider.set_rate_limits(RateLimits::documented());
        let token = provider.download_token(0, &world.classic.client_id).unwrap().access_token;
        for left in (0..7).rev() {
            let reply = get(&mut provider, 5000, "/monitoring/v1/devices", &token);
            assert_eq!(
                (reply.status, reply.header_value("x-ratelimit-remaining-second")),
                (200, Some(&*left.to_string()))
            );
        }
        let reply = get(&mut provider, 5999, "/monitoring/v1/devices", &token);
        assert_eq!((reply.status, reply.text("message").as_str()), (429, "API rate limit exceeded"));
        assert_eq!(reply.header_value("x-ratelimit-limit-day"), Some("5000"));
        assert_eq!(get(&mut provider, 6000, "/monitoring/v1/devices", &token).status, 200);
    }

    #[test]
    fn the_daily_quota_ends_with_the_day() {
        let (mut provider, world) = Population::settle(8);
        provider.set_rate_limits(RateLimits { classic_per_day: Some(2), ..RateLimits::default() });
        let token = provider.download_token(0, &world.classic.client_id).unwrap().access_token;
        let statuses = [0, 1, 2].map(|now| get(&mut provider, now, "/monitoring/v1/devices", &token).status);
        assert_eq!(statuses, [200, 200, 429]);
        assert_eq!(get(&mut provider, DAY, "/monitoring/v1/devices", &token).status, 401, "counted, but expired");
    }

    #[test]
    fn greenlake_counts_per_client_and_says_when_the_window_ends() {
        let (mut provider, world) = Population::settle(8);
        let per = Per { requests: 1, seconds: 60 };
        provider.set_rate_limits(RateLimits { greenlake: Some(per), ..RateLimits::default() });
        let path = format!("/authorization/v2/oauth2/{}/token", world.workspace);
        let other = provider.add_api_client(Some(&world.workspace));
        let mut ask = |now, client: &super::super::Credentials| {
            let request = Request::form(&path, &[("grant_type", "client_credentials")]);
            provider.handle(now, &request.basic(&client.client_id, &client.client_secret)).reply().unwrap()
        };
        assert_eq!(ask(0, &world.glp).status, 200);
        let refused = ask(45_500, &world.glp);
        let said = ["limit", "remaining", "reset"].map(|n| refused.header_value(&format!("ratelimit-{n}")).unwrap());
        assert_eq!((refused.status, said), (429, ["1", "0", "15"]));
        assert_eq!(ask(45_500, &other).status, 200);
        assert_eq!(ask(60_000, &world.glp).status, 200);
    }

    #[test]
    fn without_limits_nothing_is_refused() {
        let (mut provider, world) = Population::settle(8);
        let token = provider.download_token(0, &world.classic.client_id).unwrap().access_token;
        assert!((0..6000).all(|_| get(&mut provider, 1, "/monitoring/v1/devices", &token).status == 200));
    }
}
