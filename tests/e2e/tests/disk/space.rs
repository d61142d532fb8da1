//! A state folder on a file system of its own, which is full or read-only. Only root can mount one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use harness::until;
use nix::errno::Errno;
use nix::unistd::geteuid;

use super::scene::{CENTRAL, CHAIN, Scene};

/// A mounted file system; unmounted when it is dropped.
pub(crate) struct Mount {
    at: PathBuf,
}

impl Mount {
    /// Mounts something here. None, and a word about it, where that is not possible.
    pub(crate) fn new(at: &Path, arguments: &[&str]) -> Option<Self> {
        if !geteuid().is_root() {
            skipped::because("only root can mount a file system");
            return None;
        }
        if !at.exists() {
            fs::DirBuilder::new().mode(0o700).create(at).unwrap();
        }
        if let Err(error) = mount(arguments, at) {
            skipped::because(format!("mount {arguments:?}: {error}"));
            return None;
        }
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(at, mode).unwrap();
        Some(Self { at: at.to_owned() })
    }

    /// An ext4 in a file, which can fail as a disk does. None, and a word about it, where that is not possible.
    pub(crate) fn ext4(at: &Path, image: &Path) -> Option<Self> {
        if !image.exists() {
            File::create(image).unwrap().set_len(16 * 1024 * 1024).unwrap();
            let made = Command::new("mkfs.ext4").arg("-q").arg(image).stdin(Stdio::null()).output();
            if !made.is_ok_and(|made| made.status.success()) {
                skipped::because("there is no mkfs.ext4");
                return None;
            }
        }
        Self::new(at, &["-o", "loop", image.to_str().unwrap()])
    }

    /// As after an error of the device, ext4(5): files that are open for writing do not keep it from that.
    pub(crate) fn turn_read_only(&self) {
        mount(&["-o", "remount,abort"], &self.at).unwrap();
    }

    /// Takes all the room there is; dropping the file does not give it back.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.at.join("filler");
        let mut file = File::create(&path).unwrap();
        let full = |error: &io::Error| error.raw_os_error() == Some(Errno::ENOSPC as i32);
        for size in [64 * 1024, 512] {
            let block = vec![0xA5; size];
            let error = loop {
                if let Err(error) = file.write_all(&block).and_then(|()| file.sync_data()) {
                    break error;
                }
            };
            assert!(full(&error), "{error}");
        }
        path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: what still has a file open there, after a failed assertion say, does not keep it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).stderr(Stdio::null()).status();
    }
}

fn mount(arguments: &[&str], at: &Path) -> Result<(), String> {
    let output = Command::new("mount").args(arguments).arg(at).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

/// The chain is to be rotated and the result cannot be stored: nothing is sent, and everything is served.
fn assert_held_back(scene: &Scene, token: &str, sent: u64, problem: &str) {
    let ctl = scene.ctl.clone();
    // It waits for a token that does not come before there is room; how it ends is of no interest here.
    drop(thread::spawn(move || ctl.run(&["refresh", CHAIN])));
    let status = scene.await_status("last_error", "could not be stored");
    let said = status["last_error"].as_str().unwrap();
    assert!(said.contains(problem), "{status}");
    assert!(said.contains(scene.state_dir().to_str().unwrap()), "it names the file: {status}");
    assert_eq!(status["health"], "failing", "{status}");
    assert_eq!(scene.ctl.token(CHAIN), token, "the token is served on");
    let sandbox = scene.world.provider();
    assert!(sandbox.provider().accepts(sandbox.now(), token), "and works, because nothing has been sent");
    assert!(!scene.ctl.token(CENTRAL).is_empty());
    assert_eq!(scene.refreshes(), sent, "no refresh was sent whose result could not be stored");
}

#[test]
fn on_a_full_disk_no_rotation_is_begun_and_tokens_are_served_until_there_is_room_again() {
    let scene = Scene::new(31, 7200);
    let Some(disk) = Mount::new(&scene.state_dir(), &["-t", "tmpfs", "-o", "size=4m", "none"]) else { return };
    let daemon = scene.world.start();
    scene.import();
    let (token, sent) = (scene.ctl.token(CHAIN), scene.refreshes());
    let filler = disk.fill();
    assert_held_back(&scene, &token, sent, "no room");

    // A daemon that starts on a full disk does as well.
    daemon.kill();
    let daemon = scene.world.start();
    assert_held_back(&scene, &token, sent, "no room");

    fs::remove_file(filler).unwrap();
    until("the chain is rotated", || (scene.refreshes() > sent).then_some(()));
    scene.await_status("health", "good");
    assert_ne!(scene.ctl.token(CHAIN), token);
    scene.assert_alive();
    assert!(daemon.terminate().success());
}

#[test]
fn on_a_disk_that_has_turned_read_only_no_rotation_is_begun_and_tokens_are_served() {
    let scene = Scene::new(32, 7200);
    let image = scene.world.path("disk.img");
    let Some(disk) = Mount::ext4(&scene.state_dir(), &image) else { return };
    let daemon = scene.world.start();
    scene.import();
    let (token, sent) = (scene.ctl.token(CHAIN), scene.refreshes());
    disk.turn_read_only();
    assert_held_back(&scene, &token, sent, "Read-only file system");

    daemon.kill();
    drop(disk);
    let _disk = Mount::ext4(&scene.state_dir(), &image).expect("it could be mounted before");
    let daemon = scene.world.start();
    assert_eq!(scene.ctl.run(&["refresh", CHAIN]).status, 0);
    assert_eq!(scene.refreshes(), sent + 1);
    scene.assert_alive();
    assert!(daemon.terminate().success());
}
