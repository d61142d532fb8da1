//! SO_PEERGROUPS, which neither nix nor rustix offers: the one system call of the daemon made by hand.
#![allow(unsafe_code, reason = "getsockopt(2) into a buffer of our own; see the safety comment")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

/// The kernel's NGROUPS_MAX: no process has more supplementary groups.
const MAX_GROUPS: usize = 65_536;

/// More than nearly all processes have: these need no memory to be asked for.
const FEW_GROUPS: usize = 32;

/// Supplementary groups of the process at the other end of a Unix stream socket.
pub(crate) fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut few = [0; FEW_GROUPS];
    match read_groups(socket, &mut few)? {
        Ok(count) => Ok(few[..count].to_vec()),
        Err(mut needed) => loop {
            let mut groups = vec![0; needed];
            match read_groups(socket, &mut groups)? {
                Ok(count) => {
                    groups.truncate(count);
                    groups.shrink_to_fit();
                    return Ok(groups);
                }
                Err(more) => needed = more,
            }
        },
    }
}

/// How many groups there are, or for how many there has to be room, which is more than there is.
fn read_groups(socket: BorrowedFd<'_>, groups: &mut [libc::gid_t]) -> io::Result<Result<usize, usize>> {
    let mut length = libc::socklen_t::try_from(size_of_val(groups)).map_err(io::Error::other)?;
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
        return Ok(Ok(count));
    }
    match io::Error::last_os_error() {
        // Too small: the length has become what is needed.
        error if error.raw_os_error() == Some(libc::ERANGE) && (groups.len() + 1..=MAX_GROUPS).contains(&count) => {
            Ok(Err(count))
        }
        error => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn too_little_room_is_told_with_how_much_there_has_to_be() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let groups = nix::unistd::getgroups().unwrap().len();
        let expected = if groups == 0 { Ok(0) } else { Err(groups) };
        assert_eq!(read_groups(ours.as_fd(), &mut []).unwrap(), expected);
        let mut room = vec![0; groups + 1];
        assert_eq!(read_groups(ours.as_fd(), &mut room).unwrap(), Ok(groups));
        assert_eq!(peer_groups(ours.as_fd()).unwrap(), room[..groups]);
    }
}
