//! SO_PEERGROUPS, which neither nix nor rustix offers: the one system call of the daemon made by hand.
#![allow(unsafe_code, reason = "getsockopt(2) into a buffer of our own; see the safety comment")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

/// The kernel's NGROUPS_MAX: no process has more supplementary groups.
const MAX_GROUPS: usize = 65_536;

/// Supplementary groups of the process at the other end of a Unix stream socket.
pub(super) fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 32];
    loop {
        let mut length = libc::socklen_t::try_from(size_of_val(groups.as_slice())).map_err(io::Error::other)?;
        // SAFETY: `groups` is writable for `length` bytes, any bytes are a valid gid_t, and the kernel writes
        // at most `length` bytes and the new length. `socket` is open as long as it is borrowed.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let count = length as usize / size_of::<libc::gid_t>();
        if result == 0 {
            groups.truncate(count);
            groups.shrink_to_fit();
            return Ok(groups);
        }
        match io::Error::last_os_error() {
            // Too small: the length has become what is needed.
            error if error.raw_os_error() == Some(libc::ERANGE) && (groups.len() + 1..=MAX_GROUPS).contains(&count) => {
                groups.resize(count, 0);
            }
            error => return Err(error),
        }
    }
}
