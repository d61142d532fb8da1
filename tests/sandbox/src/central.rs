//! SSO's token endpoint, and what all client_credentials grants have in common.

use serde_json::json;

use super::call::Call;
use super::provider::Answer;
use super::state::{AccessToken, ClientKind, Scope};
use super::{Now, Provider, Response, later};

impl Provider {
    /// `POST /as/token.oauth2`.
    pub(super) fn central_token(&mut self, now: Now, call: &Call<'_>) -> Answer {
        match self.client_credentials(call, |_| true) {
            Ok(client_id) => self.issue(now, Scope::Central, self.lives.central, client_id),
            Err(refusal) => refusal.into(),
        }
    }

    /// The API client that a client_credentials grant authenticates, if `may` holds for its workspace.
    pub(super) fn client_credentials(
        &self,
        call: &Call<'_>,
        may: impl FnOnce(Option<&str>) -> bool,
    ) -> Result<String, Response> {
        let (id, secret) = call.credentials();
        let allowed = self.state.clients.get(id).is_some_and(|client| match &client.kind {
            ClientKind::Api { workspace } => client.takes(secret) && may(workspace.as_deref()),
            ClientKind::Classic => false,
        });
        match (allowed, call.param("grant_type")) {
            (_, "") => Err(oauth_error(400, "invalid_request", "The grant_type is missing")),
            (_, grant) if grant != "client_credentials" => {
                Err(oauth_error(400, "unsupported_grant_type", "The grant_type is not supported"))
            }
            (false, _) => {
                let refusal = oauth_error(401, "invalid_client", "Invalid client or client credentials.");
                // RFC 6749, section 5.2: a client that used a scheme is told of it.
                Err(if call.used_basic() { refusal.with("www-authenticate", "Basic") } else { refusal })
            }
            (true, _) => Ok(id.to_owned()),
        }
    }

    /// Mints a bearer token that looks like a JWT.
    pub(super) fn issue(&mut self, now: Now, scope: Scope, life: u64, client_id: String) -> Answer {
        if let Some((token, left)) = self.same_again(now, &scope, &client_id) {
            let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": left });
            return Answer::issued(no_store(Response::json(200, &body)), &token);
        }
        let token = self.mint.jwt(self.quirks.token_length);
        let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": life });
        let answer = Answer::issued(no_store(Response::json(200, &body)), &token);
        self.state.tokens.insert(now, token, later(now, life), AccessToken { scope, client_id });
        answer
    }

    /// The token that the client has for this, if it is to get it again, and the seconds that are left of its life.
    fn same_again(&self, now: Now, scope: &Scope, client_id: &str) -> Option<(String, u64)> {
        if !self.quirks.same_token {
            return None;
        }
        let (token, until) = self.state.tokens.latest(now, |of| of.scope == *scope && of.client_id == client_id)?;
        Some((token.to_owned(), (until - now) / 1000)).filter(|(_, left)| *left > 0)
    }
}

/// An error of a token endpoint (RFC 6749, section 5.2).
pub(super) fn oauth_error(status: u16, error: &str, description: &str) -> Response {
    no_store(Response::json(status, &json!({ "error": error, "error_description": description })))
}

/// RFC 6749, section 5.1.
pub(super) fn no_store(response: Response) -> Response {
    response.with("cache-control", "no-store").with("pragma", "no-cache")
}

#[cfg(test)]
mod tests {
    use super::super::{Endpoint, Lives, Quirks, Request};
    use super::*;

    const TOKEN: &str = "/as/token.oauth2";

    fn ask(provider: &mut Provider, now: Now, id: &str, secret: &str) -> Response {
        let fields = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        provider.handle(now, &Request::form(TOKEN, &fields)).reply().unwrap()
    }

    fn api(provider: &mut Provider, now: Now, token: &str) -> u16 {
        let request = Request::get("/network-monitoring/v1/devices").bearer(token);
        provider.handle(now, &request).reply().unwrap().status
    }

    #[test]
    fn a_token_works_until_the_very_end_of_its_life_and_no_longer() {
        let mut provider = Provider::new(1);
        let client = provider.add_api_client(None);
        let reply = ask(&mut provider, 1000, &client.client_id, &client.client_secret);
        assert_eq!((reply.status, &reply.value()["expires_in"]), (200, &json!(7199)));
        assert_eq!(reply.text("token_type"), "Bearer");
        let token = reply.text("access_token");
        assert_eq!(api(&mut provider, 1000 + 7_199_000 - 1, &token), 200);
        assert_eq!(api(&mut provider, 1000 + 7_199_000, &token), 401);
    }

    #[test]
    fn a_changed_life_counts_for_new_tokens_only() {
        let mut provider = Provider::new(1);
        let client = provider.add_api_client(None);
        let old = ask(&mut provider, 0, &client.client_id, &client.client_secret).text("access_token");
        provider.set_lives(Lives::default().access_tokens(2));
        let new = ask(&mut provider, 0, &client.client_id, &client.client_secret);
        assert_eq!(new.value()["expires_in"], json!(2));
        assert_eq!(api(&mut provider, 2000, &new.text("access_token")), 401);
        assert_eq!(api(&mut provider, 2000, &old), 200);
    }

    #[test]
    fn wrong_secrets_unknown_and_classic_clients_are_invalid_client() {
        let mut provider = Provider::new(1);
        let client = provider.add_api_client(None);
        let classic = provider.add_classic_client();
        for (id, secret) in [
            (&client.client_id, "wrong"),
            (&"nobody".to_owned(), "wrong"),
            (&classic.client_id, classic.client_secret.as_str()),
        ] {
            let reply = ask(&mut provider, 0, id, secret);
            assert_eq!((reply.status, reply.text("error").as_str()), (401, "invalid_client"));
        }
        assert!(provider.log().of(Endpoint::CentralToken).all(|entry| entry.issued.is_none()));
    }

    #[test]
    fn another_grant_is_unsupported() {
        let mut provider = Provider::new(1);
        let reply = provider.handle(0, &Request::form(TOKEN, &[("grant_type", "password")])).reply().unwrap();
        assert_eq!((reply.status, reply.text("error").as_str()), (400, "unsupported_grant_type"));
    }

    #[test]
    fn resetting_credentials_kills_the_tokens_and_the_old_secret() {
        let mut provider = Provider::new(1);
        let client = provider.add_api_client(None);
        let token = ask(&mut provider, 0, &client.client_id, &client.client_secret).text("access_token");
        let new = provider.reset_credentials(&client.client_id).unwrap();
        assert_eq!(api(&mut provider, 1, &token), 401);
        assert_eq!(ask(&mut provider, 1, &client.client_id, &client.client_secret).status, 401);
        assert_eq!(ask(&mut provider, 1, &client.client_id, &new.client_secret).status, 200);
    }

    #[test]
    fn the_log_names_the_client_and_the_token_but_holds_neither_token_nor_secret() {
        let mut provider = Provider::new(1);
        let client = provider.add_api_client(None);
        let token = ask(&mut provider, 5, &client.client_id, &client.client_secret).text("access_token");
        api(&mut provider, 6, &token);
        let entries: Vec<_> = provider.log().entries().cloned().collect();
        assert_eq!(entries[0].client_id.as_deref(), Some(client.client_id.as_str()));
        assert_eq!((entries[0].at, entries[0].status, entries[0].handled), (5, Some(200), true));
        assert_eq!(entries[0].issued, entries[1].presented);
        assert_eq!(entries[1].client_id, entries[0].client_id);
        let text = serde_json::to_string(&entries).unwrap() + &format!("{provider:?} {entries:?}");
        assert!(!text.contains(&token) && !text.contains(&client.client_secret));
    }

    #[test]
    fn the_same_token_comes_again_while_it_lives_with_what_is_left() {
        let mut provider = Provider::new(1);
        let client = provider.add_api_client(None);
        provider.set_quirks(Quirks { same_token: true, ..Quirks::default() });
        let mut at = |now| {
            let reply = ask(&mut provider, now, &client.client_id, &client.client_secret);
            (reply.text("access_token"), reply.value()["expires_in"].as_u64().unwrap())
        };
        let (first, life) = at(0);
        assert_eq!((life, at(7_000_000)), (7199, (first.clone(), 199)));
        let (next, life) = at(7_199_000);
        assert!(next != first && life == 7199);
    }

    #[test]
    fn a_colon_in_a_token_does_not_keep_it_from_working() {
        let mut provider = Provider::new(1);
        let client = provider.add_api_client(None);
        provider.set_quirks(Quirks { colon_in_tokens: true, ..Quirks::default() });
        let token = ask(&mut provider, 0, &client.client_id, &client.client_secret).text("access_token");
        assert!(token.contains(':') && token.len() == 900);
        assert_eq!(api(&mut provider, 1, &token), 200);
    }

    #[test]
    fn a_client_may_have_more_than_one_secret_until_they_are_reset() {
        let mut provider = Provider::new(1);
        let client = provider.add_api_client(None);
        for n in 0..20 {
            provider.add_secret(&client.client_id, &format!("lease {n}")).unwrap();
        }
        let statuses = ["lease 3", "lease 4", "lease 19", client.client_secret.as_str()]
            .map(|secret| ask(&mut provider, 0, &client.client_id, secret).status);
        assert_eq!(statuses, [401, 200, 200, 200]);
        provider.reset_credentials(&client.client_id).unwrap();
        assert_eq!(ask(&mut provider, 0, &client.client_id, "lease 19").status, 401);
    }
}
