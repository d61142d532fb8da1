//! `client_credentials` (RFC 6749 section 4.4): New Central and GreenLake workspaces.

use tokend_proto::{Secret, WorkspaceId};

use super::classify::RequestKind;
use super::form::Form;
use super::http::Http;
use super::request::{self, Request};
use super::token_response;
use crate::core::provider::{Failure, TokenResponse};
use crate::core::settings::{Endpoint, Profile};

const ASKED: RequestKind = RequestKind::ClientCredentials;

/// At the SSO endpoint, which is configured whole.
pub(super) async fn central(
    http: &Http,
    profile: &Profile,
    endpoint: &Endpoint,
    secret: &Secret,
) -> Result<TokenResponse, Failure> {
    token(http, profile, request::url(ASKED, &endpoint.url, format_args!(""))?, secret).await
}

/// At the endpoint of the workspace. Its id stands there without hyphens.
pub(super) async fn workspace(
    http: &Http,
    profile: &Profile,
    base: &Endpoint,
    workspace: WorkspaceId,
    secret: &Secret,
) -> Result<TokenResponse, Failure> {
    token(http, profile, workspace_url(ASKED, base, workspace)?, secret).await
}

/// Where tokens of a workspace are made, a tenant's as well.
pub(super) fn workspace_url(
    asked: RequestKind,
    base: &Endpoint,
    workspace: WorkspaceId,
) -> Result<reqwest::Url, Failure> {
    request::url(asked, &base.url, format_args!("/authorization/v2/oauth2/{workspace}/token"))
}

/// The client's id and secret stand in the form, as the providers document it, not in HTTP Basic.
async fn token(http: &Http, profile: &Profile, url: reqwest::Url, secret: &Secret) -> Result<TokenResponse, Failure> {
    let form = Form::new(&[
        ("grant_type", "client_credentials"),
        ("client_id", &profile.client_id),
        ("client_secret", secret.expose()),
    ]);
    let reply = http.send(profile, Request::post(ASKED, url).form(form)).await?;
    token_response::token(ASKED, &reply)
}
