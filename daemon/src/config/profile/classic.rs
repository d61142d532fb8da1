//! What a Classic Central profile has of its own: its gateway, and the login for non-SSO users.

use std::time::Duration;

use tokend_proto::ProfileName;

use super::cluster::ClusterError;
use super::endpoint::Role;
use super::kind::{OfKind, word};
use super::{cluster, endpoint, secret};
use crate::config::context::Context;
use crate::config::diagnostics::{Diagnostics, Spanned};
use crate::config::suggest::closest;
use crate::config::value::{Section, listed};
use crate::config::{duration, keys};
use crate::core::settings::{Endpoint, Kind, Login, ParamStyle};
use crate::secret::SecretSource;

/// A third of the 2 hours that the provider documents: a longer margin is shortened to a third of the life anyway.
const MAX_BEFORE: Duration = Duration::from_secs(40 * 60);

pub(in crate::config) fn parse(
    name: &ProfileName,
    section: &mut Section<'_>,
    allow_plain_http: bool,
    context: &Context<'_>,
) -> OfKind {
    let diagnostics = context.diagnostics;
    let gateway = gateway(name, section, allow_plain_http, diagnostics);
    let before = section.text("before").and_then(|found| before(&found, diagnostics));
    let param_style = section.text("param_style").and_then(|found| param_style(&found, diagnostics));
    let (login, password) =
        section.table("login", &keys::LOGIN).and_then(|section| parse_login(section, context)).unzip();
    let kind = match (gateway, before, param_style) {
        (Some(gateway), Some(before), Some(param_style)) => Some(Kind::Classic { gateway, before, param_style, login }),
        _ => None,
    };
    OfKind { kind, password }
}

fn gateway(
    name: &ProfileName,
    section: &mut Section<'_>,
    allow_plain_http: bool,
    diagnostics: &Diagnostics,
) -> Option<Endpoint> {
    let place = section.place_of("cluster");
    let both = section.has("cluster") && section.has("base_url");
    let neither = !section.has("cluster") && !section.has("base_url");
    let cluster = section.text("cluster");
    let base_url = section.text("base_url");
    if both {
        diagnostics.error(&place, "stands beside base_url; expected one of the two");
        return None;
    }
    if neither {
        let expected = "a cluster's name such as \"EU-1\", or base_url = \"https://GATEWAY\" in its place";
        section.miss(&["cluster", "base_url"], place, format!("is missing; expected {expected}"));
        return None;
    }
    match (cluster, base_url) {
        (Some(cluster), _) => of_cluster(&cluster, diagnostics),
        (_, Some(base_url)) => endpoint::typed(&base_url, Role::Base, name, allow_plain_http, diagnostics),
        _ => None,
    }
}

fn of_cluster(found: &Spanned<String>, diagnostics: &Diagnostics) -> Option<Endpoint> {
    let cluster = &found.value;
    let problem = match cluster::gateway(cluster) {
        Ok(url) => return Some(endpoint::known(&url)),
        Err(ClusterError::NoGateway) => {
            format!("the gateway of {cluster} is not known to tokend; expected base_url = \"https://GATEWAY\" instead")
        }
        Err(ClusterError::Unknown) => {
            let names = cluster::names();
            let meant = closest(cluster, names.iter().copied());
            let meant = meant.map_or_else(String::new, |meant| format!("did you mean {meant}? "));
            format!(
                "there is no cluster {cluster:?}; {meant}expected one of {}, or base_url in its place",
                listed(&names)
            )
        }
    };
    diagnostics.error(&found.place, problem);
    None
}

fn before(found: &Spanned<String>, diagnostics: &Diagnostics) -> Option<Duration> {
    let text = &found.value;
    let problem = match duration::parse(text) {
        None => format!("{text:?} is no span of time; expected {}", duration::EXPECTED),
        Some(Duration::ZERO) => {
            "is zero, which leaves no time to renew; expected some minutes, such as \"10m\"".to_owned()
        }
        Some(span) if span > MAX_BEFORE => format!(
            "{text:?} is more than a third of the 2 hours that a token lives; expected at most {:?}",
            duration::show(MAX_BEFORE)
        ),
        Some(span) => return Some(span),
    };
    diagnostics.error(&found.place, problem);
    None
}

fn param_style(found: &Spanned<String>, diagnostics: &Diagnostics) -> Option<ParamStyle> {
    match found.value.as_str() {
        "form" => Some(ParamStyle::Form),
        "query" => Some(ParamStyle::Query),
        "json" => Some(ParamStyle::Json),
        other => {
            let problem = format!(
                "there is no style {other:?}; expected \"form\", or \"query\" or \"json\" for a gateway that insists"
            );
            diagnostics.error(&found.place, problem);
            None
        }
    }
}

fn parse_login(mut section: Section<'_>, context: &Context<'_>) -> Option<(Login, SecretSource)> {
    let diagnostics = context.diagnostics;
    let username = section.needed_text("username").and_then(|found| word(found, "the user's name", diagnostics));
    let customer_id = section
        .needed_text("customer_id")
        .and_then(|found| word(found, "the Central account's customer id", diagnostics));
    let password = section
        .need("password", secret::EXPECTED)
        .and_then(|()| section.take("password"))
        .and_then(|raw| secret::single(raw, context));
    section.finish();
    let password = password?;
    context.named.borrow_mut().secret(vec![password.clone()]);
    Some((Login { username: username?, customer_id: customer_id? }, password.value))
}
