//! Classic's token endpoint: the refresh (RFC 6749 section 6), and the way of asking that a login's last step
//! shares with it.

use tokend_proto::Secret;

use super::classify::RequestKind;
use super::form::{self, Form};
use super::http::Http;
use super::reply::Reply;
use super::request::{self, Request};
use super::token_response;
use crate::core::provider::{Failure, PairResponse};
use crate::core::settings::{Endpoint, ParamStyle, Profile};

/// Spends the refresh token.
pub(super) async fn token(
    http: &Http,
    profile: &Profile,
    (gateway, style): (&Endpoint, ParamStyle),
    secret: &Secret,
    refresh_token: &Secret,
) -> Result<PairResponse, Failure> {
    let fields = [
        ("client_id", profile.client_id.as_str()),
        ("client_secret", secret.expose()),
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.expose()),
    ];
    token_pair(http, profile, RequestKind::Refresh, (gateway, style), &fields).await
}

/// The parameters go into the body, or into the URL for a gateway that insists: there they are in the logs of every
/// proxy, and out of reach of our wiping.
pub(super) async fn token_pair(
    http: &Http,
    profile: &Profile,
    asked: RequestKind,
    (gateway, style): (&Endpoint, ParamStyle),
    fields: &[(&str, &str)],
) -> Result<PairResponse, Failure> {
    let mut url = request::url(asked, &gateway.url, format_args!("/oauth2/token"))?;
    let request = match style {
        ParamStyle::Form => Request::post(asked, url).form(Form::new(fields)),
        ParamStyle::Json => Request::post(asked, url).json(form::json_object(fields)),
        // The vendor's own request has this type, though there is no body.
        ParamStyle::Query => {
            url.set_query(Some(Form::new(fields).as_query()));
            Request::post(asked, url).empty_json()
        }
    };
    let reply = http.send(profile, request).await?;
    token_response::pair(asked, &Reply { style: Some(style), ..reply })
}
