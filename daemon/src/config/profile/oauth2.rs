//! What a profile of kind "oauth2" has of its own: one token endpoint that takes `client_credentials` (RFC 6749 section
//! 4.4), with what this one wants to hear.

use std::time::Duration;

use tokend_proto::ProfileName;

use super::endpoint;
use super::endpoint::Role;
use super::kind::{OfKind, word};
use crate::config::diagnostics::{Diagnostics, Spanned};
use crate::config::duration;
use crate::config::value::Section;
use crate::core::settings::{ClientAuth, ClientCredentials, Kind};

/// From what can be renewed in time, to what tokend takes any token to live at most.
const LIVES: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(24 * 3600));

pub(in crate::config) fn parse(
    name: &ProfileName,
    section: &mut Section<'_>,
    allow_plain_http: bool,
    diagnostics: &Diagnostics,
) -> OfKind {
    let token_endpoint = section
        .needed_text("token_endpoint")
        .and_then(|found| endpoint::typed(&found, Role::TokenEndpoint, name, allow_plain_http, diagnostics));
    let auth = section.text("auth").and_then(|found| auth(&found, diagnostics));
    let life = section.text("life").and_then(|found| life(&found, diagnostics));
    let scope = optional("scope", section, diagnostics);
    let audience = optional("audience", section, diagnostics);
    let kind = match (token_endpoint, auth, life, scope, audience) {
        (Some(token_endpoint), Some(auth), Some(life), Some(scope), Some(audience)) => {
            let word = "oauth2";
            Some(Kind::ClientCredentials(ClientCredentials { word, token_endpoint, life, auth, scope, audience }))
        }
        _ => None,
    };
    OfKind { kind, password: None }
}

/// `None` if it is there and is no text that identifies something.
fn optional(key: &'static str, section: &mut Section<'_>, diagnostics: &Diagnostics) -> Option<Option<String>> {
    match section.text(key) {
        Some(found) => word(found, &section.expected(key), diagnostics).map(Some),
        None => Some(None),
    }
}

fn auth(found: &Spanned<String>, diagnostics: &Diagnostics) -> Option<ClientAuth> {
    match found.value.as_str() {
        "form" => Some(ClientAuth::Form),
        "basic" => Some(ClientAuth::Basic),
        "json" => Some(ClientAuth::Json),
        other => {
            let problem =
                format!("there is no way {other:?} to authenticate; expected \"form\", \"basic\" or \"json\"");
            diagnostics.error(&found.place, problem);
            None
        }
    }
}

fn life(found: &Spanned<String>, diagnostics: &Diagnostics) -> Option<Duration> {
    let text = &found.value;
    let (least, most) = LIVES;
    let problem = match duration::parse(text) {
        None => format!("{text:?} is no span of time; expected {}", duration::EXPECTED),
        Some(span) if span < least || span > most => {
            let (least, most) = (duration::show(least), duration::show(most));
            format!("{text:?} is out of range; expected at least {least:?} and at most {most:?}")
        }
        Some(span) => return Some(span),
    };
    diagnostics.error(&found.place, problem);
    None
}
