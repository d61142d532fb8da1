//! What the provider offers, as the log and the faults name it.

use serde::{Deserialize, Serialize};

/// One kind of request. `POST /oauth2/token` and the workspace token endpoint are told apart by their grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// `POST /as/token.oauth2`.
    CentralToken,
    /// `POST /authorization/v2/oauth2/{workspace}/token`, any grant but token exchange.
    WorkspaceToken,
    /// `POST /authorization/v2/oauth2/{tenant}/token` with the token-exchange grant.
    TenantExchange,
    /// `GET /workspaces/v1/msp-tenants`.
    MspTenants,
    /// `GET /workspaces/v1/msp-tenants/{id}`.
    MspTenant,
    /// `GET /network-msp/v1/list-tenants`.
    CentralTenants,
    /// `POST /oauth2/token`, any grant but an authorization code.
    ClassicRefresh,
    /// `POST /oauth2/token` with an authorization code: step 3 of a login.
    ClassicCode,
    /// `POST /oauth2/authorize/central/api/login`: step 1.
    Login,
    /// `POST /oauth2/authorize/central/api`: step 2.
    Authorize,
    /// `GET /network-monitoring/v1/devices`, `…/sites-health` and `…/device-inventory`, or `v1alpha1`: New Central, for
    /// `central`, `glp` and tenant tokens.
    CentralApi,
    /// `GET /network-monitoring/v1/tenants/{tenant}/devices`: for that tenant's token only.
    TenantApi,
    /// `GET /devices/v1/devices`: GreenLake, for `glp` and tenant tokens.
    GreenlakeApi,
    /// `GET /monitoring/v1/devices`, `/monitoring/v2/aps` and `/configuration/v2/groups`: Classic Central.
    ClassicApi,
    /// `POST /api/oauth`: ClearPass.
    ClearpassToken,
    /// `POST /oauth2/v1/token`: a server that takes HTTP Basic alone.
    StrictToken,
    /// `GET /api/network-device`: ClearPass, for tokens of the two above.
    ClearpassApi,
    /// Anything else: 404, or 405 for a known path with another method.
    Unknown,
}

impl Endpoint {
    /// Whether it issues Classic tokens: a refresh, or the last step of a login.
    #[must_use]
    pub fn is_classic_grant(self) -> bool {
        matches!(self, Self::ClassicRefresh | Self::ClassicCode)
    }

    /// Whether it stands behind the Classic gateway, whose parameters, errors and limits are Kong's.
    pub(super) fn is_classic(self) -> bool {
        use Endpoint::{Authorize, ClassicApi, ClassicCode, ClassicRefresh, Login};
        matches!(self, ClassicRefresh | ClassicCode | Login | Authorize | ClassicApi)
    }

    /// Whether GreenLake's limit per API client covers it.
    pub(super) fn is_greenlake(self) -> bool {
        use Endpoint::{GreenlakeApi, MspTenant, MspTenants, TenantExchange, WorkspaceToken};
        matches!(self, WorkspaceToken | TenantExchange | MspTenants | MspTenant | GreenlakeApi)
    }

    /// The endpoint at a path, or the status that refuses the request. The string is the id within the path.
    pub(super) fn route<'a>(method: &str, path: &'a str) -> Result<(Self, Option<&'a str>), u16> {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let (wanted, endpoint, id) = match segments[..] {
            ["as", "token.oauth2"] => ("POST", Self::CentralToken, None),
            ["authorization", "v2", "oauth2", id, "token"] => ("POST", Self::WorkspaceToken, Some(id)),
            ["workspaces", "v1", "msp-tenants"] => ("GET", Self::MspTenants, None),
            ["workspaces", "v1", "msp-tenants", id] => ("GET", Self::MspTenant, Some(id)),
            ["network-msp", "v1", "list-tenants"] => ("GET", Self::CentralTenants, None),
            ["api", "oauth"] => ("POST", Self::ClearpassToken, None),
            ["oauth2", "v1", "token"] => ("POST", Self::StrictToken, None),
            ["api", "network-device"] => ("GET", Self::ClearpassApi, None),
            ["oauth2", "token"] => ("POST", Self::ClassicRefresh, None),
            ["oauth2", "authorize", "central", "api", "login"] => ("POST", Self::Login, None),
            ["oauth2", "authorize", "central", "api"] => ("POST", Self::Authorize, None),
            ["network-monitoring", "v1" | "v1alpha1", "devices" | "sites-health" | "device-inventory"] => {
                ("GET", Self::CentralApi, None)
            }
            ["network-monitoring", "v1", "tenants", id, "devices"] => ("GET", Self::TenantApi, Some(id)),
            ["devices", "v1", "devices"] => ("GET", Self::GreenlakeApi, None),
            ["monitoring", "v1", "devices"] | ["monitoring", "v2", "aps"] | ["configuration", "v2", "groups"] => {
                ("GET", Self::ClassicApi, None)
            }
            _ => return Err(404),
        };
        if method == wanted { Ok((endpoint, id)) } else { Err(405) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_path_with_another_method_is_405_and_any_other_path_404() {
        assert_eq!(Endpoint::route("GET", "/oauth2/token"), Err(405));
        assert_eq!(Endpoint::route("POST", "/oauth2/tokens"), Err(404));
        assert_eq!(
            Endpoint::route("POST", "/authorization/v2/oauth2/ab12/token"),
            Ok((Endpoint::WorkspaceToken, Some("ab12")))
        );
    }
}
