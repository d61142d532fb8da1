//! Lists cut into pages that fit into a frame, and to what their reader may see.

use tokend_proto::limits::MAX_FRAME;
use tokend_proto::{
    NameRights, NameStatus, ProfileName, Rights, StatusPage, Tenant, TenantsPage, TokenName, WorkspaceId,
};

use super::naming;
use crate::core::access::{Access, PeerIdentity};

/// Room for entries: what is left of a frame beside its header, the version and the notes.
const ROOM: usize = MAX_FRAME - 16 * 1024;

/// Of which the notes take this much at most.
const NOTES_ROOM: usize = 8 * 1024;

/// At least what an entry takes besides its texts: lengths, discriminants, stamps and fingerprint.
const ENTRY_OVERHEAD: usize = 192;

/// One page of names, or `None` if `only` is asked for and is not in the list.
pub(super) fn status(
    all: Vec<NameStatus>,
    (access, peer): (&Access, &PeerIdentity),
    only: Option<&TokenName>,
    after: Option<&TokenName>,
    notes: &[String],
) -> Option<StatusPage> {
    let mut readable: Vec<(TokenName, NameStatus)> = all
        .into_iter()
        .filter_map(|status| Some((naming::canonical(&status.name)?, status)))
        .filter(|(name, _)| only.is_none_or(|only| only == name))
        .filter(|(name, _)| access.may_read(peer, name))
        .collect();
    if only.is_some() && readable.is_empty() {
        return None;
    }
    // Usually a no-op; what a page starts after must not depend on how somebody else sorts names.
    readable.sort_by(|(a, _), (b, _)| a.cmp(b));
    readable.retain(|(name, _)| after.is_none_or(|after| name > after));
    let (names, more) = page(readable.into_iter().map(|(_, status)| status), 0, status_size);
    let mut room = NOTES_ROOM;
    let fits = |note: &&String| {
        room = room.saturating_sub(note.len() + 8);
        room > 0
    };
    let notes = notes.iter().take_while(fits).cloned().collect();
    Some(StatusPage { version: env!("CARGO_PKG_VERSION").into(), notes, names, more })
}

/// One page of the names that a peer may read, in `whole`, which says who the peer is.
pub(super) fn rights(
    all: Vec<NameStatus>,
    (access, peer): (&Access, &PeerIdentity),
    whole: Rights,
    after: Option<&TokenName>,
) -> Rights {
    let mut readable: Vec<(TokenName, NameRights)> = all
        .into_iter()
        .filter_map(|status| Some((naming::canonical(&status.name)?, status)))
        .filter(|(name, _)| after.is_none_or(|after| name > after) && access.may_read(peer, name))
        .map(|(name, NameStatus { name: text, label, .. })| {
            let admin = access.may_admin(peer, &name);
            (name, NameRights { name: text, label, admin })
        })
        .collect();
    readable.sort_by(|(a, _), (b, _)| a.cmp(b));
    let who = &whole.peer;
    let texts = who.may_read.iter().chain(&who.may_admin).chain(&whole.slices).chain(&whole.no_unit);
    // A number takes five bytes at most.
    let used = 5 * who.groups.len() + texts.map(|text| text.len() + 5).sum::<usize>();
    let size = |name: &NameRights| 16 + name.name.len() + name.label.as_ref().map_or(0, String::len);
    let (names, more) = page(readable.into_iter().map(|(_, name)| name), used, size);
    Rights { names, more, ..whole }
}

/// One page of a profile's tenants.
pub(super) fn tenants(
    all: Vec<Tenant>,
    (access, peer): (&Access, &PeerIdentity),
    profile: &ProfileName,
    after: Option<WorkspaceId>,
) -> TenantsPage {
    let mut readable: Vec<(WorkspaceId, Tenant)> = all
        .into_iter()
        .filter_map(|tenant| Some((tenant.id.parse().ok()?, tenant)))
        .filter(|(id, _)| after.is_none_or(|after| *id > after))
        .filter(|(id, _)| access.may_read(peer, &naming::of_tenant(profile, *id)))
        .collect();
    readable.sort_by_key(|(id, _)| *id);
    let size = |tenant: &Tenant| ENTRY_OVERHEAD + tenant.id.len() + tenant.workspace_name.len();
    let (tenants, more) = page(readable.into_iter().map(|(_, tenant)| tenant), 0, size);
    TenantsPage { tenants, more }
}

/// As many as there is room for beside what is `used`, but at least one; and whether there are more.
fn page<T>(entries: impl Iterator<Item = T>, mut used: usize, size: impl Fn(&T) -> usize) -> (Vec<T>, bool) {
    let mut page = Vec::new();
    for entry in entries {
        used += size(&entry);
        if used > ROOM && !page.is_empty() {
            return (page, true);
        }
        page.push(entry);
    }
    (page, false)
}

fn status_size(status: &NameStatus) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let chain = status.chain.as_ref().map_or(0, |chain| chain.state.len() + length(&chain.why));
    ENTRY_OVERHEAD
        + status.name.len()
        + length(&status.label)
        + status.kind.len()
        + length(&status.last_error)
        + length(&status.action)
        + chain
}

#[cfg(test)]
#[path = "tests/pages.rs"]
mod tests;
