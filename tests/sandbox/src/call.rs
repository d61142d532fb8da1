//! A request understood: which endpoint, with which parameters, on whose behalf.

use std::collections::BTreeMap;

use serde_json::Value;
use url::form_urlencoded;

use super::oauth2::unescaped;
use super::state::State;
use super::{Endpoint, RefusedBody, Request};

/// RFC 8693, section 2.1.
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// A request with what its endpoint reads from it.
pub(super) struct Call<'a> {
    pub(super) request: &'a Request,
    pub(super) endpoint: Endpoint,
    /// The status of a request that no endpoint takes.
    pub(super) refused: u16,
    /// The workspace or tenant named in the path, as it was written.
    pub(super) id: Option<&'a str>,
    params: BTreeMap<String, String>,
    basic: Option<(String, String)>,
}

impl<'a> Call<'a> {
    pub(super) fn read(request: &'a Request) -> Self {
        let (endpoint, id, refused) = match Endpoint::route(&request.method, &request.path) {
            Ok((endpoint, id)) => (endpoint, id, 0),
            Err(status) => (Endpoint::Unknown, None, status),
        };
        let params = parameters(request, endpoint);
        let endpoint = match (endpoint, params.get("grant_type").map(String::as_str)) {
            (Endpoint::WorkspaceToken, Some(TOKEN_EXCHANGE)) => Endpoint::TenantExchange,
            (Endpoint::ClassicRefresh, Some("authorization_code")) => Endpoint::ClassicCode,
            _ => endpoint,
        };
        let basic = request.basic_credentials();
        let basic = match endpoint {
            Endpoint::StrictToken => basic.map(|(id, secret)| (unescaped(&id), unescaped(&secret))),
            _ => basic,
        };
        Self { request, endpoint, refused, id, params, basic }
    }

    /// A parameter from wherever the endpoint reads them; empty when it is missing.
    pub(super) fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// A number in the parameters: `None` when it is missing, an error when it is none.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<usize>, &'static str> {
        self.params.get(name).map(|text| text.parse().map_err(|_| name)).transpose()
    }

    /// Where the parameters of a Classic token request are. The vendor's own request has them in the query and says
    /// that its empty body is JSON.
    pub(super) fn carried(&self) -> RefusedBody {
        match () {
            () if self.request.body.is_empty() => RefusedBody::Query,
            () if self.request.is("application/json") => RefusedBody::Json,
            () => RefusedBody::Form,
        }
    }

    /// Whether the client authenticated with HTTP Basic.
    pub(super) fn used_basic(&self) -> bool {
        self.basic.is_some()
    }

    /// The client's id and secret, from HTTP Basic or else from the parameters.
    pub(super) fn credentials(&self) -> (&str, &str) {
        match &self.basic {
            Some((id, secret)) => (id, secret),
            None => (self.param("client_id"), self.param("client_secret")),
        }
    }

    /// The token that the request is made with: the bearer token, or the subject of an exchange.
    pub(super) fn presented(&self) -> Option<&str> {
        match self.endpoint {
            Endpoint::TenantExchange => self.params.get("subject_token").map(String::as_str),
            Endpoint::ClassicRefresh => self.params.get("refresh_token").map(String::as_str),
            _ => self.request.bearer_token(),
        }
    }

    /// Whose request it is: the client it names, or the one that its token was minted for.
    pub(super) fn client_id(&self, state: &State) -> Option<String> {
        let (named, _) = self.credentials();
        if !named.is_empty() {
            return Some(named.to_owned());
        }
        state.tokens.owner(self.presented()?).map(str::to_owned)
    }
}

/// SSO and workspace endpoints read a form, GreenLake's listings the query, Kong whatever there is.
fn parameters(request: &Request, endpoint: Endpoint) -> BTreeMap<String, String> {
    use Endpoint::{CentralTenants, CentralToken, ClearpassToken, MspTenants, StrictToken, WorkspaceToken};
    let mut params = BTreeMap::new();
    if endpoint.is_classic() || matches!(endpoint, MspTenants | CentralTenants) {
        params.extend(pairs(request.query.as_bytes()));
    }
    if endpoint.is_classic() || matches!(endpoint, CentralToken | WorkspaceToken | ClearpassToken | StrictToken) {
        if request.is("application/x-www-form-urlencoded") {
            params.extend(pairs(&request.body));
        } else if (endpoint.is_classic() || endpoint == ClearpassToken) && request.is("application/json") {
            params.extend(members(&request.body));
        }
    }
    params
}

fn pairs(text: &[u8]) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

fn members(body: &[u8]) -> impl Iterator<Item = (String, String)> {
    let object = match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => object,
        _ => serde_json::Map::new(),
    };
    object.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, text)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grant_tells_exchange_and_code_apart() {
        let exchange = Request::form("/authorization/v2/oauth2/ab/token", &[("grant_type", TOKEN_EXCHANGE)]);
        assert_eq!(Call::read(&exchange).endpoint, Endpoint::TenantExchange);
        let code = Request::form("/oauth2/token", &[("grant_type", "authorization_code")]);
        assert_eq!(Call::read(&code).endpoint, Endpoint::ClassicCode);
    }

    #[test]
    fn a_secret_in_the_query_of_an_sso_request_is_not_read() {
        let request = Request::new("POST", "/as/token.oauth2?client_id=a&client_secret=b");
        assert_eq!(Call::read(&request).credentials(), ("", ""));
    }

    #[test]
    fn classic_reads_query_form_and_json_alike() {
        let requests = [
            Request::new("POST", "/oauth2/token?client_id=a&refresh_token=b%2B"),
            Request::form("/oauth2/token", &[("client_id", "a"), ("refresh_token", "b+")]),
            Request::json("/oauth2/token", &serde_json::json!({"client_id": "a", "refresh_token": "b+"})),
        ];
        for request in &requests {
            let call = Call::read(request);
            assert_eq!((call.param("client_id"), call.presented()), ("a", Some("b+")));
        }
    }
}
