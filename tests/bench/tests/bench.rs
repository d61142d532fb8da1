//! The benchmark still runs: a moment of each case, with what is there. No figure of it is looked at.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bench::{Case, Settings, run};
use harness::{Binaries, processes_of, until};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

fn settings(cases: &[Case]) -> Settings {
    Settings { cases: cases.to_vec(), ..Settings::smoke(PathBuf::from(env!("CARGO_BIN_EXE_bench"))) }
}

#[test]
fn servers_under_load_come_to_ratios() {
    let report = run(settings(&[Case::ClosedLoop, Case::Pipelined, Case::NewConnections, Case::OneShot])).unwrap();
    let text = report.markdown();
    // Both sides of these are always there.
    for key in ["a.tokio.1", "a.tokio.64", "a.blocking.1"] {
        let ratio = report.of(key).unwrap_or_else(|| panic!("{key} is missing: {text}"));
        assert!(ratio.middle.is_finite() && ratio.middle > 0.0, "{key} is {ratio}: {text}");
    }
    assert!(text.contains("| bare tokio | 1.00 |"), "a server is as fast as itself: {text}");
    assert!(text.contains("| minimal static program | 1.00 |") && text.contains("| tokenctl get | "), "{text}");
    assert!(text.contains("not measured: this is not the packaged `tokenctl`"), "{text}");
    for peer in ["Redis", "memcached", "oidc-agent"] {
        let there = text.contains(&format!("| {peer} | "));
        assert!(there || text.contains(&format!("**{peer} is missing**")), "{peer} is left out: {text}");
    }

    let folder = tempfile::tempdir().unwrap();
    report.write_to(folder.path()).unwrap();
    for line in text.lines().filter(|line| line.starts_with("![")) {
        let file = line.rsplit_once('(').unwrap().1.trim_end_matches(')');
        let svg = fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{file}: {svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{file}: {svg}");
    }
    assert_eq!(text.matches("![").count(), 4, "{text}");
}

#[test]
fn what_is_at_rest_is_measured_too() {
    let report = run(settings(&[Case::Cached, Case::Idle, Case::Growth, Case::Watchers])).unwrap();
    let text = report.markdown();
    for key in ["f.connection", "f.start", "f.before", "f.after"] {
        let found = report.of(key).unwrap_or_else(|| panic!("{key} is missing: {text}"));
        assert!(found.middle.is_finite() && found.middle >= 0.0, "{key} is {found}: {text}");
    }
    assert!(text.contains("| wake-ups a minute | "), "{text}");
    assert!(report.of("e.read").is_some_and(|found| found.middle > 0.0), "{text}");
    for row in ["| tokend-client, `Cached::token` | ", "| ArcSwap load | ", "| bare tokio, `watch` | "] {
        assert!(text.contains(row), "{row} is missing: {text}");
    }
    let redis = text.contains("| Redis | 1.00 | ");
    assert!(redis || text.contains("**Redis is missing**"), "Redis is left out: {text}");
    assert!(report.of("f.before").unwrap().middle <= report.of("f.after").unwrap().middle, "{text}");
    assert_eq!(report.cases(), [Case::Cached, Case::Idle, Case::Growth, Case::Watchers]);
}

/// A running benchmark, with a folder for all that it makes. What a failed test leaves is ended.
struct Running {
    bench: Child,
    folder: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        for pid in processes_of(self.folder.path()) {
            let _ = kill(pid, Signal::SIGKILL);
        }
        let _ = self.bench.wait();
    }
}

/// How many sockets are in the folders of this one.
fn sockets(folder: &Path) -> usize {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let inner = entries(folder).flat_map(|world| entries(&world.path()).collect::<Vec<_>>());
    inner.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket())).count()
}

#[test]
fn ctrl_c_ends_it_at_once_and_leaves_nothing() {
    // Not among what has to be cleared up: the compiler.
    let _ = Binaries::built();
    for to_all in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let bench = Command::new(env!("CARGO_BIN_EXE_bench"))
            .args(["a", "--rounds", "60000"])
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // As the foreground job of a terminal.
            .process_group(0)
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(i32::try_from(bench.id()).unwrap());
        let mut running = Running { bench, folder };
        // The daemon's and those of both servers of its own.
        until("servers are there", || (sockets(running.folder.path()) >= 3).then_some(()));
        if to_all { killpg(pid, Signal::SIGINT) } else { kill(pid, Signal::SIGTERM) }.unwrap();
        let status = until("it ends", || running.bench.try_wait().unwrap());
        assert_eq!(status.code(), Some(if to_all { 130 } else { 143 }));
        until("its servers have gone", || processes_of(running.folder.path()).is_empty().then_some(()));
        assert_eq!(fs::read_dir(running.folder.path()).unwrap().count(), 0);
    }
}
