//! Who watches one name.

use std::collections::BTreeSet;

use tokend_proto::Health;

use super::id::WaiterId;

/// Who watches a name. In a box, because of very many names hardly any is watched.
#[derive(Debug, Default)]
pub(super) struct Watch(Option<Box<Watched>>);

#[derive(Debug, Default)]
struct Watched {
    /// There is one at least.
    watchers: BTreeSet<WaiterId>,
    /// What was told last: the health, and whether with an error.
    told: Option<(Health, bool)>,
}

impl Watch {
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |watched| watched.watchers.len())
    }

    pub(super) fn watchers(&self) -> impl Iterator<Item = WaiterId> {
        self.0.iter().flat_map(|watched| watched.watchers.iter().copied())
    }

    pub(super) fn begin(&mut self, id: WaiterId) {
        let watched = self.0.get_or_insert_default();
        watched.watchers.insert(id);
        // The newcomer has not heard it.
        watched.told = None;
    }

    /// Whether it watched.
    pub(super) fn end(&mut self, id: WaiterId) -> bool {
        let Some(watched) = &mut self.0 else { return false };
        let was = watched.watchers.remove(&id);
        if watched.watchers.is_empty() {
            self.0 = None;
        }
        was
    }

    /// Whether somebody watches who was told something else last. From now on this counts as told.
    pub(super) fn is_news(&mut self, health: Health, has_error: bool) -> bool {
        self.0.as_mut().is_some_and(|watched| watched.told.replace((health, has_error)) != Some((health, has_error)))
    }
}
