//! What reading a secret depends on besides its source.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// What reading a secret depends on: the daemon's environment and who it runs as.
#[derive(Clone, Default)]
pub struct ProcessEnv {
    /// `None` stands for those of this process, which never change: a copy would be one more of the secrets in them.
    variables: Option<BTreeMap<OsString, OsString>>,
    uid: u32,
    gid: u32,
}

impl ProcessEnv {
    /// Of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self { variables: None, uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
    }

    /// With these variables, as this user whose primary group is `gid`.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>, uid: u32, gid: u32) -> Self {
        Self { variables: Some(variables.into_iter().collect()), uid, gid }
    }

    /// An environment variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<OsString> {
        match &self.variables {
            None => std::env::var_os(name),
            Some(variables) => variables.get(OsStr::new(name)).cloned(),
        }
    }

    /// The daemon's user.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The daemon's primary group.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.gid
    }
}

impl fmt::Debug for ProcessEnv {
    /// Without the variables' values: some of them are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Option<Vec<_>> = self.variables.as_ref().map(|variables| variables.keys().collect());
        f.debug_struct("ProcessEnv")
            .field("variables", &names.unwrap_or_default())
            .field("uid", &self.uid)
            .field("gid", &self.gid)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_the_surroundings_shows_no_values() {
        let process_env = ProcessEnv::new([("LEGACY_SECRET".into(), "hunter2".into())], 990, 991);
        assert_eq!(format!("{process_env:?}"), r#"ProcessEnv { variables: ["LEGACY_SECRET"], uid: 990, gid: 991 }"#);
    }
}
