//! The end of a session: its leader's group, and the groups that its members have made since, as shells with job
//! control do. A process that has left for a session of its own is not touched.

use std::os::fd::OwnedFd;
use std::{fs, io};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

/// Looked for new members: one that is killed may just have made another.
const MOST_ROUNDS: usize = 8;

/// Kills all that is in the session of `leader`, which must not have been reaped: else its number may be another's.
pub(super) fn kill(leader: Pid) {
    // ESRCH means that nothing is left of the group.
    let _ = killpg(leader, Signal::SIGKILL);
    for _ in 0..MOST_ROUNDS {
        let members = members(leader);
        if members.is_empty() {
            return;
        }
        for member in members {
            kill_member(member, leader);
        }
    }
}

/// Those that have not ended. Where other users' processes are hidden, ours are not.
fn members(leader: Pid) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = processes.filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok());
    numbers.map(Pid::from_raw).filter(|pid| *pid != leader && is_member(*pid, leader)).collect()
}

/// The process is held first, so that its number is still its own when it is killed.
fn kill_member(member: Pid, leader: Pid) {
    let Ok(process) = pidfd(member) else { return };
    if is_member(member, leader) {
        let _ = pidfd_send_signal(process, rustix::process::Signal::KILL);
    }
}

fn is_member(pid: Pid, leader: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| session_of(&stat) == Some(leader.as_raw()))
}

/// proc_pid_stat(5): NUMBER (NAME) STATE PARENT GROUP SESSION …, where a name may hold anything. `None` for one that
/// has ended.
fn session_of(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let session = fields.nth(2)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(session)
}

/// Readable once the process has ended. It must not have been reaped.
pub(super) fn pidfd(number: Pid) -> io::Result<OwnedFd> {
    let number = rustix::process::Pid::from_raw(number.as_raw()).ok_or(Errno::ESRCH)?;
    Ok(pidfd_open(number, PidfdFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_read_whatever_the_name_is() {
        assert_eq!(session_of("7 (a) 1) S 1 7 42 0 -1"), Some(42));
        assert_eq!(session_of("7 (sh) Z 1 7 42 0 -1"), None);
        assert_eq!(session_of("7 (sh"), None);
        let own = fs::read_to_string("/proc/self/stat").expect("it is ours");
        let session = nix::unistd::getsid(None).expect("ours").as_raw();
        assert_eq!(session_of(&own), Some(session));
    }
}
