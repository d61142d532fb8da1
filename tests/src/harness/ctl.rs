//! Runs of `tokenctl`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Binaries;

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
