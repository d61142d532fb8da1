//! Pages of lists: so short that one costs the others little, and never too long for a frame.

use tokend_proto::limits::MAX_FRAME;
use tokend_proto::{NameRights, NameStatus, Rights, StatusPage, Tenant, TenantsPage};

/// Names of a page. A page of seven costs the daemon some fourteen times as much as a read does: that is what others
/// may have to wait for it, and a list of ten thousand is still read in a fraction of a second.
pub(in crate::socket) const NAMES: usize = 7;

/// Tenants of a page, which cost less each.
pub(in crate::socket) const TENANTS: usize = 100;

/// Room for entries: what is left of a frame beside its header, the version and the notes.
const ROOM: usize = MAX_FRAME - 16 * 1024;

/// Of which the notes take this much at most.
const NOTES_ROOM: usize = 8 * 1024;

/// At least what an entry takes besides its texts: lengths, discriminants, stamps and fingerprint.
const ENTRY_OVERHEAD: usize = 192;

/// A page of names; `more`: there are more than these.
pub(in crate::socket) fn status(names: Vec<NameStatus>, more: bool, notes: &[String]) -> StatusPage {
    let (names, more) = fit(names, more, 0, status_size);
    let mut room = NOTES_ROOM;
    let fits = |note: &&String| {
        room = room.saturating_sub(note.len() + 8);
        room > 0
    };
    let notes = notes.iter().take_while(fits).cloned().collect();
    StatusPage { version: env!("CARGO_PKG_VERSION").into(), notes, names, more }
}

/// A page of the names that a peer may read, in `whole`, which says who the peer is.
pub(in crate::socket) fn rights(names: Vec<NameRights>, more: bool, whole: Rights) -> Rights {
    let who = &whole.peer;
    let texts = who.may_read.iter().chain(&who.may_admin).chain(&whole.slices).chain(&whole.no_unit);
    // A number takes five bytes at most.
    let used = 5 * who.groups.len() + texts.map(|text| text.len() + 5).sum::<usize>();
    let size = |name: &NameRights| 16 + name.name.len() + name.label.as_ref().map_or(0, String::len);
    let (names, more) = fit(names, more, used, size);
    Rights { names, more, ..whole }
}

/// A page of a profile's tenants.
pub(in crate::socket) fn tenants(tenants: Vec<Tenant>, more: bool) -> TenantsPage {
    let size = |tenant: &Tenant| ENTRY_OVERHEAD + tenant.id.len() + tenant.workspace_name.len();
    let (tenants, more) = fit(tenants, more, 0, size);
    TenantsPage { tenants, more }
}

/// As many as there is room for beside what is `used`, but at least one; and whether there are more.
fn fit<T>(mut entries: Vec<T>, more: bool, mut used: usize, size: impl Fn(&T) -> usize) -> (Vec<T>, bool) {
    let mut fits = |entry: &T| {
        used += size(entry);
        used <= ROOM
    };
    let count = entries.iter().take_while(|entry| fits(entry)).count().max(1);
    let more = more || count < entries.len();
    entries.truncate(count);
    (entries, more)
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
#[path = "../tests/pages.rs"]
mod tests;
