//! GreenLake's token endpoint: workspace tokens, and tenant tokens by exchange (RFC 8693).

use super::call::Call;
use super::central::oauth_error;
use super::provider::Answer;
use super::state::Scope;
use super::{DeadSubject, Now, Provider, Response};

/// RFC 8693, section 3.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

impl Provider {
    /// `POST /authorization/v2/oauth2/{workspace}/token` with client_credentials.
    pub(super) fn workspace_token(&mut self, now: Now, call: &Call<'_>) -> Answer {
        let granted = self.path_id(call).and_then(|workspace| {
            let client_id = self.client_credentials(call, |of| of == Some(workspace.as_str()))?;
            Ok((workspace, client_id))
        });
        match granted {
            Ok((workspace, client_id)) => self.issue(now, Scope::Workspace(workspace), self.lives.glp, client_id),
            Err(refusal) => refusal.into(),
        }
    }

    /// `POST /authorization/v2/oauth2/{tenant}/token` with token exchange. HTTP Basic is tolerated and not looked at.
    pub(super) fn tenant_exchange(&mut self, now: Now, call: &Call<'_>) -> Answer {
        match self.exchange(now, call) {
            Ok((tenant, client_id)) => self.issue(now, Scope::Tenant(tenant), self.lives.tenant, client_id),
            Err(refusal) => refusal.into(),
        }
    }

    fn exchange(&self, now: Now, call: &Call<'_>) -> Result<(String, String), Response> {
        let tenant = self.path_id(call)?;
        if call.param("subject_token").is_empty() || call.param("subject_token_type") != ACCESS_TOKEN {
            return Err(oauth_error(400, "invalid_request", "subject_token or subject_token_type is missing"));
        }
        let subject = self.state.tokens.live(now, call.param("subject_token"));
        let Some((subject, Scope::Workspace(workspace))) = subject.map(|token| (token, &token.scope)) else {
            return Err(match self.quirks.dead_subject {
                DeadSubject::InvalidClient => oauth_error(400, "invalid_client", "Invalid subject token"),
                DeadSubject::InvalidToken => oauth_error(401, "invalid_token", "The subject token has expired"),
            });
        };
        if !self.state.workspaces.get(workspace).is_some_and(|w| w.tenants.iter().any(|(id, _)| *id == tenant)) {
            return Err(oauth_error(400, "unauthorized_client", "Not a tenant of this workspace"));
        }
        Ok((tenant, subject.client_id.clone()))
    }

    /// The id in the path. With hyphens it can fail, says the documentation.
    fn path_id(&self, call: &Call<'_>) -> Result<String, Response> {
        let written = call.id.unwrap_or_default();
        let id = written.replace('-', "").to_ascii_lowercase();
        let is_id = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_id || (self.quirks.hyphens_refused && written.contains('-')) {
            return Err(oauth_error(400, "invalid_request", "Invalid workspace id"));
        }
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::mint::with_hyphens;
    use super::super::{Population, Quirks, Request};
    use super::*;

    fn path(id: &str) -> String {
        format!("/authorization/v2/oauth2/{id}/token")
    }

    fn msp(provider: &mut Provider, world: &Population, now: Now) -> String {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", world.glp.client_id.as_str()),
            ("client_secret", world.glp.client_secret.as_str()),
        ];
        let reply = provider.handle(now, &Request::form(&path(&world.workspace), &fields)).reply().unwrap();
        assert_eq!((reply.status, &reply.value()["expires_in"]), (200, &json!(899)));
        reply.text("access_token")
    }

    fn exchange(provider: &mut Provider, now: Now, tenant: &str, subject: &str) -> Response {
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", subject),
            ("subject_token_type", ACCESS_TOKEN),
        ];
        provider.handle(now, &Request::form(&path(tenant), &fields)).reply().unwrap()
    }

    fn get(provider: &mut Provider, now: Now, target: &str, token: &str) -> Response {
        provider.handle(now, &Request::get(target).bearer(token)).reply().unwrap()
    }

    #[test]
    fn basic_is_as_good_as_the_form() {
        let (mut provider, world) = Population::settle(3);
        let request = Request::form(&path(&world.workspace), &[("grant_type", "client_credentials")]);
        let request = request.basic(&world.glp.client_id, &world.glp.client_secret);
        assert_eq!(provider.handle(0, &request).reply().unwrap().status, 200);
    }

    #[test]
    fn a_client_of_another_workspace_is_invalid_client() {
        let (mut provider, world) = Population::settle(3);
        let other = provider.add_workspace();
        let request = Request::form(&path(&other), &[("grant_type", "client_credentials")]);
        let request = request.basic(&world.glp.client_id, &world.glp.client_secret);
        let reply = provider.handle(0, &request).reply().unwrap();
        assert_eq!((reply.status, reply.text("error").as_str()), (401, "invalid_client"));
    }

    #[test]
    fn a_tenants_token_works_for_its_tenant_only_and_the_msp_token_for_none() {
        let (mut provider, world) = Population::settle(3);
        let msp = msp(&mut provider, &world, 0);
        let [(acme, _), (globex, _)] = &world.tenants[..] else { panic!("two tenants") };
        let reply = exchange(&mut provider, 0, acme, &msp);
        assert_eq!((reply.status, &reply.value()["expires_in"]), (200, &json!(900)));
        let token = reply.text("access_token");
        let of = |tenant: &str| format!("/network-monitoring/v1/tenants/{tenant}/devices");
        assert_eq!(get(&mut provider, 1, &of(acme), &token).status, 200);
        assert_eq!(get(&mut provider, 1, &of(globex), &token).status, 403);
        assert_eq!(get(&mut provider, 1, &of(acme), &msp).status, 403);
        assert_eq!(get(&mut provider, 900_000, &of(acme), &token).status, 401);
    }

    #[test]
    fn a_tenants_token_outlives_the_msp_token_it_was_exchanged_for() {
        let (mut provider, world) = Population::settle(3);
        let msp = msp(&mut provider, &world, 0);
        let token = exchange(&mut provider, 898_000, &world.tenants[0].0, &msp).text("access_token");
        assert_eq!(get(&mut provider, 1_000_000, "/network-monitoring/v1/devices", &token).status, 200);
    }

    #[test]
    fn hyphens_in_the_url_are_refused_unless_told_otherwise() {
        let (mut provider, world) = Population::settle(3);
        let msp = msp(&mut provider, &world, 0);
        let written = with_hyphens(&world.tenants[0].0);
        assert_eq!(exchange(&mut provider, 0, &written, &msp).status, 400);
        provider.set_quirks(Quirks { hyphens_refused: false, ..Quirks::default() });
        assert_eq!(exchange(&mut provider, 0, &written, &msp).status, 200);
    }

    #[test]
    fn a_dead_subject_is_invalid_client_or_invalid_token_as_the_quirk_says() {
        let (mut provider, world) = Population::settle(3);
        let msp = msp(&mut provider, &world, 0);
        let tenant = &world.tenants[0].0;
        for subject in [msp.as_str(), "unknown"] {
            let reply = exchange(&mut provider, 899_000, tenant, subject);
            assert_eq!((reply.status, reply.text("error").as_str()), (400, "invalid_client"));
        }
        provider.set_quirks(Quirks { dead_subject: DeadSubject::InvalidToken, ..Quirks::default() });
        let reply = exchange(&mut provider, 899_000, tenant, &msp);
        assert_eq!((reply.status, reply.text("error").as_str()), (401, "invalid_token"));
    }

    #[test]
    fn a_tenants_token_is_no_subject_and_a_strangers_id_no_tenant() {
        let (mut provider, world) = Population::settle(3);
        let msp = msp(&mut provider, &world, 0);
        let tenant = &world.tenants[0].0;
        let token = exchange(&mut provider, 0, tenant, &msp).text("access_token");
        assert_eq!(exchange(&mut provider, 0, tenant, &token).text("error"), "invalid_client");
        let stranger = provider.add_workspace();
        assert_eq!(exchange(&mut provider, 0, &stranger, &msp).text("error"), "unauthorized_client");
    }

    #[test]
    fn a_workspace_token_works_for_central_and_greenlake_but_not_for_classic() {
        let (mut provider, world) = Population::settle(3);
        let msp = msp(&mut provider, &world, 0);
        assert_eq!(get(&mut provider, 0, "/network-monitoring/v1/devices", &msp).status, 200);
        assert_eq!(get(&mut provider, 0, "/devices/v1/devices", &msp).status, 200);
        assert_eq!(get(&mut provider, 0, "/monitoring/v1/devices", &msp).status, 401);
    }

    #[test]
    fn resetting_the_clients_credentials_kills_its_tenants_tokens_too() {
        let (mut provider, world) = Population::settle(3);
        let msp = msp(&mut provider, &world, 0);
        let token = exchange(&mut provider, 0, &world.tenants[0].0, &msp).text("access_token");
        provider.reset_credentials(&world.glp.client_id).unwrap();
        for token in [msp, token] {
            assert_eq!(get(&mut provider, 1, "/network-monitoring/v1/devices", &token).status, 401);
        }
    }
}
