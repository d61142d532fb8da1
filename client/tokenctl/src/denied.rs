//! Who may open the socket, for one who may not.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Group};

/// Why connecting was denied, and the group whose members are let in.
pub(crate) fn explain(socket: &Path) -> String {
    let socket_shown = socket.display();
    // The socket itself cannot be looked at when its folder is closed: then the folder's group counts.
    let Some((closed, metadata)) =
        socket.ancestors().find_map(|path| fs::metadata(path).ok().map(|metadata| (path, metadata)))
    else {
        return format!("permission to connect to {socket_shown} denied");
    };
    let group = group_name(metadata.gid());
    let what = if closed == socket { "it is".to_owned() } else { format!("{} is", closed.display()) };
    format!(
        "permission to connect to {socket_shown} denied: {what} open to members of the group {group:?}; \
         'usermod -aG {group} USER' makes a user one, from the next login on"
    )
}

fn group_name(gid: u32) -> String {
    match Group::from_gid(Gid::from_raw(gid)) {
        Ok(Some(group)) => group.name,
        _ => gid.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_the_socket_or_of_the_nearest_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let gid = fs::metadata(dir.path()).unwrap().gid();
        let group = group_name(gid);
        let there = dir.path().join("tokend.sock");
        let text = explain(&there);
        assert!(
            text.contains(&format!("{} is open to members of the group {group:?}", dir.path().display())),
            "{text}"
        );
        fs::write(&there, "").unwrap();
        assert!(explain(&there).contains(&format!(": it is open to members of the group {group:?}")));
    }

    #[test]
    fn a_group_without_a_name_is_its_number() {
        assert_eq!(group_name(4_000_000_000), "4000000000");
        assert_eq!(group_name(0), "root");
    }
}
