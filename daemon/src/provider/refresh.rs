//! Classic's token endpoint: the refresh (RFC 6749 section 6), and the way of asking that a login's last step
//! shares with it.

use tokend_proto::Secret;

use super::classify::{self, Asked};
use super::form::Form;
use super::http::{self, Http, Request};
use super::token_response;
use crate::core::exchange::{Failure, PairResponse};
use crate::core::settings::{Endpoint, ParamStyle, Profile};

/// Spends the refresh token.
pub(super) async fn token(
    http: &Http,
    profile: &Profile,
    (gateway, style): (&Endpoint, ParamStyle),
    secret: &Secret,
    refresh_token: &Secret,
) -> Result<PairResponse, Failure> {
    let form = Form::new(&[
        ("client_id", &profile.client_id),
        ("client_secret", secret.expose()),
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.expose()),
    ]);
    token_pair(http, profile, Asked::Refresh, (gateway, style), form).await
}

/// The form goes into the body, or into the URL for a gateway that insists: there it is in the logs of every
/// proxy, and out of reach of our wiping.
pub(super) async fn token_pair(
    http: &Http,
    profile: &Profile,
    asked: Asked,
    (gateway, style): (&Endpoint, ParamStyle),
    form: Form,
) -> Result<PairResponse, Failure> {
    let mut url = http::url(asked, &gateway.url, format_args!("/oauth2/token"))?;
    let request = match style {
        ParamStyle::Form => Request::post(asked, url).form(form),
        ParamStyle::Query => {
            url.set_query(Some(form.as_query()));
            Request::post(asked, url)
        }
    };
    let reply = http.send(profile, request).await?;
    let body = classify::success(asked, &reply)?;
    token_response::token_pair(asked, reply.status, body)
}
