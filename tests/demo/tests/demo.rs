//! `cargo demo` as a newcomer starts it, and as a CI job and a closed terminal end it.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use demo::{Answer, Out, Stage, exit_status};
use harness::stop::Stop;
use harness::{PATIENCE, World, processes_of, until};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use sandbox::{Endpoint, Fault, FaultRule};
use tempfile::TempDir;

const NAMES: [&str; 6] = ["campus", "msp", "msp/Acme Corp", "msp/Globex", "legacy", "branch"];

/// A running demo with a folder for temporary files of its own, so that what it leaves can be seen.
struct Demo {
    child: Child,
    folder: TempDir,
    lines: Receiver<String>,
    seen: String,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_demo"))
            .args(arguments)
            .env("TMPDIR", folder.path())
            .env("CI", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // As the foreground job of a terminal.
            .process_group(0)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, folder, lines, seen: String::new() }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Reads until all of these were seen, each within one line that has all of its words.
    fn wait_for(&mut self, wanted: &[&[&str]]) {
        let has = |line: &str, words: &[&str]| words.iter().all(|word| line.contains(word));
        while !wanted.iter().all(|words| self.seen.lines().any(|line| has(line, words))) {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{wanted:?}: {}", self.seen));
            self.seen += &format!("{line}\n");
        }
    }

    /// Waits for the end; that nothing is left is checked as well. Status, stdout, stderr.
    fn ended(mut self) -> (Option<i32>, String, String) {
        let status = until("the demo ends", || self.child.try_wait().unwrap());
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        self.seen.extend(self.lines.iter().map(|line| line + "\n"));
        assert_eq!(processes_of(self.folder.path()), [], "{}{stderr}", self.seen);
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 0, "{}{stderr}", self.seen);
        (status.code(), std::mem::take(&mut self.seen), stderr)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // What a failed test leaves: both are ours, by the folder that only they know. Waited for, they are gone.
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        for pid in processes_of(self.folder.path()) {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

#[test]
fn once_shows_every_name_and_leaves_nothing() {
    let (status, stdout, stderr) = Demo::start(&["--once"]).ended();
    assert_eq!(status, Some(0), "{stdout}{stderr}");
    for name in NAMES {
        let row =
            stdout.lines().find(|line| line.starts_with(&format!("{name}  "))).unwrap_or_else(|| panic!("{stdout}"));
        assert!(row.contains("  200 GET /"), "{row}");
    }
    assert!(
        stdout.contains("$ tokenctl import legacy ") && stdout.contains("$ tokenctl get 'msp/Acme Corp' "),
        "{stdout}"
    );
    assert!(!stdout.contains('\x1b'), "no colour in a pipe: {stdout}");
}

#[test]
fn ctrl_c_ends_it_in_order_after_renewals_of_every_kind_were_shown() {
    let mut demo = Demo::start(&["--life", "6"]);
    let renewals: Vec<[&str; 3]> = NAMES.iter().map(|name| [*name, " → ", "API 200"]).collect();
    demo.wait_for(&renewals.iter().map(|words| &words[..]).collect::<Vec<_>>());
    for name in ["legacy", "branch"] {
        demo.wait_for(&[&[name, "API 200 (old token 401, old refresh token dead)"]]);
    }
    assert!(processes_of(demo.folder.path()).len() >= 2, "the demo and its daemon");
    killpg(demo.pid(), Signal::SIGINT).unwrap();
    let (status, stdout, stderr) = demo.ended();
    assert_eq!(status, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains(" API calls, 0 of them refused."), "{stdout}");
    assert!(stdout.ends_with("The daemon has ended, and its folder is gone.\n"), "{stdout}");
    assert!(stdout.contains("export TOKEND_SOCKET="), "{stdout}");
}

#[test]
fn a_signal_at_an_early_moment_leaves_nothing_either() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        let mut demo = Demo::start(&[]);
        demo.wait_for(&[&["$ tokenctl import"]]);
        kill(demo.pid(), signal).unwrap();
        let (status, stdout, stderr) = demo.ended();
        assert_eq!(status, Some(128 + signal as i32), "{signal}: {stdout}{stderr}");
    }
}

#[test]
fn a_closed_terminal_ends_the_live_phase() {
    let mut demo = Demo::start(&["--life", "6"]);
    demo.wait_for(&[&[" → ", "API 200"]]);
    kill(demo.pid(), Signal::SIGHUP).unwrap();
    assert_eq!(demo.ended().0, Some(0));
}

#[test]
fn a_reader_that_has_seen_enough_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"));
    demo.env("TMPDIR", folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = demo.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let status = until("the demo ends", || child.try_wait().unwrap());
    assert!(line.starts_with("Building") && status.success(), "{status}");
    assert_eq!(processes_of(folder.path()), []);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_daemon_that_does_not_start_is_shown_with_its_words() {
    let (status, stdout, stderr) = Demo::start(&["--log", "tokend=loud"]).ended();
    assert_eq!(status, Some(1), "{stdout}{stderr}");
    assert!(
        stderr.contains("tokend has ended by itself") && stderr.contains("`tokend=loud` is no log filter"),
        "{stderr}"
    );
}

#[test]
fn a_daemon_that_dies_meanwhile_is_shown_with_its_words() {
    let mut demo = Demo::start(&[]);
    demo.wait_for(&[&["Ctrl-C ends it"]]);
    let daemon: Vec<Pid> = processes_of(demo.folder.path()).into_iter().filter(|pid| *pid != demo.pid()).collect();
    kill(daemon[0], Signal::SIGKILL).unwrap();
    let (status, stdout, stderr) = demo.ended();
    assert_eq!((status, daemon.len()), (Some(1), 1), "{stdout}{stderr}");
    assert!(stderr.contains("tokend has ended by itself") && stderr.contains("tokend is ready"), "{stderr}");
}

#[test]
fn a_refused_call_is_in_the_table_and_in_the_exit_status() {
    let world = World::new(1);
    let refusal = Fault::Status { status: 403, retry_after: None };
    world.provider().provider().add_fault(FaultRule::new(refusal).at(Endpoint::TenantApi).forever());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rows = runtime.block_on(async {
        let mut stop = Stop::listen().unwrap();
        let stage = Stage::new(world, "info").unwrap();
        stage.listening().await.unwrap();
        let rows = stage.rows(&mut Out::plain(std::io::sink())).await.unwrap();
        stage.strike(&mut stop).await.unwrap();
        rows
    });
    for row in &rows {
        let expected = if row.shown.name.contains('/') { 403 } else { 200 };
        assert_eq!(row.answer, Answer::Status(expected), "{}", row.shown.name);
    }
    assert_eq!(rows.iter().map(|row| row.shown.name.as_str()).collect::<Vec<_>>(), NAMES);
    assert_eq!(exit_status(&rows), 1);
}
