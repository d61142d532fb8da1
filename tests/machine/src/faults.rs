//! Weather on a machine: what neither fails nor answers, while it lasts.
//!
//! Each value is a piece of weather, which ends when the value is dropped.

use std::fmt::Debug;
use std::fs::{File, Permissions};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Machine;

/// Where a directory of users offers itself to nss-systemd(8), by a name of our own.
const DIRECTORY: &str = "/run/systemd/userdb/net.example.Directory";

/// A process that stands still, SIGSTOP.
#[derive(Debug)]
pub struct Held<'m> {
    process: Pid,
    _machine: &'m Machine,
}

/// A mounted file system that never answers: whatever touches a path below it waits until it is killed.
#[derive(Debug)]
pub struct HungMount<'m> {
    machine: &'m Machine,
    path: String,
    /// FUSE's end of which nobody reads. Once it is closed all who wait get an error.
    device: Option<File>,
}

/// Somebody who takes requests and answers none.
#[derive(Debug)]
pub struct Deaf<'m> {
    _socket: Box<dyn Debug>,
    path: Option<PathBuf>,
    _machine: &'m Machine,
}

impl Machine {
    /// Stops a process of the machine. PID 1 too: a signal from outside reaches it.
    ///
    /// # Panics
    /// When there is no such process.
    #[must_use]
    pub fn hold(&self, pid: &str) -> Held<'_> {
        let process = self.outside(pid);
        kill(process, Signal::SIGSTOP).expect("a process of ours");
        Held { process, _machine: self }
    }

    /// Mounts a file system that never answers on a folder.
    ///
    /// # Panics
    /// When that is not possible.
    #[must_use]
    pub fn hang(&self, path: &str) -> HungMount<'_> {
        let device = File::options().read(true).write(true).open("/dev/fuse").expect("fuse(4)");
        let options = "fd=0,rootmode=40000,user_id=0,group_id=0,allow_other";
        let mut mount = self.program(&["mount", "--internal-only", "-t", "fuse", "-o", options, "hung", path]);
        let ours = device.try_clone().expect("a descriptor");
        let output = mount.stdin(device).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        let output = output.expect("nsenter can be started");
        assert!(output.status.success(), "mount {path}: {}", String::from_utf8_lossy(&output.stderr));
        HungMount { machine: self, path: path.to_owned(), device: Some(ours) }
    }

    /// A name server on the machine's 127.0.0.1 that never answers.
    ///
    /// # Panics
    /// When its port is taken.
    #[must_use]
    pub fn deaf_resolver(&self) -> Deaf<'_> {
        let socket = self.on_its_network(|| UdpSocket::bind(("127.0.0.1", 53))).expect("a free port");
        Deaf { _socket: Box::new(socket), path: None, _machine: self }
    }

    /// A directory of users, of those that nss-systemd(8) asks, that never answers.
    ///
    /// # Panics
    /// When the place is taken.
    #[must_use]
    pub fn deaf_directory(&self) -> Deaf<'_> {
        let path = self.path(DIRECTORY);
        let socket = UnixListener::bind(&path).expect("a free name in a folder that systemd makes");
        std::fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("a socket of ours");
        Deaf { _socket: Box::new(socket), path: Some(path), _machine: self }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // It may have been killed; then there is nobody to go on.
        let _ = kill(self.process, Signal::SIGCONT);
    }
}

impl Drop for HungMount<'_> {
    fn drop(&mut self) {
        drop(self.device.take());
        let _ = self.machine.run(&["umount", "--lazy", &self.path]);
    }
}

impl Drop for Deaf<'_> {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}
