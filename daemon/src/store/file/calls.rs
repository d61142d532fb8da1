//! The one place that fsyncs. In tests each call leaves a note of what it made durable, so that an fsync that is
//! announced and not done is found.

use std::io;
use std::os::fd::AsFd;

/// Makes a file's content, or a folder's names, durable.
pub(in crate::store) fn fsync(descriptor: impl AsFd) -> io::Result<()> {
    nix::unistd::fsync(descriptor.as_fd())?;
    #[cfg(test)]
    crate::store::tests::power::synced(descriptor.as_fd());
    Ok(())
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn the_system_is_asked() {
        // fsync(2) refuses what cannot be made durable.
        let (_, pipe) = nix::unistd::pipe().unwrap();
        assert_eq!(fsync(&pipe).unwrap_err().raw_os_error(), Some(Errno::EINVAL as i32));
    }
}
