//! The access rules in force.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};

use super::policy::Access;

/// Rules that can be replaced while they are asked.
///
/// They are numbered, so that a connection that has been allowed something knows without taking hold of them whether
/// they are still the ones that allowed it.
#[derive(Debug)]
pub struct Rules {
    access: ArcSwap<Access>,
    edition: AtomicU64,
}

impl Rules {
    /// The first ones.
    #[must_use]
    pub fn new(access: Access) -> Self {
        Self { access: ArcSwap::from_pointee(access), edition: AtomicU64::new(0) }
    }

    /// Puts others in force.
    pub fn store(&self, access: Access) {
        self.access.store(Arc::new(access));
        // A reader of this number finds these rules, or later ones.
        self.edition.fetch_add(1, Ordering::Release);
    }

    /// Their number. To be read before the rules themselves: they may then be later ones than the number says, which
    /// costs asking them once more, and never earlier ones.
    #[must_use]
    pub fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// To ask them.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<Access>> {
        self.access.load()
    }

    /// To keep them.
    #[must_use]
    pub fn load_full(&self) -> Arc<Access> {
        self.access.load_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_rules_have_another_number() {
        let rules = Rules::new(Access::new(Vec::new(), 1));
        let first = rules.edition();
        assert_eq!(rules.edition(), first);
        rules.store(Access::new(Vec::new(), 2));
        assert_ne!(rules.edition(), first);
        assert_eq!(*rules.load_full(), Access::new(Vec::new(), 2));
        assert_eq!(**rules.load(), Access::new(Vec::new(), 2));
    }
}
