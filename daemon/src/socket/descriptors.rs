//! Room for as many descriptors as there may be connections.

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors for everything but connections: logs, state files, provider connections, secret commands.
const OTHER_DESCRIPTORS: u64 = 256;

/// Why there is not enough room.
#[derive(Debug, thiserror::Error)]
pub enum DescriptorError {
    /// The hard limit is too low.
    #[error(
        "{needed} file descriptors are needed and the hard limit is {hard}: raise LimitNOFILE= of the unit \
         (or `ulimit -Hn`), or lower [server] max_connections to {possible}"
    )]
    HardLimit {
        /// For the configured connections.
        needed: u64,
        /// What the system allows.
        hard: u64,
        /// Connections that the hard limit would allow.
        possible: u64,
    },
    /// The limits could not be read or set.
    #[error("the limit of file descriptors could not be raised")]
    System(#[source] Errno),
}

/// Raises the soft limit of descriptors so that `max_connections` fit under it.
///
/// # Errors
/// When the hard limit is lower than that.
pub fn ensure_descriptors(max_connections: usize) -> Result<(), DescriptorError> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(DescriptorError::System)?;
    match raised(max_connections as u64, soft, hard)? {
        Some(soft) => setrlimit(Resource::RLIMIT_NOFILE, soft, hard).map_err(DescriptorError::System),
        None => Ok(()),
    }
}

/// The soft limit to be set, if it is not high enough already.
fn raised(max_connections: u64, soft: u64, hard: u64) -> Result<Option<u64>, DescriptorError> {
    let needed = max_connections + OTHER_DESCRIPTORS;
    if needed > hard {
        return Err(DescriptorError::HardLimit { needed, hard, possible: hard.saturating_sub(OTHER_DESCRIPTORS) });
    }
    Ok((needed > soft).then_some(needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_as_far_as_needed() {
        assert!(matches!(raised(4_096, 1_024, 524_288), Ok(Some(4_352))));
        assert!(matches!(raised(512, 1_024, 524_288), Ok(None)));
    }

    #[test]
    fn too_low_a_hard_limit_says_what_would_be_possible() {
        let error = raised(4_096, 1_024, 4_096).unwrap_err();
        assert!(error.to_string().contains("max_connections to 3840"), "{error}");
    }
}
