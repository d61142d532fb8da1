//! Who else may have been at the files, and the lock. Real disks that are full or read-only need root to be made.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use super::*;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn one_record() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_all(&mut open(folder.path()), &key(), &[settled("1")]);
    folder
}

fn refused(folder: &Path, fault: &str) {
    let error = load(folder).unwrap_err();
    assert!(matches!(error, StoreError::Unsafe { .. }), "{error}");
    assert!(error.to_string().contains(fault), "{error}");
}

#[test]
fn every_file_is_for_its_owner_alone_and_has_one_name() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut shelf = open(&state);
    write_all(&mut shelf, &key(), &[settled("1"), settled("2"), in_flight("2")]);
    assert_eq!(extensions(&state), [".prev", ".rec", ".spare"]);
    assert_eq!(fs::metadata(&state).unwrap().mode() & 0o7777, 0o700);
    for entry in fs::read_dir(&state).unwrap() {
        let metadata = entry.unwrap().metadata().unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.nlink()), (0o600, 1));
    }
}

#[test]
fn a_record_that_others_can_reach_stops_the_start() {
    for mode in [0o640, 0o604, 0o660] {
        let folder = one_record();
        chmod(&file(folder.path(), ".rec"), mode);
        refused(folder.path(), &format!("can be reached by others (mode {mode:04o}): `chmod 0600` it"));
    }
    let folder = tempfile::tempdir().unwrap();
    write_all(&mut open(folder.path()), &key(), &[settled("1"), settled("2")]);
    chmod(&file(folder.path(), ".prev"), 0o644);
    refused(folder.path(), ".prev can be reached by others");
}

#[test]
fn links_and_other_things_in_place_of_a_record_stop_the_start() {
    let folder = one_record();
    let path = file(folder.path(), ".rec");
    let aside = folder.path().join("aside");
    fs::hard_link(&path, &aside).unwrap();
    refused(folder.path(), "has 2 names");
    fs::remove_file(&path).unwrap();
    symlink(&aside, &path).unwrap();
    refused(folder.path(), "is a symbolic link");
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
    refused(folder.path(), "is not a regular file");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused(folder.path(), "is not a regular file");
}

#[test]
fn a_folder_that_others_can_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o770, 0o707, 0o1777] {
        chmod(folder.path(), mode);
        refused(folder.path(), "can be written by others");
    }
    chmod(folder.path(), 0o755);
    load(folder.path()).unwrap();
}

#[test]
fn what_belongs_to_somebody_else_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        return skipped::because("only root can give a file away");
    }
    let folder = one_record();
    std::os::unix::fs::chown(file(folder.path(), ".rec"), Some(4711), None).unwrap();
    refused(folder.path(), ".rec belongs to uid 4711, tokend runs as uid 0: `chown 0` it");
    std::os::unix::fs::chown(folder.path(), Some(4711), None).unwrap();
    refused(folder.path(), "belongs to uid 4711");
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no").join("parent");
    let error = load(&missing).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot make the state folder {}", missing.display()));
    fs::write(folder.path().join("file"), "").unwrap();
    let error = load(&folder.path().join("file")).unwrap_err();
    assert!(error.to_string().starts_with("cannot open the state folder "), "{error}");
}

#[test]
fn a_second_daemon_is_told_who_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    let error = load(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    let by = format!("in use by another tokend (pid {}, tokend {})", std::process::id(), env!("CARGO_PKG_VERSION"));
    assert!(error.to_string().contains(&by), "{error}");
    drop(first);
    load(folder.path()).unwrap();
}

#[test]
fn the_lock_ends_with_the_process_that_held_it() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let lock = folder.path().join("lock");
    // flock(1) of util-linux holds it as another process would, and says when it does.
    let Ok(mut other) = Command::new("flock")
        .args(["--no-fork", lock.to_str().unwrap(), "sh", "-c", "echo held; exec cat"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
    else {
        return skipped::because("there is no flock(1) here");
    };
    let mut said = [0; 5];
    io::Read::read_exact(other.stdout.as_mut().unwrap(), &mut said).unwrap();
    assert!(matches!(load(folder.path()), Err(StoreError::Locked { .. })));
    other.kill().unwrap();
    other.wait().unwrap();
    load(folder.path()).unwrap();
}

/// A file system of its own, unmounted when dropped; none without the right to mount.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn tmpfs(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs", folder.path().to_str().unwrap()])
            .stderr(std::process::Stdio::null())
            .status();
        if status.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        skipped::because("only root can mount a file system");
        None
    }

    fn remount(&self, options: &str) {
        let path = self.0.path().to_str().unwrap();
        assert!(Command::new("mount").args(["-o", options, path]).status().unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_disk_that_fills_up_in_flight_the_new_pair_is_stored_and_the_next_one_refused() {
    let Some(disk) = Mounted::tmpfs("size=1m,mode=0700") else { return };
    let mut shelf = open(disk.0.path());
    write_all(&mut shelf, &key(), &[settled("1"), in_flight("1")]);
    let filler = disk.0.path().join("filler");
    let error = fs::write(&filler, vec![1; 2 << 20]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    let large = settled(&"x".repeat(50_000));
    shelf.write(&key(), Revision(2), Some(&large)).unwrap();
    fs::OpenOptions::new()
        .append(true)
        .open(&filler)
        .and_then(|mut file| io::Write::write_all(&mut file, &[1; 1 << 20]))
        .unwrap_err();
    let error = shelf.write(&key(), Revision(3), Some(&in_flight("2"))).unwrap_err();
    assert!(matches!(error, StoreError::NoSpace { .. }), "{error}");
    drop(shelf);
    assert_eq!(load_only(disk.0.path()), (Some(RestoredContent::Newest(large)), vec![]));
    fs::remove_file(filler).unwrap();
    open(disk.0.path()).write(&key(), Revision(3), Some(&in_flight("2"))).unwrap();
}

#[test]
fn a_read_only_disk_is_found_at_the_start() {
    let Some(disk) = Mounted::tmpfs("size=1m,mode=0700") else { return };
    write_all(&mut open(disk.0.path()), &key(), &[settled("1")]);
    disk.remount("remount,ro");
    let error = load(disk.0.path()).unwrap_err();
    let StoreError::Io { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), io::ErrorKind::ReadOnlyFilesystem, "{error}");
    assert!(error.to_string().ends_with("/lock"), "{error}");
}
