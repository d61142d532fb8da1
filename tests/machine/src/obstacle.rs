//! Why there can be no machine here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

/// What is started by name, on the host or inside.
const PROGRAMS: [&str; 9] =
    ["bash", "dbus-daemon", "dpkg", "mount", "nsenter", "pgrep", "setpriv", "systemd-analyze", "unshare"];
const SYSTEMD: &str = "/lib/systemd/systemd";

/// What each machine begins with: namespaces, a tmpfs, an overlay of `/`, /proc, cgroup2.
const TRIAL: &str = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/r && \
                     mount -t overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w overlay /mnt/r && \
                     mount -t proc proc /mnt/r/proc && mount -t sysfs sysfs /mnt/r/sys && \
                     mount -t cgroup2 cgroup2 /mnt/r/sys/fs/cgroup";

/// What stands in the way of a machine here, in words for a person; `None` if nothing does.
#[must_use]
pub fn obstacle() -> Option<String> {
    if !geteuid().is_root() {
        return Some("only root can boot a machine".to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |program: &&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let mut missing: Vec<&str> = PROGRAMS.into_iter().filter(|program| !found(program)).collect();
    if !Path::new(SYSTEMD).is_file() {
        missing.push(SYSTEMD);
    }
    if !missing.is_empty() {
        return Some(format!("missing: {}", missing.join(", ")));
    }
    let trial = cgroups().and_then(|cgroups| {
        let cgroup = cgroups.join(format!("tokend-trial-{}", std::process::id()));
        fs::create_dir(&cgroup)?;
        fs::remove_dir(&cgroup)
    });
    if let Err(error) = trial {
        return Some(format!("no cgroup2 hierarchy that may be written to: {error}"));
    }
    let unshare = ["--mount", "--pid", "--uts", "--ipc", "--cgroup", "--net", "--fork", "--propagation", "private"];
    let output = Command::new("unshare").args(unshare).args(["bash", "-c", TRIAL]).stdin(Stdio::null()).output();
    match output {
        Err(error) => Some(format!("unshare: {error}")),
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            Some(format!("no namespaces of one's own here: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
    }
}

/// Where cgroup2 is mounted, proc_pid_mounts(5).
pub(super) fn cgroups() -> io::Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let fields = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mount = mounts.lines().map(fields).find(|fields| fields.get(2).is_some_and(|kind| kind == "cgroup2"));
    mount.map(|fields| fields[1].clone().into()).ok_or_else(|| io::Error::other("none is mounted"))
}
