//! What is different in a new configuration, in words for people. No value is repeated: the file is there to be read.

use std::collections::BTreeSet;

use tokend_proto::ProfileName;

use super::Config;

/// Names of profiles in one line.
const MOST_NAMES: usize = 20;

impl Config {
    /// What is different from the configuration `before`, one thing a line; nothing if nothing is.
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let (old, new) = (before.names(), self.names());
        let stayed = || new.intersection(&old).copied();
        let mut profiles = |names: Vec<&ProfileName>, what: &str| {
            if !names.is_empty() {
                changes.push(format!("profiles that are {what}: {}", listed(&names)));
            }
        };
        profiles(old.difference(&new).copied().collect(), "gone");
        profiles(new.difference(&old).copied().collect(), "new");
        profiles(stayed().filter(|name| self.is_changed(before, name)).collect(), "changed");
        if !self.rules.says_the_same_as(&before.rules) {
            changes.push("the access rules are changed".to_owned());
        }
        for (key, is_changed) in self.keys_changed(before) {
            if is_changed {
                changes.push(format!("{key} is changed"));
            }
        }
        if self.server.group != before.server.group {
            changes.push("[server] group is changed, which needs a restart if tokend makes its own socket".to_owned());
        }
        changes
    }

    /// Profiles of which the daemon outside of the core does something else than before.
    pub(crate) fn revised_since(&self, before: &Self) -> Vec<ProfileName> {
        let is_other = |name: &&ProfileName| before.profiles.get(*name).is_some_and(|old| *old != self.profiles[*name]);
        self.profiles.keys().filter(is_other).cloned().collect()
    }

    fn names(&self) -> BTreeSet<&ProfileName> {
        self.profiles.keys().collect()
    }

    fn is_changed(&self, before: &Self, name: &ProfileName) -> bool {
        self.settings.profiles.get(name) != before.settings.profiles.get(name)
            || self.profiles.get(name) != before.profiles.get(name)
    }

    fn keys_changed(&self, before: &Self) -> [(&'static str, bool); 6] {
        let (old, new) = (&before.settings, &self.settings);
        let (old_server, new_server) = (&before.server, &self.server);
        [
            ("[server] max_connections", old_server.max_connections != new_server.max_connections),
            (
                "[server] max_connections_per_uid",
                old_server.max_connections_per_uid != new_server.max_connections_per_uid,
            ),
            ("[providers] max_requests_per_second", old.max_requests_per_second != new.max_requests_per_second),
            ("[refresh] at", old.refresh_at != new.refresh_at),
            ("[refresh] jitter", old.jitter != new.jitter),
            ("[audit] reads", before.audit != self.audit),
        ]
    }
}

fn listed(names: &[&ProfileName]) -> String {
    let shown = names.iter().take(MOST_NAMES).map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
