//! A throw-away machine: a real systemd as PID 1, in namespaces of its own, for tests of units and packages.
//!
//! [`Machine::boot`] takes about a second and needs root and a cgroup2 that may be written to; [`obstacle`] says what
//! is missing. Procfs, the host's disk is seen copy-on-write, so that programs of the build have the same paths; `lo`
//! is the only network, so that a provider has to run inside; time and kernel are the host's. The disk outlives a
//! [`Machine::reboot`]. Several can be up at once.
//!
//! Whatever ends the process that made it, even a SIGKILL, ends the machine: its keeper (machine.sh) waits on a pipe.
//!
//! What systemd cannot enforce in such a machine, because controllers of the host's cgroup hierarchy or its BPF are not
//! delegated: limits of memory, tasks and processor time, SocketBindDeny=, RestrictNetworkInterfaces=.

mod faults;
mod guest;
mod obstacle;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

pub use faults::{Deaf, Held, HungMount};
pub use obstacle::obstacle;

/// The keeper's script.
const SCRIPT: &str = include_str!("machine.sh");

/// A machine that is up. It is gone, with everything on it, when this is dropped.
#[derive(Debug)]
pub struct Machine {
    init: u32,
    /// Commands to the keeper; closing it ends the machine.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    keeper: Child,
}

impl Machine {
    /// Boots a new machine, up to multi-user.target.
    ///
    /// # Errors
    /// When it does not come up; the message says how far it got.
    ///
    /// # Panics
    /// When there is an [`obstacle`].
    pub fn boot() -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let cgroups = obstacle::cgroups().expect("there is no obstacle");
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let cgroup = cgroups.join(format!("tokend-machine-{}-{number}", std::process::id()));
        std::fs::create_dir(&cgroup).map_err(|error| format!("{}: {error}", cgroup.display()))?;
        let folder = TempDir::with_prefix("tokend-machine-").expect("a temporary folder").keep();
        let script = folder.join("machine.sh");
        std::fs::write(&script, SCRIPT).expect("a folder of ours");

        let mut keeper = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "bash"])
            .arg(script)
            .arg("keep")
            .args([&folder, &cgroup])
            .env("BUILD", build())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for us; the keeper then sees the end of its input, and cleans up.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let commands = keeper.stdin.take();
        let answers = BufReader::new(keeper.stdout.take().expect("it is piped"));
        let mut machine = Self { init: 0, commands, answers, keeper };
        machine.power_on()?;
        Ok(machine)
    }

    /// Shuts the machine down in order and boots it again. Its disk stays, /run, /tmp and all processes go.
    ///
    /// # Errors
    /// When it does not come up again.
    pub fn reboot(&mut self) -> Result<(), String> {
        match self.command("off")?.as_str() {
            "down" => self.power_on(),
            other => Err(other.to_owned()),
        }
    }

    fn power_on(&mut self) -> Result<(), String> {
        let answer = self.command("boot")?;
        let init = answer.strip_prefix("up ").and_then(|pid| pid.parse().ok());
        self.init = init.ok_or(answer)?;
        Ok(())
    }

    /// The keeper's limits bound the wait.
    fn command(&mut self, word: &str) -> Result<String, String> {
        let gone = |error: std::io::Error| format!("the keeper of the machine: {error}");
        let commands = self.commands.as_mut().expect("it is taken by drop alone");
        writeln!(commands, "{word}").map_err(gone)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(gone)?;
        Ok(answer.trim_end().to_owned())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.keeper.wait();
    }
}

/// The folder of the build that this program is from: the one that holds `deps`, and the workspace's programs.
fn build() -> PathBuf {
    let program = std::env::current_exe().expect("proc(5)");
    let folder = program.ancestors().find(|folder| folder.join("deps").is_dir());
    folder.or(program.parent()).unwrap_or(Path::new("/")).to_owned()
}
