//! What validation depends on besides the file: the daemon's environment, the users and groups of the machine, and
//! what its kernel can tell.

use std::fmt;
use std::sync::Arc;

use crate::access::cgroup::{self, UnitLookup};
use crate::os::accounts::{Accounts, SystemAccounts};
use crate::secret::ProcessEnv;

/// What validation depends on besides the file.
#[derive(Clone)]
pub struct Environment {
    /// Environment variables, and who the daemon runs as.
    pub process_env: Arc<ProcessEnv>,
    /// Users and groups.
    pub accounts: Arc<dyn Accounts>,
    /// Whether the units of peers can be known. Asked only where a rule names a unit.
    pub unit_lookup: fn() -> UnitLookup,
}

impl Environment {
    /// The real one.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self {
            process_env: Arc::new(ProcessEnv::of_this_process()),
            accounts: Arc::new(SystemAccounts),
            unit_lookup: cgroup::unit_lookup,
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("process_env", &self.process_env).finish_non_exhaustive()
    }
}
