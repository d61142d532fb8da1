//! Who waits at one place: for a name, or for a list of tenants.
//!
//! There may be tens of thousands, so one who comes or goes costs the same however many they are.

use std::collections::BTreeMap;

use tokend_proto::Fingerprint;

use super::activity::Activity;
use super::id::WaiterId;
use super::time::BootTime;

/// In a box, because hardly ever somebody waits.
#[derive(Debug, Default)]
pub(super) struct Waiting(Option<Box<Crowd>>);

#[derive(Debug, Default)]
struct Crowd {
    /// In the order in which they came, with their users. There is one at least.
    waiters: BTreeMap<WaiterId, u32>,
    /// How many each user has of them.
    users: BTreeMap<u32, usize>,
    /// What all of them were looked at with last.
    prospect: Option<Prospect>,
}

/// All that decides about those who wait for a name, but for the time and the waiter. As long as it is the same, each
/// goes on waiting until its own time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prospect {
    pub(super) token: Option<Fingerprint>,
    pub(super) activity: Activity,
    pub(super) retry_at: Option<BootTime>,
    pub(super) is_permanent: bool,
    pub(super) forced: Option<Fingerprint>,
    pub(super) hold_until: Option<BootTime>,
    /// Whether the workspace in trouble is idle, and until when.
    pub(super) parent: Option<(bool, Option<BootTime>)>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |crowd| crowd.waiters.len())
    }

    /// Whether it is the first one of its user.
    pub(super) fn insert(&mut self, id: WaiterId, uid: u32) -> bool {
        let crowd = self.0.get_or_insert_default();
        if crowd.waiters.insert(id, uid).is_some() {
            return false;
        }
        let count = crowd.users.entry(uid).or_default();
        *count += 1;
        *count == 1
    }

    /// They were last looked at with something else than what the one who has just come was looked at with: they all
    /// are looked at the next time.
    pub(super) fn came_with(&mut self, prospect: Prospect) {
        if let Some(crowd) = &mut self.0 {
            crowd.prospect = crowd.prospect.filter(|before| *before == prospect);
        }
    }

    /// Whether it was the last one of its user.
    pub(super) fn remove(&mut self, id: WaiterId) -> bool {
        let Some(crowd) = &mut self.0 else { return false };
        let Some(uid) = crowd.waiters.remove(&id) else { return false };
        let Some(count) = crowd.users.get_mut(&uid) else { return false };
        *count -= 1;
        if *count > 0 {
            return false;
        }
        crowd.users.remove(&uid);
        if crowd.waiters.is_empty() {
            self.0 = None;
        }
        true
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = WaiterId> {
        self.0.iter().flat_map(|crowd| crowd.waiters.keys().copied())
    }

    pub(super) fn users(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|crowd| crowd.users.keys().copied())
    }

    /// Whether what they can hope for is another thing than when all of them were last looked at, which they now are.
    pub(super) fn is_news(&mut self, prospect: Prospect) -> bool {
        self.0.as_mut().is_some_and(|crowd| crowd.prospect.replace(prospect) != Some(prospect))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_those_of_the_waiters() {
        let mut waiting = Waiting::default();
        assert!(waiting.insert(WaiterId(1), 7) && !waiting.insert(WaiterId(2), 7) && waiting.insert(WaiterId(3), 8));
        assert!(!waiting.insert(WaiterId(3), 8), "it is there already");
        assert_eq!((waiting.len(), waiting.users().collect::<Vec<_>>()), (3, vec![7, 8]));
        assert!(!waiting.remove(WaiterId(1)) && !waiting.remove(WaiterId(1)) && waiting.remove(WaiterId(2)));
        assert_eq!(waiting.ids().collect::<Vec<_>>(), [WaiterId(3)]);
        assert!(waiting.remove(WaiterId(3)) && waiting.is_empty() && waiting.users().next().is_none());
    }
}
