//! Who is at the other end of a connection, as the kernel says (unix(7), SO_PEERCRED and SO_PEERGROUPS): the
//! credentials of the moment of its `connect`. Its unit is looked up when somebody asks: `peer_unit`.

use std::cell::OnceCell;
use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{getsockopt, sockopt};

use super::peer_groups::peer_groups;
use super::policy::PeerIdentity;

/// Asks the kernel for a peer's identity.
pub(crate) fn identify<Stream: AsFd>(stream: &Stream) -> io::Result<PeerIdentity> {
    let credentials = getsockopt(stream, sockopt::PeerCredentials)?;
    Ok(PeerIdentity {
        uid: credentials.uid(),
        gid: credentials.gid(),
        groups: peer_groups(stream.as_fd())?,
        pid: credentials.pid(),
        unit: OnceCell::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_known_by_user_group_process_and_groups() {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut groups: Vec<u32> =
            nix::unistd::getgroups().unwrap().into_iter().map(nix::unistd::Gid::as_raw).collect();
        let mut peer = identify(&ours).unwrap();
        groups.sort_unstable();
        peer.groups.sort_unstable();
        let expected = PeerIdentity {
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            groups,
            pid: nix::unistd::getpid().as_raw(),
            ..PeerIdentity::default()
        };
        assert_eq!(peer, expected);
    }
}
