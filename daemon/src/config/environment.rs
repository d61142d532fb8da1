//! What validation depends on besides the file: the daemon's environment, and the users and groups of the machine.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::system::secret::Surroundings;

/// What validation depends on besides the file.
#[derive(Clone)]
pub struct Environment {
    /// Environment variables, and who the daemon runs as.
    pub surroundings: Arc<Surroundings>,
    /// Users and groups.
    pub accounts: Arc<dyn Accounts>,
}

impl Environment {
    /// The real one.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self { surroundings: Arc::new(Surroundings::of_this_process()), accounts: Arc::new(SystemAccounts) }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("surroundings", &self.surroundings).finish_non_exhaustive()
    }
}

/// The users and groups of the machine.
pub trait Accounts: Send + Sync {
    /// A user's number; `None` if there is no such user.
    ///
    /// # Errors
    ///
    /// The look-up failed: whether there is such a user is not known.
    fn user(&self, name: &str) -> io::Result<Option<u32>>;

    /// A group's number; `None` if there is no such group.
    ///
    /// # Errors
    ///
    /// As for [`Accounts::user`].
    fn group(&self, name: &str) -> io::Result<Option<u32>>;
}

/// What getpwnam_r(3) and getgrnam_r(3) know.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemAccounts;

impl Accounts for SystemAccounts {
    fn user(&self, name: &str) -> io::Result<Option<u32>> {
        Ok(nix::unistd::User::from_name(name)?.map(|user| user.uid.as_raw()))
    }

    fn group(&self, name: &str) -> io::Result<Option<u32>> {
        Ok(nix::unistd::Group::from_name(name)?.map(|group| group.gid.as_raw()))
    }
}
