//! Token exchange (RFC 8693): a tenant's token for the MSP workspace's.

use tokend_proto::{Secret, WorkspaceId};

use super::classify::RequestKind;
use super::client_credentials::workspace_url;
use super::form::Form;
use super::http::Http;
use super::request::Request;
use super::token_response;
use crate::core::provider::{Failure, TokenResponse};
use crate::core::settings::{Endpoint, Profile};

const ASKED: RequestKind = RequestKind::Exchange;

/// No client authentication is sent: the subject token is enough (the provider's documentation).
pub(super) async fn token(
    http: &Http,
    profile: &Profile,
    base: &Endpoint,
    tenant: WorkspaceId,
    subject: &Secret,
) -> Result<TokenResponse, Failure> {
    let form = Form::new(&[
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", subject.expose()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ]);
    let request = Request::post(ASKED, workspace_url(ASKED, base, tenant)?).form(form);
    let reply = http.send(profile, request).await?;
    token_response::token(ASKED, &reply)
}
