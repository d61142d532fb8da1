//! For a user who may not open the socket: who may.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::accounts;

/// Why connecting was denied, and the group whose members may connect.
pub(crate) fn permission_hint(socket: &Path) -> String {
    let socket_shown = socket.display();
    // If the socket's folder is closed, the socket cannot be examined: the folder's group counts then.
    let Some((closed, metadata)) =
        socket.ancestors().find_map(|path| fs::metadata(path).ok().map(|metadata| (path, metadata)))
    else {
        return format!("permission to connect to {socket_shown} denied");
    };
    let is_socket = closed == socket;
    let what = if is_socket { "it is".to_owned() } else { format!("{} is", closed.display()) };
    // Connecting needs the right to write to the socket (unix(7)) and to search its folder.
    let needed = if is_socket { 0o020 } else { 0o010 };
    if metadata.mode() & needed == 0 {
        let uid = metadata.uid();
        let owner = accounts::user(uid).unwrap_or_else(|| uid.to_string());
        return format!("permission to connect to {socket_shown} denied: {what} open only to the user {owner:?}");
    }
    let group = group_name(metadata.gid());
    format!(
        "permission to connect to {socket_shown} denied: {what} open to members of the group {group:?}; \
         'usermod -aG {group} USER' adds a user, from the next login on"
    )
}

/// The group's name, or its number if it has no name.
fn group_name(gid: u32) -> String {
    accounts::group(gid).unwrap_or_else(|| gid.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_group_of_the_socket_or_of_the_nearest_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let group = group_name(fs::metadata(dir.path()).unwrap().gid());
        let there = dir.path().join("tokend.sock");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o750)).unwrap();
        let text = permission_hint(&there);
        assert!(
            text.contains(&format!("{} is open to members of the group {group:?}", dir.path().display())),
            "{text}"
        );
        fs::write(&there, "").unwrap();
        fs::set_permissions(&there, Permissions::from_mode(0o660)).unwrap();
        assert!(permission_hint(&there).contains(&format!(": it is open to members of the group {group:?}")));
    }

    #[test]
    fn no_group_is_named_that_would_not_help() {
        let dir = tempfile::tempdir().unwrap();
        let owner = accounts::user(fs::metadata(dir.path()).unwrap().uid()).unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        let text = permission_hint(&dir.path().join("tokend.sock"));
        assert!(text.ends_with(&format!("{} is open only to the user {owner:?}", dir.path().display())), "{text}");
    }
}
