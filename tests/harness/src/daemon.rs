//! A running `tokend`.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Binaries, Procfs, until};

/// A running daemon; killed when it is dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts the daemon and waits until it takes connections. Its log is appended to `log`.
    ///
    /// # Panics
    /// When it ends before it listens.
    #[must_use]
    pub fn start(config: &Path, socket: &Path, log: &Path, filter: &str) -> Self {
        let mut daemon = Self::spawn(config, log, filter);
        daemon.listens(socket);
        daemon
    }

    /// Starts the daemon and does not wait for anything.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(config: &Path, log: &Path, filter: &str) -> Self {
        Self::spawn_with(config, log, |command| command.args(["--log", filter]))
    }

    /// Starts the daemon with more said about how, and does not wait for anything.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn_with(config: &Path, log: &Path, adapt: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let mut command = Command::new(&Binaries::built().tokend);
        command.arg("--config").arg(config).stdin(Stdio::null());
        Self::launch(adapt(&mut command), log)
    }

    /// Starts a command that is, or becomes, the daemon. Its log is appended to `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn launch(command: &mut Command, log: &Path) -> Self {
        let stderr = File::options().create(true).append(true).open(log).expect("the log can be opened");
        let child = command.stdout(Stdio::null()).stderr(stderr).spawn().expect("tokend can be started");
        Self { child, log: log.to_owned() }
    }

    /// Waits until it takes connections.
    ///
    /// # Panics
    /// When it ends before.
    pub fn listens(&mut self, socket: &Path) {
        until("tokend listens", || {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                panic!("tokend ended with {status}: {}", self.log());
            }
            UnixStream::connect(socket).ok()
        });
    }

    /// Everything logged so far: what a peer's answer came after is in it.
    #[must_use]
    pub fn log(&self) -> String {
        // Each line wakes its thread, which sleeps when everything is written.
        until("the log is written", || (!Procfs::of(self.pid()).is_awake("log")).then_some(()));
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it is a child of ours and not waited for");
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    /// Waits until it has ended by itself.
    #[must_use]
    pub fn ended(mut self) -> ExitStatus {
        until("tokend ends", || self.child.try_wait().expect("a child of ours"))
    }

    /// Asks it to end and waits until it has.
    #[must_use]
    pub fn terminate(self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.ended()
    }

    /// Ends it on the spot, as a crash would.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill and only its status to be taken.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
