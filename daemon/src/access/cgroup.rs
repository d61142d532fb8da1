//! The systemd unit of a peer: the cgroup of the process that SO_PEERPIDFD (unix(7)) holds on to.
//!
//! SO_PEERCRED gives a number, and by the time that /proc is read under it the number may be another process's. So
//! the process is held first, /proc is read, and what was read counts only if the process has not ended then: as
//! long as it has not, nobody else can have had its number.
//!
//! Not here: what a path means ([`super::unit`]).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt};

use super::unit::{NoUnit, PeerUnit};

/// Whether the systemd units of other users' processes can be known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitLookup {
    /// They can.
    Works,
    /// The kernel has no SO_PEERPIDFD.
    NoPeerPidfd,
    /// Other users' processes are hidden in /proc.
    ProcHidden,
}

impl UnitLookup {
    /// Why rules by units match nobody, and what would help.
    pub(crate) fn problem(self) -> Option<&'static str> {
        match self {
            Self::Works => None,
            Self::NoPeerPidfd => {
                Some("this kernel does not say which process connected (SO_PEERPIDFD); expected Linux 6.5 or later")
            }
            Self::ProcHidden => Some(
                "/proc does not show other users' processes; expected a mount without hidepid, and \
                 ProtectProc=default in the unit",
            ),
        }
    }
}

/// Most that is read of /proc/PID/cgroup: a line for each of some 15 hierarchies, with a path of up to 4 KiB.
const MAX_CGROUPS: u64 = 128 * 1024;

/// Finds out the unit of the process that connected, `pid` by SO_PEERCRED: four system calls, which wait for nothing
/// but the kernel's own lock on the tree of cgroups. `told` is whether the log has it already that this does not work
/// here.
pub(crate) fn unit_of_peer<Stream: AsFd>(stream: &Stream, pid: i32, told: &AtomicBool) -> Result<PeerUnit, NoUnit> {
    look_up(stream, pid).map_err(|(why, error)| {
        if let Some(error) = error
            && !told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(pid, %error, "the unit of a peer is not known: {why}; this is not said again");
        }
        why
    })
}

/// Whether [`unit_of_peer`] can work here, as far as can be told without a peer.
#[must_use]
pub fn unit_lookup() -> UnitLookup {
    let supported = UnixStream::pair().map(|(ours, _theirs)| getsockopt(&ours, sockopt::PeerPidfd));
    if let Ok(Err(Errno::ENOPROTOOPT)) = supported {
        return UnitLookup::NoPeerPidfd;
    }
    // The process that is always there, and usually another user's.
    match read_cgroups(1) {
        Err(error) if is_hidden(&error) => UnitLookup::ProcHidden,
        _ => UnitLookup::Works,
    }
}

type Failure = (NoUnit, Option<io::Error>);

fn look_up<Stream: AsFd>(stream: &Stream, pid: i32) -> Result<PeerUnit, Failure> {
    let process = getsockopt(stream, sockopt::PeerPidfd).map_err(|errno| match errno {
        Errno::ENOPROTOOPT => (NoUnit::NoPeerPidfd, Some(errno.into())),
        // By version of the kernel: the process has ended and was waited for.
        Errno::ESRCH | Errno::EINVAL | Errno::ENODATA => (NoUnit::Ended, None),
        _ => (NoUnit::Failed, Some(errno.into())),
    })?;
    // pid_namespaces(7): a process that has no number here is 0.
    if pid <= 0 {
        return Err((NoUnit::OtherNamespace, None));
    }
    let cgroups = read_cgroups(pid);
    if has_ended(&process).map_err(|error| (NoUnit::Failed, Some(error)))? {
        return Err((NoUnit::Ended, None));
    }
    let cgroups = cgroups.map_err(|error| {
        let why = if is_hidden(&error) { NoUnit::Hidden } else { NoUnit::Failed };
        (why, Some(error))
    })?;
    PeerUnit::from_cgroups(&cgroups).map_err(|why| (why, None))
}

fn read_cgroups(pid: i32) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/{pid}/cgroup"))?.take(MAX_CGROUPS).read_to_end(&mut bytes)?;
    // What is not UTF-8 is in no unit's name.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// proc(5), hidepid: there, but closed, or not there at all.
fn is_hidden(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

/// pidfd_open(2): a descriptor of a process that has ended is readable, waited for or not.
fn has_ended(process: &OwnedFd) -> io::Result<bool> {
    let mut descriptors = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    Ok(poll(&mut descriptors, PollTimeout::ZERO)? > 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A process that has connected and waits to be ended, and our end of its connection.
    fn connected() -> (Child, UnixStream) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let (_, module) = module_path!().split_once("::").unwrap();
        // What connects is what SO_PEERPIDFD names: this test's own executable, told to do only that.
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", &format!("{module}::connects_and_waits")])
            .env("PEER_UNIT_TEST_SOCKET", &path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        (child, listener.accept().unwrap().0)
    }

    #[test]
    #[ignore = "a part of the other tests"]
    fn connects_and_waits() {
        let Some(path) = std::env::var_os("PEER_UNIT_TEST_SOCKET") else { return };
        let _stream = UnixStream::connect(path).unwrap();
        let _ = io::stdin().read(&mut [0]);
    }

    fn why(stream: &UnixStream, pid: i32) -> Option<NoUnit> {
        unit_of_peer(stream, pid, &AtomicBool::new(false)).err()
    }

    #[test]
    fn a_process_is_what_its_cgroup_says() {
        let (mut child, stream) = connected();
        let pid = i32::try_from(child.id()).unwrap();
        let expected = PeerUnit::from_cgroups(&std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap());
        assert_eq!(unit_of_peer(&stream, pid, &AtomicBool::new(false)), expected);
        assert_eq!(why(&stream, 0), Some(NoUnit::OtherNamespace));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_has_ended_is_nobody_whatever_has_its_number_now() {
        let (mut child, stream) = connected();
        let pid = i32::try_from(child.id()).unwrap();
        child.kill().unwrap();
        // Ended and not waited for: /proc still shows it.
        nix::sys::wait::waitid(
            nix::sys::wait::Id::Pid(nix::unistd::Pid::from_raw(pid)),
            nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT,
        )
        .unwrap();
        assert_eq!(why(&stream, pid), Some(NoUnit::Ended));
        child.wait().unwrap();
        assert_eq!(why(&stream, pid), Some(NoUnit::Ended));
        // As if the kernel had given the number to a process that lives: this one.
        assert_eq!(why(&stream, nix::unistd::getpid().as_raw()), Some(NoUnit::Ended));
    }

    #[test]
    fn trouble_is_told_once() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let told = AtomicBool::new(false);
        // There is no such process: the kernel's highest number is below this one.
        assert_eq!(unit_of_peer(&ours, i32::MAX, &told), Err(NoUnit::Hidden));
        assert!(told.load(Ordering::Relaxed));
    }
}
