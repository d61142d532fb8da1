//! A journald that stands still at random: a real one, on a throw-away machine, into which the daemons of all worlds
//! log.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};

use super::rng::Rng;
use harness::reading::Stop;
use machine::{Machine, obstacle};

/// Where a program finds journald.
const FOLDER: &str = "/run/systemd";
const SOCKET: &str = "/run/systemd/journal/socket";

/// Milliseconds for which it stands still at most: longer than most lives of a daemon.
const LONGEST_STOP: u64 = 8_000;
/// Milliseconds for which it reads at most.
const LONGEST_RUN: u64 = 3_000;
/// Between two looks whether the campaign is over.
const LOOK: Duration = Duration::from_millis(100);

pub(super) struct Journald {
    machine: Machine,
    pid: String,
    stops: AtomicU64,
}

impl Journald {
    /// Boots a machine. From now on this thread, and all that it starts, sees the machine's journald where there would
    /// be the host's.
    ///
    /// # Panics
    /// When that is not possible here.
    pub(super) fn boot() -> Self {
        if let Some(obstacle) = obstacle() {
            panic!("no journald to be stopped: {obstacle}");
        }
        let machine = Machine::boot().unwrap_or_else(|why| panic!("the machine does not come up: {why}"));
        let show = ["systemctl", "show", "--value", "--property", "MainPID", "systemd-journald.service"];
        let pid = machine.says(&show);
        unshare(CloneFlags::CLONE_NEWNS).expect("root may");
        mount(&["--make-rprivate", "/"]);
        fs::create_dir_all(FOLDER).expect("root may");
        mount(&["-t", "tmpfs", "tmpfs", FOLDER]);
        fs::create_dir(Path::new(SOCKET).parent().expect("it has one")).expect("a folder of ours");
        symlink(machine.path(SOCKET), SOCKET).expect("a folder of ours");
        Self { machine, pid, stops: AtomicU64::new(0) }
    }

    /// Stops it and lets it go on, at random, until told to stop.
    pub(super) fn storm(&self, seed: u64, stop: &Stop) {
        let mut rng = Rng::new(seed);
        while !stop.is_set() {
            pause(rng.span(LONGEST_RUN), stop);
            let held = self.machine.hold(&self.pid);
            self.stops.fetch_add(1, Ordering::Relaxed);
            pause(rng.span(LONGEST_STOP), stop);
            drop(held);
        }
    }

    /// How often it was stopped.
    pub(super) fn stops(&self) -> u64 {
        self.stops.load(Ordering::Relaxed)
    }

    /// How many lines it has of tokend.
    pub(super) fn lines(&self) -> u64 {
        let count = "journalctl --sync; journalctl --output=cat SYSLOG_IDENTIFIER=tokend | wc -l";
        self.machine.shell(count).stdout.trim().parse().unwrap_or(0)
    }
}

/// The schedule is one of time: there is nothing to be waited for.
fn pause(span: Duration, stop: &Stop) {
    let mut left = span;
    while !stop.is_set() && !left.is_zero() {
        let step = left.min(LOOK);
        thread::sleep(step);
        left -= step;
    }
}

fn mount(arguments: &[&str]) {
    let output = Command::new("mount").args(arguments).output().expect("mount(8) can be started");
    assert!(output.status.success(), "mount {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
