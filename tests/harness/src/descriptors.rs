//! How many files a process may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises this process's soft limit of descriptors to the hard one, and says what that is.
///
/// # Panics
/// When the system refuses, which it has no reason to.
pub fn raise_descriptor_limit() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit is everybody's right");
    hard
}
