//! The protected endpoints: one of each family, which let a bearer token in or say what the vendor says.

use serde_json::json;

use super::call::Call;
use super::state::Scope;
use super::{Endpoint, Now, Provider, Response};

impl Provider {
    /// New Central's and GreenLake's endpoints.
    pub(super) fn api(&self, now: Now, call: &Call<'_>) -> Response {
        let bearer = call.request.bearer_token().and_then(|token| self.state.tokens.live(now, token));
        let Some(token) = bearer else { return unauthorized() };
        match (call.endpoint, &token.scope) {
            (Endpoint::ClearpassApi, Scope::Other) => content(call),
            (Endpoint::ClearpassApi, _) | (_, Scope::Classic | Scope::Other) => unauthorized(),
            (Endpoint::GreenlakeApi, Scope::Central) => unauthorized(),
            (Endpoint::TenantApi, Scope::Tenant(of)) if Some(of.as_str()) == call.id => content(call),
            (Endpoint::TenantApi, _) => forbidden("The token is not one of this tenant"),
            _ => content(call),
        }
    }

    /// Classic's endpoint. Kong's words for a missing and for a dead token differ.
    pub(super) fn classic_api(&self, now: Now, call: &Call<'_>) -> Response {
        let Some(bearer) = call.request.bearer_token() else {
            let body = json!({ "error": "invalid_request", "error_description": "The access token is missing" });
            return Response::json(401, &body).with("www-authenticate", "Bearer realm=\"service\"");
        };
        match self.state.tokens.live(now, bearer).map(|token| &token.scope) {
            Some(Scope::Classic) => content(call),
            _ => {
                let description = "The access token is invalid or has expired";
                let body = json!({ "error": "invalid_token", "error_description": description });
                let challenge =
                    format!("Bearer realm=\"service\" error=\"invalid_token\" error_description=\"{description}\"");
                Response::json(401, &body).with("www-authenticate", challenge)
            }
        }
    }
}

/// A little of what the vendor's own would bring.
fn content(call: &Call<'_>) -> Response {
    let device = json!({ "serialNumber": "SANDBOX001", "deviceType": "ACCESS_POINT", "status": "ONLINE" });
    Response::json(
        200,
        &match call.request.path.rsplit('/').next() {
            Some("aps") => json!({ "aps": [{ "serial": "SANDBOX001", "status": "Up" }], "count": 1, "total": 1 }),
            Some("groups") => json!({ "data": [["default"]], "total": 1 }),
            Some("sites-health") => {
                json!({ "items": [{ "siteName": "HQ", "health": "GOOD" }], "count": 1, "total": 1 })
            }
            _ => json!({ "count": 1, "total": 1, "items": [device] }),
        },
    )
}

/// What the Central and GreenLake APIs say to a dead token.
pub(super) fn unauthorized() -> Response {
    greenlake_error(401, "HPE_GL_ERROR_UNAUTHORIZED", "Unauthorized: invalid or expired token")
}

/// What they say to a token that is good for something else.
pub(super) fn forbidden(message: &str) -> Response {
    greenlake_error(403, "HPE_GL_ERROR_FORBIDDEN", message)
}

pub(super) fn greenlake_error(status: u16, code: &str, message: &str) -> Response {
    let body = json!({ "httpStatusCode": status, "errorCode": code, "message": message, "debugId": "sandbox" });
    Response::json(status, &body)
}

#[cfg(test)]
mod tests {
    use super::super::{Population, Request};
    use super::*;

    fn get(provider: &mut Provider, target: &str, token: &str) -> Response {
        provider.handle(10, &Request::get(target).bearer(token)).reply().unwrap()
    }

    #[test]
    fn a_central_token_does_not_work_with_classic_nor_the_other_way_round() {
        let (mut provider, world) = Population::settle(5);
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", world.central.client_id.as_str()),
            ("client_secret", world.central.client_secret.as_str()),
        ];
        let central = provider.handle(0, &Request::form("/as/token.oauth2", &fields)).reply().unwrap();
        let central = central.text("access_token");
        let classic = provider.download_token(0, &world.classic.client_id).unwrap().access_token;
        assert_eq!(get(&mut provider, "/network-monitoring/v1/devices", &central).status, 200);
        assert_eq!(get(&mut provider, "/monitoring/v1/devices", &classic).status, 200);

        let refused = get(&mut provider, "/network-monitoring/v1/devices", &classic);
        assert_eq!((refused.status, refused.text("errorCode").as_str()), (401, "HPE_GL_ERROR_UNAUTHORIZED"));
        assert_eq!(refused.value()["httpStatusCode"], json!(401));
        let refused = get(&mut provider, "/monitoring/v1/devices", &central);
        assert_eq!((refused.status, refused.text("error").as_str()), (401, "invalid_token"));
        assert_eq!(refused.text("error_description"), "The access token is invalid or has expired");
    }

    #[test]
    fn without_a_token_there_is_no_access() {
        let mut provider = Provider::new(5);
        for target in ["/monitoring/v1/devices", "/network-monitoring/v1/devices", "/devices/v1/devices"] {
            assert_eq!(provider.handle(0, &Request::get(target)).reply().unwrap().status, 401, "{target}");
        }
    }

    #[test]
    fn the_first_calls_of_real_clients_are_there() {
        let (mut provider, world) = Population::settle(5);
        let classic = provider.download_token(0, &world.classic.client_id).unwrap().access_token;
        let fields = [("grant_type", "client_credentials")];
        let request = Request::form("/as/token.oauth2", &fields);
        let request = request.basic(&world.central.client_id, &world.central.client_secret);
        let central = provider.handle(0, &request).reply().unwrap().text("access_token");
        let calls = [
            (&central, &classic, "/network-monitoring/v1alpha1/sites-health", "items"),
            (&central, &classic, "/network-monitoring/v1/device-inventory", "items"),
            (&classic, &central, "/monitoring/v2/aps", "aps"),
            (&classic, &central, "/configuration/v2/groups", "data"),
        ];
        for (good, wrong, target, member) in calls {
            let reply = get(&mut provider, target, good);
            assert_eq!((reply.status, reply.value()[member].as_array().map(Vec::len)), (200, Some(1)), "{target}");
            assert_eq!(get(&mut provider, target, wrong).status, 401, "{target}");
        }
    }
}
