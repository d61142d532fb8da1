//! The three steps of a Classic login for users without single sign-on, and its quota.

use serde_json::{Value, json};

use super::call::Call;
use super::central::oauth_error;
use super::provider::Answer;
use super::state::{Client, ClientKind, Code, Session};
use super::{Now, Provider, Response, later};

/// Attempts of one client_id in the quota's window.
const LOGINS_PER_WINDOW: usize = 3;

impl Provider {
    /// Step 1: name and password for two cookies. Attempts of a client_id count whether or not they succeed.
    pub(super) fn login(&mut self, now: Now, call: &Call<'_>) -> Response {
        let window = self.lives.quota_window;
        let client_id = query_client(call);
        let Some(client) = self.state.clients.get_mut(&client_id).filter(|client| client.kind == ClientKind::Classic)
        else {
            return oauth_error(400, "invalid_client", "Invalid client authentication");
        };
        if let Err(wait) = client.count_login(now, window) {
            return too_many("Too many logins", wait);
        }
        let body: Value = serde_json::from_slice(&call.request.body).unwrap_or_default();
        let (name, password) = (body["username"].as_str(), body["password"].as_str());
        let Some((name, _)) = name
            .and_then(|name| self.state.users.get_key_value(name))
            .filter(|(_, user)| password == Some(user.password.as_str()))
        else {
            return Response::json(401, &json!({ "message": "Invalid username or password" }));
        };
        let (id, csrf) = (self.mint.alphanumeric(48), self.mint.alphanumeric(32));
        // Not marked Secure, as the vendor's would be: a cookie jar would not return them over plain http.
        let response = Response::json(200, &json!({ "status": true }))
            .with("set-cookie", format!("csrftoken={csrf}; Path=/"))
            .with("set-cookie", format!("session={id}; Path=/; HttpOnly"));
        let session = Session { csrf, client_id, user: name.clone() };
        self.state.sessions.insert(now, id, later(now, self.lives.session), session);
        response
    }

    /// Step 2: the cookies for an authorization code.
    pub(super) fn authorize(&mut self, now: Now, call: &Call<'_>) -> Response {
        let session = call.request.cookie("session").and_then(|id| self.state.sessions.live(now, id));
        let Some(session) = session else {
            return Response::json(401, &json!({ "message": "Session expired or not logged in" }));
        };
        if call.request.header_value("x-csrf-token") != Some(session.csrf.as_str()) {
            return Response::json(403, &json!({ "message": "CSRF token missing or incorrect" }));
        }
        if query_client(call) != session.client_id {
            return oauth_error(400, "invalid_client", "Invalid client authentication");
        }
        if call.param("response_type") != "code" || call.param("scope") != "all" {
            return oauth_error(400, "invalid_request", "response_type is code and scope is all");
        }
        let customer = self.state.users.get(&session.user).map(|user| user.customer_id.as_str());
        if customer.is_none() || customer != Some(call.param("customer_id")) {
            return Response::json(403, &json!({ "message": "Invalid customer_id" }));
        }
        let code = Code { client_id: session.client_id.clone(), user: session.user.clone() };
        let text = self.mint.alphanumeric(32);
        self.state.codes.insert(now, text.clone(), later(now, self.lives.code), code);
        Response::json(200, &json!({ "auth_code": text }))
    }

    /// Step 3: `POST /oauth2/token` with the code, which works once.
    pub(super) fn classic_code(&mut self, now: Now, call: &Call<'_>) -> Answer {
        if let Some(refusal) = self.refused_body(call) {
            return refusal.into();
        }
        let client_id = match self.classic_client(call) {
            Ok(client_id) => client_id,
            Err(refusal) => return refusal.into(),
        };
        let text = call.param("code");
        let Some(code) = self.state.codes.live(now, text).filter(|code| code.client_id == client_id).cloned() else {
            return oauth_error(400, "invalid_request", "Invalid code").into();
        };
        let window = self.lives.quota_window;
        let client = self.state.clients.get_mut(&client_id).expect("it has just authenticated");
        if let Err(wait) = client.count_login_token(now, window) {
            return too_many("Only one new token per client_id", wait).into();
        }
        self.state.codes.remove(text);
        let id = self.start_chain(now, client_id, code.user);
        self.pair(now, id)
    }
}

impl Client {
    /// Counts an attempt, or says how many milliseconds to wait for the next.
    fn count_login(&mut self, now: Now, window_seconds: u64) -> Result<(), u64> {
        while self.logins.front().is_some_and(|at| later(*at, window_seconds) <= now) {
            self.logins.pop_front();
        }
        if self.logins.len() >= LOGINS_PER_WINDOW {
            return Err(later(self.logins[0], window_seconds) - now);
        }
        self.logins.push_back(now);
        Ok(())
    }

    /// Counts a token that a login gives. Refreshing does not count.
    fn count_login_token(&mut self, now: Now, window_seconds: u64) -> Result<(), u64> {
        match self.last_login_token {
            Some(at) if now < later(at, window_seconds) => Err(later(at, window_seconds) - now),
            _ => {
                self.last_login_token = Some(now);
                Ok(())
            }
        }
    }
}

/// The login names its client in the query alone: its body is the user's.
fn query_client(call: &Call<'_>) -> String {
    let pairs = url::form_urlencoded::parse(call.request.query.as_bytes());
    pairs.filter(|(name, _)| name == "client_id").map(|(_, id)| id.into_owned()).next().unwrap_or_default()
}

fn too_many(what: &str, wait: u64) -> Response {
    Response::json(429, &json!({ "message": format!("{what}: try again after {} seconds", wait.div_ceil(1000)) }))
}

#[cfg(test)]
mod tests {
    use super::super::{Population, Request};
    use super::*;

    const WINDOW: Now = 1_800_000;

    fn step1(provider: &mut Provider, world: &Population, now: Now, password: &str) -> Response {
        let target = format!("/oauth2/authorize/central/api/login?client_id={}", world.classic.client_id);
        let body = json!({ "username": world.username, "password": password });
        provider.handle(now, &Request::json(&target, &body)).reply().unwrap()
    }

    fn cookies(reply: &Response) -> (String, String) {
        let value = |name: &str| {
            let set = reply.headers.iter().filter(|(n, _)| n == "set-cookie").map(|(_, v)| v);
            let pair = set.filter_map(|v| v.split(';').next()).find_map(|v| v.strip_prefix(name));
            pair.and_then(|v| v.strip_prefix('=')).unwrap().to_owned()
        };
        (value("csrftoken"), value("session"))
    }

    fn step2_request(world: &Population, csrf: &str, session: &str) -> Request {
        let id = &world.classic.client_id;
        let target = format!("/oauth2/authorize/central/api?client_id={id}&response_type=code&scope=all");
        Request::json(&target, &json!({ "customer_id": world.customer_id }))
            .header("X-CSRF-TOKEN", csrf)
            .header("Cookie", &format!("session={session}"))
    }

    fn code(provider: &mut Provider, world: &Population, now: Now) -> String {
        let (csrf, session) = cookies(&step1(provider, world, now, &world.password));
        let reply = provider.handle(now, &step2_request(world, &csrf, &session)).reply().unwrap();
        assert_eq!(reply.status, 200);
        reply.text("auth_code")
    }

    fn step3(provider: &mut Provider, world: &Population, now: Now, code: &str) -> Response {
        let fields = [
            ("client_id", world.classic.client_id.as_str()),
            ("client_secret", world.classic.client_secret.as_str()),
            ("grant_type", "authorization_code"),
            ("code", code),
        ];
        provider.handle(now, &Request::form("/oauth2/token", &fields)).reply().unwrap()
    }

    fn seconds(reply: &Response) -> u64 {
        assert_eq!(reply.status, 429);
        let message = reply.text("message");
        message.strip_suffix(" seconds").and_then(|m| m.rsplit_once("after ")).unwrap().1.parse().unwrap()
    }

    #[test]
    fn three_steps_give_a_pair_that_can_be_refreshed() {
        let (mut provider, world) = Population::settle(6);
        let code = code(&mut provider, &world, 0);
        let pair = step3(&mut provider, &world, 1, &code);
        assert_eq!((pair.status, &pair.value()["expires_in"]), (200, &json!(7200)));
        let token = pair.text("access_token");
        let api = provider.handle(2, &Request::get("/monitoring/v1/devices").bearer(&token)).reply().unwrap();
        assert_eq!((api.status, pair.text("refresh_token").len()), (200, 32));
    }

    #[test]
    fn a_code_works_once_and_for_300_seconds() {
        let (mut provider, world) = Population::settle(6);
        let late = code(&mut provider, &world, 0);
        assert_eq!(step3(&mut provider, &world, 300_000, &late).text("error_description"), "Invalid code");
        let used = code(&mut provider, &world, 300_000);
        assert_eq!(step3(&mut provider, &world, 599_999, &used).status, 200);
        let again = step3(&mut provider, &world, 599_999, &used);
        assert_eq!((again.status, again.text("error").as_str()), (400, "invalid_request"));
    }

    #[test]
    fn one_new_token_per_window_and_refreshing_does_not_count() {
        let (mut provider, world) = Population::settle(6);
        let first = code(&mut provider, &world, 0);
        let pair = step3(&mut provider, &world, 0, &first);
        let fields = [
            ("client_id", world.classic.client_id.as_str()),
            ("client_secret", world.classic.client_secret.as_str()),
            ("grant_type", "refresh_token"),
            ("refresh_token", &pair.text("refresh_token")),
        ];
        assert_eq!(provider.handle(1, &Request::form("/oauth2/token", &fields)).reply().unwrap().status, 200);
        let second = code(&mut provider, &world, WINDOW - 1000);
        assert_eq!(seconds(&step3(&mut provider, &world, WINDOW - 1000, &second)), 1);
        assert_eq!(step3(&mut provider, &world, WINDOW, &second).status, 200);
    }

    #[test]
    fn the_fourth_login_in_a_window_says_how_long_to_wait() {
        let (mut provider, world) = Population::settle(6);
        for (now, password) in [(0, "wrong"), (1000, world.password.as_str()), (2000, "wrong")] {
            let expected = if password == "wrong" { 401 } else { 200 };
            assert_eq!(step1(&mut provider, &world, now, password).status, expected);
        }
        assert_eq!(seconds(&step1(&mut provider, &world, 10_000, &world.password)), 1790);
        assert_eq!(step1(&mut provider, &world, WINDOW, &world.password).status, 200);
        assert_eq!(seconds(&step1(&mut provider, &world, WINDOW, &world.password)), 1);
    }

    #[test]
    fn a_code_needs_both_the_session_and_the_csrf_token() {
        let (mut provider, world) = Population::settle(6);
        let (csrf, session) = cookies(&step1(&mut provider, &world, 0, &world.password));
        for (csrf, session, status) in
            [("", session.as_str(), 403), ("wrong", &session, 403), (&csrf, "wrong", 401), (&csrf, "", 401)]
        {
            let reply = provider.handle(0, &step2_request(&world, csrf, session)).reply().unwrap();
            assert_eq!(reply.status, status);
        }
        let reply = provider.handle(900_000, &step2_request(&world, &csrf, &session)).reply().unwrap();
        assert_eq!(reply.status, 401, "the session has expired");
    }

    #[test]
    fn another_customer_is_refused() {
        let (mut provider, world) = Population::settle(6);
        let (csrf, session) = cookies(&step1(&mut provider, &world, 0, &world.password));
        let mut request = step2_request(&world, &csrf, &session);
        request.body = br#"{"customer_id":"somebody else"}"#.to_vec();
        assert_eq!(provider.handle(0, &request).reply().unwrap().status, 403);
    }

    #[test]
    fn resetting_the_clients_credentials_ends_sessions_and_codes() {
        let (mut provider, world) = Population::settle(6);
        let code = code(&mut provider, &world, 0);
        let (csrf, session) = cookies(&step1(&mut provider, &world, 0, &world.password));
        let classic = provider.reset_credentials(&world.classic.client_id).unwrap();
        let reply = provider.handle(1, &step2_request(&world, &csrf, &session)).reply().unwrap();
        assert_eq!(reply.status, 401);
        let world = Population { classic, ..world };
        assert_eq!(step3(&mut provider, &world, 1, &code).text("error_description"), "Invalid code");
    }
}
