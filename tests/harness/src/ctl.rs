//! Runs of `tokenctl`.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use super::{Binaries, PATIENCE, until};

/// Runs `tokenctl` against one socket.
#[derive(Debug, Clone)]
pub struct Ctl {
    socket: PathBuf,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Exit status; -1 if a signal ended it.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ctl {
    /// For the daemon that serves this socket.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Runs it with these arguments and waits for it.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    /// Runs it with this on its standard input.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        let mut child = Command::new(&Binaries::built().tokenctl)
            .args(arguments)
            .env("TOKEND_SOCKET", &self.socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tokenctl can be started");
        // It may end without reading; that is not this side's concern.
        let _ = child.stdin.take().expect("piped").write_all(stdin.as_bytes());
        let output = child.wait_with_output().expect("tokenctl is a child of ours");
        Ran {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts it with these arguments and does not wait for its end.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(Command::new(&Binaries::built().tokenctl).args(arguments).env("TOKEND_SOCKET", &self.socket))
    }

    /// The token under a name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn token(&self, name: &str) -> String {
        let ran = self.run(&["get", name, "--wait", "30s"]);
        assert_eq!(ran.status, 0, "tokenctl get {name}: {}", ran.stderr);
        ran.stdout.trim_end().to_owned()
    }

    /// How a name is doing: its object in `tokenctl status NAME --output json`.
    ///
    /// # Panics
    /// When that cannot be had.
    #[must_use]
    pub fn status_of(&self, name: &str) -> serde_json::Value {
        let ran = self.run(&["status", name, "--output", "json"]);
        assert_eq!(ran.status, 0, "tokenctl status {name}: {}", ran.stderr);
        let mut status: serde_json::Value = serde_json::from_str(&ran.stdout).expect("it prints JSON");
        status["names"][0].take()
    }
}

/// A run that goes on, and what it prints line by line. Killed when it is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts this command.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("tokenctl can be started");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        // It ends with the pipe, or when nobody wants more lines: then the pipe is closed.
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// The next line, without its end.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("another line in time")
    }

    /// Closes the reader's side of its standard output.
    pub fn hang_up(&mut self) {
        drop(std::mem::replace(&mut self.lines, channel().1));
    }

    /// Waits for its end: its status, and what was left to read.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn ended(mut self) -> Ran {
        let status = until("tokenctl ends", || self.child.try_wait().expect("a child of ours"));
        let mut stderr = String::new();
        let read = self.child.stderr.take().map(|mut pipe| pipe.read_to_string(&mut stderr));
        assert!(read.is_none_or(|read| read.is_ok()), "it is text");
        let stdout = self.lines.iter().map(|line| line + "\n").collect();
        Ran { status: status.code().unwrap_or(-1), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill and only its status to be taken.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
