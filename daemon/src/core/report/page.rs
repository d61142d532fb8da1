//! One page of a list: what its reader may see of it, and no more than a page costs.
//!
//! However many names there are, a question looks at a bounded number of them. Where a reader may see few of them, the
//! answer says how far that was, and the question is put again from there.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::access::policy::{Access, PeerIdentity};

/// Entries that one question looks at.
const LOOKED_AT: usize = 256;

/// Who reads a list.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The rules, as they were when it asked.
    pub access: Arc<Access>,
    /// With its unit, if the rules want to know that.
    pub peer: PeerIdentity,
}

/// Which part of a list is asked for.
#[derive(Debug, Clone)]
pub struct Page<K> {
    /// Who reads it.
    pub reader: Reader,
    /// What comes after this; `None` for the beginning.
    pub after: Option<K>,
    /// So many entries at most.
    pub room: usize,
}

/// Part of a list.
#[derive(Debug, Clone)]
pub struct Part<T, K> {
    /// Those that its reader may see, in order.
    pub entries: Vec<T>,
    /// What there is after them.
    pub rest: Rest<K>,
}

/// What comes after a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest<K> {
    /// Nothing that its reader may see.
    Nothing,
    /// At least one more that its reader may see.
    More,
    /// It was looked at up to here. Whether there is more its reader may see, another question finds out.
    After(K),
}

/// The part of `all` that a page asks for.
pub(in crate::core) fn part<K: Ord + Clone, V, T>(
    all: &BTreeMap<K, V>,
    page: &Page<K>,
    may_read: impl Fn(&K) -> bool,
    entry_of: impl Fn(&K, &V) -> T,
) -> Part<T, K> {
    let start = page.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut entries = Vec::with_capacity(page.room.min(LOOKED_AT).min(all.len()));
    let mut last = None;
    for (looked_at, (key, value)) in all.range((start, Bound::Unbounded)).enumerate() {
        if let Some(last) = last
            && looked_at == LOOKED_AT
        {
            return Part { entries, rest: Rest::After(K::clone(last)) };
        }
        if may_read(key) {
            if entries.len() >= page.room {
                return Part { entries, rest: Rest::More };
            }
            entries.push(entry_of(key, value));
        }
        last = Some(key);
    }
    Part { entries, rest: Rest::Nothing }
}
