//! One run of `tokenctl`: what goes in, what has to come out.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tokend_proto::Request;

use crate::peer::{Answer, Peer, Script};

/// Builds a run. What is not said is empty, and the status 0. `{socket}` stands for the socket's path.
pub(crate) struct Test {
    pub(crate) dir: tempfile::TempDir,
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Vec<u8>,
    stdout: Expected,
    stderr: Expected,
    status: i32,
    script: Option<Script>,
}

enum Expected {
    Exactly(String),
    Such(Box<dyn Fn(&str)>),
}

impl Test {
    /// Words of the command line; one with a space in it is added with [`Test::arg`].
    pub(crate) fn new(words: &str) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            args: words.split_whitespace().map(str::to_owned).collect(),
            env: Vec::new(),
            stdin: Vec::new(),
            stdout: Expected::Exactly(String::new()),
            stderr: Expected::Exactly(String::new()),
            status: 0,
            script: None,
        }
    }

    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    pub(crate) fn stdout(mut self, text: &str) -> Self {
        self.stdout = Expected::Exactly(text.to_owned());
        self
    }

    pub(crate) fn stdout_such(mut self, check: impl Fn(&str) + 'static) -> Self {
        self.stdout = Expected::Such(Box::new(check));
        self
    }

    pub(crate) fn stderr(mut self, text: &str) -> Self {
        self.stderr = Expected::Exactly(text.to_owned());
        self
    }

    pub(crate) fn stderr_such(mut self, check: impl Fn(&str) + 'static) -> Self {
        self.stderr = Expected::Such(Box::new(check));
        self
    }

    pub(crate) fn status(mut self, status: i32) -> Self {
        self.status = status;
        self
    }

    /// What the daemon does; without it there is no daemon.
    pub(crate) fn peer<A: Into<Answer>>(mut self, script: impl Fn(Request<'_>) -> A + Send + Sync + 'static) -> Self {
        self.script = Some(Arc::new(move |request| script(request).into()));
        self
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("tokend.sock")
    }

    #[track_caller]
    pub(crate) fn run(self) {
        let _peer = self.script.clone().map(|script| Peer::start(&self.socket(), script));
        let mut command = self.command();
        let output = finish(&mut command, &self.stdin);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let shown = format!("{:?}\nstdout: {stdout}\nstderr: {stderr}", self.args);
        assert_eq!(output.status.code(), Some(self.status), "status of {shown}");
        self.holds(&self.stdout, &stdout, "stdout", &shown);
        self.holds(&self.stderr, &stderr, "stderr", &shown);
    }

    /// The command with an environment of its own.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenctl"));
        command.args(self.args.iter().map(|arg| self.filled(arg))).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("TOKEND_SOCKET", self.socket()).current_dir(self.dir.path());
        command.envs(self.env.iter().map(|(name, value)| (name, self.filled(value))));
        command
    }

    fn filled(&self, text: &str) -> String {
        text.replace("{socket}", &self.socket().display().to_string())
            .replace("{dir}", &self.dir.path().display().to_string())
    }

    #[track_caller]
    fn holds(&self, expected: &Expected, actual: &str, what: &str, shown: &str) {
        match expected {
            Expected::Exactly(text) => assert_eq!(actual, self.filled(text), "{what} of {shown}"),
            Expected::Such(check) => check(actual),
        }
    }
}

/// Runs a command with this on its stdin.
pub(crate) fn finish(command: &mut Command, stdin: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // A command that does not read its stdin may be gone already.
    let _ = pipe.write_all(stdin);
    drop(pipe);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
