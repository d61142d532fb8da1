//! Classic's token endpoint: Kong's `oauth2` plugin, rotation included.

use serde_json::json;

use super::call::Call;
use super::central::{no_store, oauth_error};
use super::provider::Answer;
use super::state::{AccessToken, Chain, ChainId, ClientKind, RefreshToken, Scope};
use super::{Now, Provider, RefusedBody, Response, later};

impl Provider {
    /// `POST /oauth2/token` with a refresh token, or with a grant that nobody offers.
    pub(super) fn classic_refresh(&mut self, now: Now, call: &Call<'_>) -> Answer {
        if let Some(refusal) = self.refused_body(call) {
            return refusal.into();
        }
        if call.param("grant_type") != "refresh_token" {
            return oauth_error(400, "unsupported_grant_type", "Invalid grant_type").into();
        }
        let client_id = match self.classic_client(call) {
            Ok(client_id) => client_id,
            Err(refusal) => return refusal.into(),
        };
        let presented = call.param("refresh_token");
        let Some(RefreshToken { chain: id, spent }) = self.state.refresh_tokens.live(now, presented).cloned() else {
            return oauth_error(400, "invalid_request", "Invalid refresh_token").into();
        };
        let chain = self.state.chains.get(&id).expect("a refresh token goes with its chain");
        if chain.client_id != client_id {
            return invalid_client(call).into();
        }
        if spent {
            let user = chain.user.clone();
            let id = self.start_chain(now, client_id, user);
            return self.pair(now, id);
        }
        if self.quirks.reuse_refresh_token {
            self.renew_access(now, id);
        } else {
            self.rotate(now, id);
        }
        self.pair(now, id)
    }

    /// What is said to parameters that are where this gateway does not want them.
    pub(super) fn refused_body(&self, call: &Call<'_>) -> Option<Response> {
        let refused = self.quirks.refused_body != RefusedBody::None && self.quirks.refused_body == call.carried();
        refused.then(|| match self.quirks.refused_status {
            400 => oauth_error(400, "invalid_request", "Missing or invalid parameters"),
            status => Response::json(status, &json!({ "message": "Unsupported Media Type" })),
        })
    }

    /// The Classic client that authenticates, from the parameters or HTTP Basic.
    pub(super) fn classic_client(&self, call: &Call<'_>) -> Result<String, Response> {
        let (id, secret) = call.credentials();
        match self.state.clients.get(id) {
            Some(client) if client.kind == ClientKind::Classic && client.takes(secret) => Ok(id.to_owned()),
            _ => Err(invalid_client(call)),
        }
    }

    /// Begins a chain with a fresh pair, as a login or the web interface does.
    pub(super) fn start_chain(&mut self, now: Now, client_id: String, user: String) -> ChainId {
        self.forget_expired_chains(now);
        self.state.last_chain += 1;
        let id = self.state.last_chain;
        let chain = Chain { client_id, user, access: String::new(), refresh: String::new() };
        self.state.chains.insert(id, chain);
        self.renew_pair(now, id);
        id
    }

    /// Inserts the new pair and deletes the row that held both old tokens.
    fn rotate(&mut self, now: Now, id: ChainId) {
        let chain = &self.state.chains[&id];
        let (access, refresh) = (chain.access.clone(), chain.refresh.clone());
        if !self.quirks.old_access_survives {
            self.state.tokens.remove(&access);
        }
        self.state.refresh_tokens.remove(&refresh);
        if self.quirks.refresh_race > 0 {
            let until = now.saturating_add(self.quirks.refresh_race);
            self.state.refresh_tokens.insert(now, refresh, until, RefreshToken { chain: id, spent: true });
        }
        self.renew_pair(now, id);
    }

    fn renew_pair(&mut self, now: Now, id: ChainId) {
        self.new_access(now, id);
        let refresh = self.mint.alphanumeric(self.quirks.classic_token_length);
        let chain = self.state.chains.get_mut(&id).expect("the caller holds a chain that exists");
        chain.refresh.clone_from(&refresh);
        let dies_at = later(now, self.lives.refresh);
        self.state.refresh_tokens.insert(now, refresh, dies_at, RefreshToken { chain: id, spent: false });
    }

    fn new_access(&mut self, now: Now, id: ChainId) {
        let access = self.mint.opaque(self.quirks.classic_token_length);
        let chain = self.state.chains.get_mut(&id).expect("the caller holds a chain that exists");
        chain.access.clone_from(&access);
        let token = AccessToken { scope: Scope::Classic, client_id: chain.client_id.clone() };
        self.state.tokens.insert(now, access, later(now, self.lives.classic), token);
    }

    /// Another access token, or not even that; the refresh token stays, and lives as long as a new one.
    fn renew_access(&mut self, now: Now, id: ChainId) {
        let chain = &self.state.chains[&id];
        let (access, refresh) = (chain.access.clone(), chain.refresh.clone());
        let dies_at = later(now, self.lives.refresh);
        self.state.refresh_tokens.insert(now, refresh, dies_at, RefreshToken { chain: id, spent: false });
        if self.quirks.same_token && self.life_left(now, &access) > 0 {
            return;
        }
        if !self.quirks.old_access_survives {
            self.state.tokens.remove(&access);
        }
        self.new_access(now, id);
    }

    /// Seconds that are left of an access token's life.
    fn life_left(&self, now: Now, access: &str) -> u64 {
        self.state.tokens.expires_at(access).unwrap_or(now).saturating_sub(now) / 1000
    }

    /// What a grant answers.
    pub(super) fn pair(&self, now: Now, id: ChainId) -> Answer {
        let chain = &self.state.chains[&id];
        let body = json!({
            "refresh_token": chain.refresh,
            "token_type": "bearer",
            "access_token": chain.access,
            "expires_in": self.life_left(now, &chain.access),
        });
        Answer::issued(no_store(Response::json(200, &body)), &chain.access)
    }

    /// A chain whose refresh token is dead can never come back.
    fn forget_expired_chains(&mut self, now: Now) {
        let (chains, refresh_tokens) = (&mut self.state.chains, &mut self.state.refresh_tokens);
        chains.retain(|_, chain| refresh_tokens.live(now, &chain.refresh).is_some());
        refresh_tokens.retain(|_, token| chains.contains_key(&token.chain));
    }
}

/// 401 to a client that used HTTP Basic, else 400.
fn invalid_client(call: &Call<'_>) -> Response {
    let status = if call.used_basic() { 401 } else { 400 };
    let response = oauth_error(status, "invalid_client", "Invalid client authentication");
    if status == 401 { response.with("www-authenticate", "Basic realm=\"OAuth2.0\"") } else { response }
}

#[cfg(test)]
mod tests {
    use super::super::{Credentials, DownloadToken, Quirks, Request};
    use super::*;

    const TOKEN: &str = "/oauth2/token";
    const DAY: Now = 24 * 3600 * 1000;

    fn settled() -> (Provider, Credentials, DownloadToken) {
        let mut provider = Provider::new(4);
        let client = provider.add_classic_client();
        let token = provider.download_token(0, &client.client_id).unwrap();
        (provider, client, token)
    }

    fn refresh(provider: &mut Provider, now: Now, client: &Credentials, token: &str) -> Response {
        let fields = [
            ("client_id", client.client_id.as_str()),
            ("client_secret", client.client_secret.as_str()),
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
        ];
        provider.handle(now, &Request::form(TOKEN, &fields)).reply().unwrap()
    }

    fn api(provider: &mut Provider, now: Now, token: &str) -> u16 {
        provider.handle(now, &Request::get("/monitoring/v1/devices").bearer(token)).reply().unwrap().status
    }

    fn assert_refused(reply: &Response, status: u16, error: &str, description: &str) {
        let said = (reply.status, reply.text("error"), reply.text("error_description"));
        assert_eq!(said, (status, error.to_owned(), description.to_owned()));
    }

    #[test]
    fn a_rotation_kills_both_old_tokens_at_once() {
        let (mut provider, client, old) = settled();
        assert_eq!(api(&mut provider, 1, &old.access_token), 200);
        let new = refresh(&mut provider, 1, &client, &old.refresh_token);
        assert_eq!((new.status, new.text("token_type").as_str()), (200, "bearer"));
        assert_eq!(new.value()["expires_in"], json!(7200));
        assert_eq!(api(&mut provider, 1, &old.access_token), 401);
        assert_eq!(api(&mut provider, 1, &new.text("access_token")), 200);
        let again = refresh(&mut provider, 1, &client, &old.refresh_token);
        assert_refused(&again, 400, "invalid_request", "Invalid refresh_token");
        assert_eq!(refresh(&mut provider, 1, &client, &new.text("refresh_token")).status, 200);
    }

    #[test]
    fn the_old_access_token_can_be_let_live_its_life_out() {
        let (mut provider, client, old) = settled();
        provider.set_quirks(Quirks { old_access_survives: true, ..Quirks::default() });
        refresh(&mut provider, 1, &client, &old.refresh_token);
        assert_eq!(api(&mut provider, 7_199_999, &old.access_token), 200);
        assert_eq!(api(&mut provider, 7_200_000, &old.access_token), 401);
    }

    #[test]
    fn fourteen_days_run_from_the_last_refresh() {
        let (mut provider, client, token) = settled();
        let second = refresh(&mut provider, 14 * DAY - 1, &client, &token.refresh_token);
        let third = refresh(&mut provider, 28 * DAY - 2, &client, &second.text("refresh_token"));
        assert_eq!((second.status, third.status), (200, 200));
        let late = refresh(&mut provider, 42 * DAY - 2, &client, &third.text("refresh_token"));
        assert_refused(&late, 400, "invalid_request", "Invalid refresh_token");
    }

    #[test]
    fn query_form_json_and_basic_are_read_alike() {
        let (mut provider, client, first) = settled();
        let Credentials { client_id: id, client_secret: secret } = &client;
        let mut token = first.refresh_token;
        type Ask = fn(&str, &str, &str) -> Request;
        let ways: [Ask; 3] = [
            |id, secret, token| {
                let query =
                    format!("client_id={id}&client_secret={secret}&grant_type=refresh_token&refresh_token={token}");
                Request::new("POST", &format!("{TOKEN}?{query}"))
            },
            |id, secret, token| {
                let body = json!({ "client_id": id, "client_secret": secret, "grant_type": "refresh_token",
                    "refresh_token": token });
                Request::json(TOKEN, &body)
            },
            |id, secret, token| {
                let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
                Request::form(TOKEN, &fields).basic(id, secret)
            },
        ];
        for way in ways {
            let reply = provider.handle(1, &way(id, secret, &token)).reply().unwrap();
            assert_eq!(reply.status, 200);
            token = reply.text("refresh_token");
        }
    }

    #[test]
    fn errors_are_kongs() {
        let (mut provider, client, token) = settled();
        let wrong = Credentials { client_secret: "wrong".to_owned(), ..client.clone() };
        let reply = refresh(&mut provider, 1, &wrong, &token.refresh_token);
        assert_refused(&reply, 400, "invalid_client", "Invalid client authentication");

        let fields = [("grant_type", "refresh_token"), ("refresh_token", token.refresh_token.as_str())];
        let request = Request::form(TOKEN, &fields).basic(&client.client_id, "wrong");
        let reply = provider.handle(1, &request).reply().unwrap();
        assert_refused(&reply, 401, "invalid_client", "Invalid client authentication");

        let other = provider.add_classic_client();
        let reply = refresh(&mut provider, 1, &other, &token.refresh_token);
        assert_refused(&reply, 400, "invalid_client", "Invalid client authentication");

        let reply = provider.handle(1, &Request::form(TOKEN, &[("grant_type", "password")])).reply().unwrap();
        assert_refused(&reply, 400, "unsupported_grant_type", "Invalid grant_type");

        assert_eq!(refresh(&mut provider, 1, &client, &token.refresh_token).status, 200, "nothing of it was spent");
    }

    #[test]
    fn chains_of_one_client_do_not_touch_each_other() {
        let (mut provider, client, one) = settled();
        let two = provider.download_token(0, &client.client_id).unwrap();
        assert_eq!(refresh(&mut provider, 1, &client, &one.refresh_token).status, 200);
        assert_eq!(api(&mut provider, 1, &two.access_token), 200);
        provider.revoke(two.id).unwrap();
        assert_eq!(api(&mut provider, 1, &two.access_token), 401);
        let reply = refresh(&mut provider, 1, &client, &two.refresh_token);
        assert_refused(&reply, 400, "invalid_request", "Invalid refresh_token");
    }

    #[test]
    fn in_a_race_a_spent_token_can_still_be_taken_for_a_moment() {
        let (mut provider, client, token) = settled();
        provider.set_quirks(Quirks { refresh_race: 50, ..Quirks::default() });
        let one = refresh(&mut provider, 100, &client, &token.refresh_token);
        let two = refresh(&mut provider, 149, &client, &token.refresh_token);
        assert_eq!((one.status, two.status), (200, 200));
        assert_eq!(api(&mut provider, 149, &one.text("access_token")), 200);
        assert_eq!(api(&mut provider, 149, &two.text("access_token")), 200);
        assert_eq!(refresh(&mut provider, 150, &client, &token.refresh_token).status, 400);
    }

    #[test]
    fn resetting_credentials_ends_every_chain_of_the_client() {
        let (mut provider, client, token) = settled();
        let new = provider.reset_credentials(&client.client_id).unwrap();
        assert_eq!(api(&mut provider, 1, &token.access_token), 401);
        assert_eq!(refresh(&mut provider, 1, &client, &token.refresh_token).text("error"), "invalid_client");
        let reply = refresh(&mut provider, 1, &new, &token.refresh_token);
        assert_refused(&reply, 400, "invalid_request", "Invalid refresh_token");
    }

    #[test]
    fn chains_that_have_died_are_forgotten() {
        let (mut provider, client, _) = settled();
        for month in 1..1000 {
            provider.download_token(month * 30 * DAY, &client.client_id).unwrap();
        }
        assert_eq!(provider.state.chains.len(), 1);
    }

    #[test]
    fn a_gateway_may_leave_the_refresh_token_as_it_is_and_the_access_token_too() {
        let (mut provider, client, token) = settled();
        provider.set_quirks(Quirks { reuse_refresh_token: true, ..Quirks::default() });
        let other = refresh(&mut provider, 10 * DAY, &client, &token.refresh_token);
        assert_eq!(other.text("refresh_token"), token.refresh_token);
        assert_ne!(other.text("access_token"), token.access_token);
        provider.set_quirks(Quirks { reuse_refresh_token: true, same_token: true, ..Quirks::default() });
        let same = refresh(&mut provider, 10 * DAY + 200_000, &client, &token.refresh_token);
        assert_eq!(same.text("access_token"), other.text("access_token"));
        assert_eq!(same.value()["expires_in"], json!(7000));
        let late = refresh(&mut provider, 23 * DAY, &client, &token.refresh_token);
        assert_eq!(late.status, 200, "its 14 days run from the last refresh");
        assert_ne!(late.text("access_token"), other.text("access_token"));
    }

    #[test]
    fn parameters_can_be_refused_by_where_they_are_and_nothing_is_spent() {
        let (mut provider, client, token) = settled();
        let fields = [
            ("client_id", client.client_id.as_str()),
            ("client_secret", client.client_secret.as_str()),
            ("grant_type", "refresh_token"),
            ("refresh_token", token.refresh_token.as_str()),
        ];
        let object: serde_json::Map<_, _> = fields.iter().map(|(n, v)| ((*n).to_owned(), json!(v))).collect();
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        // As in the vendor's documentation: all in the query, and a type for a body that is not there.
        let vendors = Request::new("POST", &format!("{TOKEN}?{query}")).header("content-type", "application/json");
        let styles = [
            (RefusedBody::Form, Request::form(TOKEN, &fields)),
            (RefusedBody::Json, Request::json(TOKEN, &object.into())),
            (RefusedBody::Query, vendors),
        ];
        for (refused_body, request) in &styles {
            for (refused_status, error) in [(415, ""), (400, "invalid_request")] {
                provider.set_quirks(Quirks { refused_body: *refused_body, refused_status, ..Quirks::default() });
                let reply = provider.handle(1, request).reply().unwrap();
                assert_eq!((reply.status, reply.text("error").as_str()), (refused_status, error));
            }
        }
        provider.set_quirks(Quirks { reuse_refresh_token: true, ..Quirks::default() });
        for (style, request) in &styles {
            assert_eq!(provider.handle(1, request).reply().unwrap().status, 200, "{style:?}");
        }
    }
}
