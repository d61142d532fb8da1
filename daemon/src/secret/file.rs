//! A secret in a file: read only if nobody else could have read or written it.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::{ELOOP, O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK};
use tokend_proto::Secret;
use zeroize::Zeroizing;

use super::error::{MAX_SECRET, SecretError};
use super::text::secret_from;

/// What is asked of a file's owner and mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// It is root's or the daemon's, others have no access, and a group may only read it and only if it is the
    /// daemon's primary one.
    Strict {
        /// The daemon's user.
        uid: u32,
        /// The daemon's primary group.
        gid: u32,
    },
    /// Others have no access. Owner and group are systemd's business: it gives the unit's user access by an ACL, whose
    /// mask stands where the group's permissions do (acl(5)).
    Credential,
}

/// Reads a secret file. The checks are made on the open descriptor, so that the file checked is the file read.
pub(super) fn read(path: &Path, rules: Rules) -> Result<Secret, SecretError> {
    // Without O_NONBLOCK opening a pipe would wait for its other end.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        .open(path)
        .map_err(|error| cannot_open(&error, path, rules))?;
    let metadata = file.metadata().map_err(|error| SecretError::Io { why: error.kind().to_string() })?;
    check(&Facts::of(&metadata), path, rules)?;
    secret_from(read_capped(file, metadata.len())?)
}

fn cannot_open(error: &io::Error, path: &Path, rules: Rules) -> SecretError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => SecretError::NoFile { path: path.to_owned() },
        ErrorKind::PermissionDenied => {
            let uid = match rules {
                Rules::Strict { uid, .. } => uid,
                Rules::Credential => nix::unistd::geteuid().as_raw(),
            };
            SecretError::Unreadable { path: path.to_owned(), uid }
        }
        _ if error.raw_os_error() == Some(ELOOP) => SecretError::SymbolicLink,
        kind => SecretError::Io { why: kind.to_string() },
    }
}

/// What is looked at in a file's metadata.
struct Facts {
    regular: bool,
    owner: u32,
    group: u32,
    mode: u32,
}

impl Facts {
    fn of(metadata: &Metadata) -> Self {
        Self {
            regular: metadata.is_file(),
            owner: metadata.uid(),
            group: metadata.gid(),
            mode: metadata.mode() & 0o7777,
        }
    }
}

fn check(facts: &Facts, path: &Path, rules: Rules) -> Result<(), SecretError> {
    let &Facts { regular, owner, group, mode } = facts;
    let path = || path.to_owned();
    if !regular {
        return Err(SecretError::NotAFile);
    }
    if mode & 0o007 != 0 {
        return Err(SecretError::OpenToOthers { path: path(), mode });
    }
    let Rules::Strict { uid, gid } = rules else { return Ok(()) };
    if owner != 0 && owner != uid {
        return Err(SecretError::Owner { path: path(), owner });
    }
    if mode & 0o070 != 0 && group != gid {
        return Err(SecretError::OpenToGroup { path: path(), mode, group, ours: gid });
    }
    if mode & 0o020 != 0 {
        return Err(SecretError::GroupMayWrite { path: path(), mode });
    }
    Ok(())
}

/// At most one byte more than is accepted. A buffer is not moved while it fills: no unwiped copy is left behind. As a
/// rule the first is as large as the file, and what is wiped is not a thousand times the secret.
fn read_capped(mut file: File, length: u64) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let length = usize::try_from(length).unwrap_or(MAX_SECRET).clamp(SHORTEST_BUFFER, MAX_SECRET) + 1;
    let bytes = read_up_to(&mut file, length, &[])?;
    // It has grown meanwhile, or is of a file system that does not know how long a file is.
    let unfinished = bytes.len() == length && length <= MAX_SECRET;
    if unfinished { read_up_to(&mut file, MAX_SECRET + 1, &bytes) } else { Ok(bytes) }
}

/// `Read::read_to_end` looks for more with a buffer on the stack when the one that it is given is shorter.
const SHORTEST_BUFFER: usize = 64;

/// What was `read` and what follows, this many bytes in all at most.
fn read_up_to(file: &mut File, most: usize, read: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
    bytes.extend_from_slice(read);
    let rest = u64::try_from(most - read.len()).expect("64 KiB fit");
    file.take(rest).read_to_end(&mut bytes).map_err(|error| SecretError::Io { why: error.kind().to_string() })?;
    Ok(bytes)
}

#[cfg(test)]
pub(super) fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("mode set");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_longer_than_was_said_is_read_whole_and_one_that_is_too_long_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let read = |length: usize, said: u64| {
            let text: Vec<u8> = (0..length).map(|at| b'a' + (at % 23) as u8).collect();
            std::fs::write(&path, &text).expect("written");
            let read = read_capped(File::open(&path).expect("opened"), said).expect("read");
            assert!(
                text.starts_with(&read) && read.capacity() > read.len(),
                "{length} bytes, of which {said} were said"
            );
            read.len()
        };
        for said in [0, 1, 64, 65, 300, 301, 10_000, u64::MAX] {
            assert_eq!(read(0, said), 0);
            assert_eq!(read(300, said), 300, "{said}");
            assert_eq!(read(MAX_SECRET, said), MAX_SECRET, "{said}");
            assert_eq!(read(MAX_SECRET + 9, said), MAX_SECRET + 1, "{said}");
        }
    }

    const DAEMON: Rules = Rules::Strict { uid: 990, gid: 991 };

    #[test]
    fn only_files_that_nobody_else_can_read_or_change_are_accepted() {
        let table = [
            (0, 0, 0o600, None),
            (990, 991, 0o400, None),
            (0, 991, 0o640, None),
            (0, 0, 0o604, Some("others have access to it (mode 0604); chmod o= /s")),
            (0, 991, 0o642, Some("others have access to it (mode 0642); chmod o= /s")),
            (1000, 991, 0o600, Some("it belongs to uid 1000, who can read and change it; chown root /s")),
            (
                0,
                5,
                0o640,
                Some(
                    "its group (gid 5) has access to it (mode 0640) and is not the daemon's primary group (gid 991); \
                     chmod g= /s",
                ),
            ),
            (0, 991, 0o660, Some("its group may change it (mode 0660); chmod g=r /s")),
        ];
        for (owner, group, mode, expected) in table {
            let facts = Facts { regular: true, owner, group, mode };
            let found = check(&facts, Path::new("/s"), DAEMON).err().map(|problem| problem.to_string());
            assert_eq!(found.as_deref(), expected, "{owner}:{group} {mode:o}");
        }
    }

    #[test]
    fn a_credential_may_be_readable_through_an_acl() {
        let facts = Facts { regular: true, owner: 0, group: 0, mode: 0o440 };
        assert_eq!(check(&facts, Path::new("/s"), Rules::Credential), Ok(()));
        assert!(check(&facts, Path::new("/s"), DAEMON).is_err());
    }

    fn rules_of_this_user() -> Rules {
        Rules::Strict { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
    }

    #[test]
    fn a_private_file_is_read_and_an_open_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2\n").expect("written");
        chmod(&path, 0o600);
        assert_eq!(read(&path, rules_of_this_user()), Ok(Secret::from("hunter2")));
        chmod(&path, 0o644);
        assert_eq!(read(&path, rules_of_this_user()), Err(SecretError::OpenToOthers { path, mode: 0o644 }));
    }

    #[test]
    fn links_pipes_and_folders_are_refused_without_waiting() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("target");
        std::fs::write(&target, "hunter2").expect("written");
        chmod(&target, 0o600);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&target, &link).expect("linked");
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).expect("a pipe");
        let rules = rules_of_this_user();
        assert_eq!(read(&link, rules), Err(SecretError::SymbolicLink));
        assert_eq!(read(&pipe, rules), Err(SecretError::NotAFile));
        assert_eq!(read(folder.path(), rules), Err(SecretError::NotAFile));
        let missing = folder.path().join("missing");
        assert_eq!(read(&missing, rules), Err(SecretError::NoFile { path: missing }));
    }

    #[test]
    fn a_file_that_is_too_long_is_refused_without_being_read_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let file = std::fs::File::create(&path).expect("created");
        file.set_len(1 << 40).expect("a sparse terabyte");
        chmod(&path, 0o600);
        assert_eq!(read(&path, rules_of_this_user()), Err(SecretError::TooLong));
    }
}
