//! What validation depends on besides the file: the daemon's environment, the users and groups of the machine, and
//! what its kernel can tell.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::secret::Surroundings;

/// What validation depends on besides the file.
#[derive(Clone)]
pub struct Environment {
    /// Environment variables, and who the daemon runs as.
    pub surroundings: Arc<Surroundings>,
    /// Users and groups.
    pub accounts: Arc<dyn Accounts>,
    /// Whether the units of peers can be known. Asked only where a rule names a unit.
    pub unit_sight: fn() -> UnitSight,
}

/// Whether the systemd units of other users' processes can be known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitSight {
    /// They can.
    Clear,
    /// The kernel has no SO_PEERPIDFD.
    NoPeerPidfd,
    /// Other users' processes are hidden in /proc.
    ProcHidden,
}

impl UnitSight {
    /// Why rules by units match nobody, and what would help.
    pub(super) fn problem(self) -> Option<&'static str> {
        match self {
            Self::Clear => None,
            Self::NoPeerPidfd => {
                Some("this kernel does not say which process connected (SO_PEERPIDFD); right is Linux 6.5 or later")
            }
            Self::ProcHidden => Some(
                "/proc does not show other users' processes; right is a mount without hidepid, and \
                 ProtectProc=default in the unit",
            ),
        }
    }
}

impl Environment {
    /// The real one.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self {
            surroundings: Arc::new(Surroundings::of_this_process()),
            accounts: Arc::new(SystemAccounts),
            unit_sight: crate::access::cgroup::unit_sight,
        }
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
