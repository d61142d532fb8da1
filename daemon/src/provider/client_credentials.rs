//! `client_credentials` (RFC 6749 section 4.4): any endpoint that is configured whole, and GreenLake workspaces.

use tokend_proto::{Secret, WorkspaceId};

use super::classify::RequestKind;
use super::form::{self, Form};
use super::http::Http;
use super::request::{self, Request};
use super::token_response;
use crate::core::provider::{Failure, TokenResponse};
use crate::core::settings::{ClientAuth, ClientCredentials, Endpoint, Profile};

const ASKED: RequestKind = RequestKind::ClientCredentials;

/// At an endpoint that is configured whole.
pub(super) async fn token(
    http: &Http,
    profile: &Profile,
    asked: &ClientCredentials,
    secret: &Secret,
) -> Result<TokenResponse, Failure> {
    let url = request::url(ASKED, &asked.token_endpoint.url, format_args!(""))?;
    let scope = asked.scope.as_deref().map(|scope| ("scope", scope));
    let audience = asked.audience.as_deref().map(|audience| ("audience", audience));
    let extra: Vec<_> = scope.into_iter().chain(audience).collect();
    ask(http, profile, url, asked.auth, secret, &extra).await
}

/// At the endpoint of the workspace. Its id stands there without hyphens.
pub(super) async fn workspace(
    http: &Http,
    profile: &Profile,
    base: &Endpoint,
    workspace: WorkspaceId,
    secret: &Secret,
) -> Result<TokenResponse, Failure> {
    // As the provider documents it: not in HTTP Basic.
    ask(http, profile, workspace_url(ASKED, base, workspace)?, ClientAuth::Form, secret, &[]).await
}

/// Where tokens of a workspace are made, a tenant's as well.
pub(super) fn workspace_url(
    asked: RequestKind,
    base: &Endpoint,
    workspace: WorkspaceId,
) -> Result<reqwest::Url, Failure> {
    request::url(asked, &base.url, format_args!("/authorization/v2/oauth2/{workspace}/token"))
}

async fn ask(
    http: &Http,
    profile: &Profile,
    url: reqwest::Url,
    auth: ClientAuth,
    secret: &Secret,
    extra: &[(&str, &str)],
) -> Result<TokenResponse, Failure> {
    let client = [("client_id", profile.client_id.as_str()), ("client_secret", secret.expose())];
    let grant = [("grant_type", "client_credentials")];
    let request = Request::post(ASKED, url);
    let request = match auth {
        ClientAuth::Form => request.form(Form::new(&[&grant[..], &client, extra].concat())),
        ClientAuth::Json => request.json(form::json_object(&[&grant[..], &client, extra].concat())),
        ClientAuth::Basic => {
            let request = request.form(Form::new(&[&grant[..], extra].concat()));
            request.secret_header("authorization", "Basic ", &form::basic(&profile.client_id, secret.expose()))?
        }
    };
    let reply = http.send(profile, request).await?;
    token_response::token(ASKED, &reply)
}
