//! What a GreenLake profile has of its own: its workspace, and the tenants of an MSP.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use tokend_proto::{ProfileName, TenantRef, WorkspaceId};

use super::endpoint;
use super::endpoint::Role;
use super::kind::{OfKind, Parsed};
use crate::config::diagnostics::{Diagnostics, Place, Spanned};
use crate::config::keys;
use crate::config::value::Section;
use crate::core::settings::{Fraction, Kind, Tenants};

/// Life of a tenant's token in seconds, as the provider documents it.
const TENANT_LIFE: f64 = 900.0;

pub(in crate::config) fn parse(
    name: &ProfileName,
    section: &mut Section<'_>,
    allow_plain_http: bool,
    diagnostics: &Diagnostics,
) -> OfKind {
    let workspace = section.needed_text("workspace_id").and_then(|found| workspace_id(&found, diagnostics));
    let base_url = section
        .text("base_url")
        .and_then(|found| endpoint::typed(&found, Role::Base, name, allow_plain_http, diagnostics));
    let tenants =
        section.table("tenants", &keys::TENANTS).map(|section| parse_tenants(section, workspace, diagnostics));
    let kind = match (base_url, workspace) {
        (Some(base_url), Some(workspace)) => Some(Kind::Glp { base_url, workspace, tenants }),
        _ => None,
    };
    OfKind { kind, password: None }
}

fn workspace_id(found: &Spanned<String>, diagnostics: &Diagnostics) -> Option<WorkspaceId> {
    let parsed = found.value.parse();
    if parsed.is_err() {
        let problem = format!("{:?} is no workspace id; expected 32 hex digits, with or without hyphens", found.value);
        diagnostics.error(&found.place, problem);
    } else if found.value.bytes().all(|byte| matches!(byte, b'0' | b'-')) {
        diagnostics.warn(&found.place, "is what `tokend init` wrote; expected the id of your workspace");
    }
    parsed.ok()
}

fn parse_tenants(mut section: Section<'_>, workspace: Option<WorkspaceId>, diagnostics: &Diagnostics) -> Tenants {
    let mut warm: Vec<TenantRef> = Vec::new();
    let mut known = HashSet::new();
    for found in section.texts("warm") {
        let Ok(tenant) = found.value.parse::<TenantRef>() else {
            diagnostics.error(
                &found.place,
                "holds a name that is empty or longer than 256 bytes; expected a workspace id or name",
            );
            continue;
        };
        if matches!((&tenant, workspace), (TenantRef::Id(id), Some(own)) if *id == own) {
            diagnostics.error(
                &found.place,
                format!("{:?} is the profile's own workspace, not a tenant of it; remove it", found.value),
            );
        } else if !known.insert(tenant.clone()) {
            diagnostics.warn(&found.place, format!("{:?} stands in it twice; once is enough", found.value));
        } else {
            warm.push(tenant);
        }
    }
    section.finish();
    // It stays for as long as the configuration does.
    warm.shrink_to_fit();
    Tenants { warm }
}

/// Warns where the warm tenants of a host need more requests than the limiter lets through in one round of renewals.
pub(in crate::config) fn check_rate(
    profiles: &BTreeMap<ProfileName, Option<Parsed>>,
    rate: NonZeroU32,
    at: Fraction,
    place: &Place,
    diagnostics: &Diagnostics,
) {
    let mut by_host: BTreeMap<&Arc<str>, u32> = BTreeMap::new();
    for (profile, _) in profiles.values().flatten() {
        if let Kind::Glp { base_url, tenants: Some(tenants), .. } = &profile.kind {
            let warm = u32::try_from(tenants.warm.len()).unwrap_or(u32::MAX);
            let count = by_host.entry(&base_url.host).or_default();
            *count = count.saturating_add(warm);
        }
    }
    let round = TENANT_LIFE * at.get();
    for (host, warm) in by_host {
        let (warm, rate) = (f64::from(warm), f64::from(rate.get()));
        if warm / rate > round {
            diagnostics.warn(
                place,
                format!(
                    "the {warm} warm tenants at {host} cannot be renewed in time: at {rate} requests a second that takes \
                     {:.0} s, and their tokens are renewed every {round:.0} s; expected at least {:.0} a second, or fewer \
                     warm tenants",
                    (warm / rate).ceil(),
                    (warm / round).ceil()
                ),
            );
        }
    }
}
