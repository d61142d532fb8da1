//! Token endpoints of other vendors: ClearPass's, and one that keeps to RFC 6749 to the letter.

use serde_json::json;
use url::form_urlencoded;

use super::call::Call;
use super::central::{no_store, oauth_error};
use super::provider::Answer;
use super::state::{AccessToken, Scope};
use super::{Now, Provider, Response, later};

impl Provider {
    /// `POST /api/oauth`: all parameters in the body, as a form or as JSON.
    pub(super) fn clearpass_token(&mut self, now: Now, call: &Call<'_>) -> Answer {
        if call.used_basic() {
            return oauth_error(400, "invalid_client", "The client credentials are invalid").into();
        }
        match self.client_credentials(call, |_| true) {
            Ok(client_id) => self.issue(now, Scope::Other, self.lives.other, client_id),
            Err(refusal) => refusal.into(),
        }
    }

    /// `POST /oauth2/v1/token`: the client authenticates by HTTP Basic alone, names an audience, and is not told how
    /// long its token lives.
    pub(super) fn strict_token(&mut self, now: Now, call: &Call<'_>) -> Answer {
        if !call.used_basic() || !call.param("client_secret").is_empty() {
            let refusal = oauth_error(401, "invalid_client", "Use HTTP Basic");
            return refusal.with("www-authenticate", "Basic realm=\"sandbox\"").into();
        }
        if call.param("audience").is_empty() || call.param("scope").is_empty() {
            return oauth_error(400, "invalid_request", "The audience or the scope is missing").into();
        }
        let client_id = match self.client_credentials(call, |_| true) {
            Ok(client_id) => client_id,
            Err(refusal) => return refusal.into(),
        };
        let token = self.mint.jwt(self.quirks.token_length);
        let body = json!({ "access_token": token, "token_type": "Bearer", "scope": call.param("scope") });
        let answer = Answer::issued(no_store(Response::json(200, &body)), &token);
        let scope = Scope::Other;
        self.state.tokens.insert(now, token, later(now, self.lives.other), AccessToken { scope, client_id });
        answer
    }
}

/// An id or a secret of HTTP Basic, which is escaped as in a form (RFC 6749, section 2.3.1).
pub(super) fn unescaped(text: &str) -> String {
    form_urlencoded::parse(text.as_bytes()).map(|(name, _)| name.into_owned()).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::Request;
    use super::*;

    const GRANT: (&str, &str) = ("grant_type", "client_credentials");

    fn status(provider: &mut Provider, request: &Request) -> u16 {
        provider.handle(0, request).reply().unwrap().status
    }

    #[test]
    fn clearpass_takes_a_form_and_json_and_no_basic() {
        let mut provider = Provider::new(1);
        let client = provider.add_api_client(None);
        let (id, secret) = (client.client_id.as_str(), client.client_secret.as_str());
        let form = Request::form("/api/oauth", &[GRANT, ("client_id", id), ("client_secret", secret)]);
        assert_eq!(status(&mut provider, &form), 200);
        let members = json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret });
        assert_eq!(status(&mut provider, &Request::json("/api/oauth", &members)), 200);
        let basic = Request::form("/api/oauth", &[GRANT]).basic(id, secret);
        assert_eq!(status(&mut provider, &basic), 400);
    }

    #[test]
    fn the_strict_one_takes_basic_alone_and_its_token_is_good_for_clearpass_alone() {
        let mut provider = Provider::new(1);
        let client = provider.add_api_client(None);
        let (id, secret) = (client.client_id.as_str(), client.client_secret.as_str());
        let fields = [GRANT, ("scope", "read"), ("audience", "https://api.example.net")];
        let form = [&fields[..], &[("client_id", id), ("client_secret", secret)]].concat();
        assert_eq!(status(&mut provider, &Request::form("/oauth2/v1/token", &form)), 401);
        let basic = Request::form("/oauth2/v1/token", &fields).basic(id, secret);
        let reply = provider.handle(0, &basic).reply().unwrap();
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert!(reply.status == 200 && body.get("expires_in").is_none(), "{body}");
        let token = body["access_token"].as_str().unwrap();
        let mut call = |path: &str| status(&mut provider, &Request::get(path).bearer(token));
        assert_eq!((call("/api/network-device"), call("/network-monitoring/v1/devices")), (200, 401));
    }

    #[test]
    fn what_stands_in_basic_is_unescaped() {
        assert_eq!((unescaped("p%2Bq+%26%3D"), unescaped("plain")), ("p+q &=".to_owned(), "plain".to_owned()));
    }
}
