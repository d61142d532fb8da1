//! `[profiles.NAME]`: what all kinds have in common.

pub(super) mod ca_file;
mod classic;
pub(super) mod cluster;
pub(super) mod endpoint;
pub(super) mod glp;
pub(super) mod kind;
mod oauth2;
pub(super) mod refresh;
pub(super) mod secret;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokend_proto::ProfileName;

use self::endpoint::Role;
use self::kind::{OfKind, Parsed, ProfileExtras, word};
use super::context::Context;
use super::diagnostics::{Diagnostics, Spanned};
use super::keys::{self, PLACEHOLDER_CLIENT_ID, ProfileKind};
use super::suggest::closest;
use super::value::{Section, Shape, listed};
use crate::core::settings::{ClientCredentials, Kind, Profile};
use crate::secret::ProfileSecrets;

/// All profiles by name; `None` for those that are wrong.
pub(super) fn all(section: Option<Section<'_>>, context: &Context<'_>) -> BTreeMap<ProfileName, Option<Parsed>> {
    let mut profiles = BTreeMap::new();
    for (key, raw) in section.into_iter().flat_map(Section::into_entries) {
        let place = raw.place.clone();
        let name = match key.parse::<ProfileName>() {
            Ok(name) => name,
            Err(why) => {
                context.diagnostics.error(&place, format!("is no profile's name; {why}"));
                continue;
            }
        };
        match raw.into_shape() {
            Shape::Table(section) => {
                let parsed = one(&name, section.with(&keys::PROFILE), context);
                profiles.insert(name, parsed);
            }
            _ => context.diagnostics.error(&place, format!("is not a table; expected a section [profiles.{name}]")),
        }
    }
    profiles
}

fn one(name: &ProfileName, mut section: Section<'_>, context: &Context<'_>) -> Option<Parsed> {
    let diagnostics = context.diagnostics;
    let kind = section.needed_text("kind").and_then(|found| known_kind(&found, diagnostics));
    let client_id = section.needed_text("client_id").and_then(|found| client_id_of(found, diagnostics));
    let client = match section.need("client_secret", secret::EXPECTED).and_then(|()| section.take("client_secret")) {
        Some(raw) => secret::sources(raw, context),
        None => Vec::new(),
    };
    let allow_plain_http = section.boolean("allow_plain_http").unwrap_or_default();
    let had_ca_file = section.has("ca_file");
    let ca_file = section.text("ca_file").and_then(|found| ca_file::named(found, diagnostics));
    if let Some(file) = &ca_file {
        context.named.borrow_mut().ca_file(file.clone());
    }
    let ca_file = ca_file.map(|file| file.value);

    if let Some(kind) = kind {
        section.allow(kind.about().keys);
    }
    let own = match kind {
        Some(ProfileKind::Central) => central(name, &mut section, allow_plain_http, diagnostics),
        Some(ProfileKind::Glp) => glp::parse(name, &mut section, allow_plain_http, diagnostics),
        Some(ProfileKind::Classic) => classic::parse(name, &mut section, allow_plain_http, context),
        Some(ProfileKind::Oauth2) => oauth2::parse(name, &mut section, allow_plain_http, diagnostics),
        None => OfKind { kind: None, password: None },
    };
    section.finish_explaining(|key| explain(key, kind));

    let (Some(client_id), Some(kind)) = (client_id, own.kind) else { return None };
    if client.is_empty() || (had_ca_file && ca_file.is_none()) {
        return None;
    }
    let secrets = ProfileSecrets { client, password: own.password };
    Some((Arc::new(Profile { name: name.clone(), client_id, kind }), ProfileExtras { secrets, ca_file }))
}

fn client_id_of(found: Spanned<String>, diagnostics: &Diagnostics) -> Option<String> {
    if found.value == PLACEHOLDER_CLIENT_ID {
        diagnostics
            .warn(&found.place, "is what `tokend init` wrote; expected the client's id, as the provider shows it");
    }
    word(found, "the client's id", diagnostics)
}

fn known_kind(found: &Spanned<String>, diagnostics: &Diagnostics) -> Option<ProfileKind> {
    let kind = ProfileKind::ALL.into_iter().find(|kind| kind.about().word == found.value);
    if kind.is_none() {
        let words: Vec<_> = ProfileKind::ALL.iter().map(|kind| format!("{:?}", kind.about().word)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let problem = format!("there is no kind {:?}; expected one of {}", found.value, listed(&words));
        diagnostics.error(&found.place, problem);
    }
    kind
}

/// Why a key that is left over does not belong to this profile.
fn explain(key: &str, kind: Option<ProfileKind>) -> Option<String> {
    let own_keys = |kind: &ProfileKind| kind.about().keys.keys.iter().map(|key| key.name);
    let owners: Vec<_> = ProfileKind::ALL.iter().filter(|kind| own_keys(kind).any(|own| own == key)).collect();
    let owners: Vec<_> = owners.into_iter().map(|kind| kind.about().word).collect();
    match kind {
        Some(kind) if !owners.is_empty() => {
            let (owners, kind) = (listed(&owners), kind.about().word);
            Some(format!("belongs to kind {owners}, and this profile is {kind}; remove it or change kind"))
        }
        // It may be right: that shows once the kind is.
        None if !owners.is_empty() => Some("cannot be understood before kind is right".to_owned()),
        Some(_) => None,
        None => closest(key, ProfileKind::ALL.iter().flat_map(own_keys))
            .map(|meant| format!("is not a key of tokend; did you mean {meant}?")),
    }
}

fn central(name: &ProfileName, section: &mut Section<'_>, allow_plain_http: bool, diagnostics: &Diagnostics) -> OfKind {
    let token_endpoint = section
        .text("token_endpoint")
        .and_then(|found| endpoint::typed(&found, Role::TokenEndpoint, name, allow_plain_http, diagnostics));
    let kind = token_endpoint.map(ClientCredentials::central).map(Kind::ClientCredentials);
    OfKind { kind, password: None }
}
