//! What can be done on a machine.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;
use serde_json::Value;

use super::Machine;
use harness::Ran;

/// Nothing that is run on a machine takes longer: seconds, timeout(1).
const LIMIT: &str = "180";
/// The environment of what is run: none of the host's.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Machine {
    /// Runs a program as root, outside of every unit. Ended after three minutes, status 124.
    ///
    /// # Panics
    /// When nothing can be started.
    #[must_use]
    pub fn run(&self, command: &[&str]) -> Ran {
        self.run_with(command, b"")
    }

    /// The same with something on its standard input.
    ///
    /// # Panics
    /// As [`Machine::run`].
    #[must_use]
    pub fn run_with(&self, command: &[&str], stdin: &[u8]) -> Ran {
        let mut child = self.spawn(command);
        // It may end without reading; that is not this side's concern.
        let _ = child.stdin.take().expect("piped").write_all(stdin);
        let output = child.wait_with_output().expect("a child of ours");
        Ran {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts a program as [`Machine::run`] does, with pipes to all three of its streams.
    ///
    /// # Panics
    /// When nothing can be started.
    #[must_use]
    pub fn spawn(&self, command: &[&str]) -> Child {
        let mut command = self.program(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("nsenter can be started")
    }

    /// A program that is to run on the machine.
    pub(super) fn program(&self, command: &[&str]) -> Command {
        let environment = [format!("PATH={PATH}"), "LANG=C.UTF-8".to_owned(), "HOME=/root".to_owned()];
        let mut timeout = Command::new("timeout");
        timeout
            .args(["--kill-after=5", LIMIT, "nsenter", "--all", "--target"])
            .arg(self.init.to_string())
            .args(["--", "/usr/bin/env", "-i"])
            .args(environment)
            .args(command);
        timeout
    }

    /// Runs a script with bash.
    #[must_use]
    pub fn shell(&self, script: &str) -> Ran {
        self.run(&["bash", "-c", script])
    }

    /// What a command prints, without the last line's end.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn says(&self, command: &[&str]) -> String {
        let ran = self.run(command);
        assert_eq!(ran.status, 0, "{command:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout.trim_end().to_owned()
    }

    /// Does what has to succeed.
    ///
    /// # Panics
    /// When it does not.
    pub fn does(&self, command: &[&str]) {
        let _ = self.says(command);
    }

    /// Writes a file, and the folders that it is to be in. It belongs to root.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put(&self, path: &str, content: impl AsRef<[u8]>, mode: u32) {
        // Procfs: a link there may lead to another place here.
        let ran = self.run_with(&["install", "-D", &format!("--mode={mode:o}"), "/dev/stdin", path], content.as_ref());
        assert_eq!(ran.status, 0, "{path}: {}", ran.stderr);
    }

    /// Copies a file of the host's.
    ///
    /// # Panics
    /// When it cannot be read or written.
    pub fn put_file(&self, from: &Path, path: &str, mode: u32) {
        let content = fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        self.put(path, content, mode);
    }

    /// What a path on the machine is called outside.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.init))
    }

    /// What a process inside is called outside.
    ///
    /// # Panics
    /// When there is no such process on the machine.
    #[must_use]
    pub fn outside(&self, pid: &str) -> Pid {
        let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let own = namespace(&self.init.to_string());
        let is_it = |outside: &String| {
            let status = fs::read_to_string(format!("/proc/{outside}/status")).unwrap_or_default();
            // Its id in each namespace, from the outermost in, proc_pid_status(5).
            let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
            ids.split_whitespace().last() == Some(pid) && namespace(outside) == own
        };
        let entries = fs::read_dir("/proc").expect("proc(5)").flatten();
        let found = entries.filter_map(|entry| entry.file_name().into_string().ok()).find(is_it);
        let found = found.unwrap_or_else(|| panic!("there is no process {pid} on the machine"));
        Pid::from_raw(found.parse().expect("a number"))
    }

    /// A TCP connection to the machine's own 127.0.0.1, which nothing outside can reach otherwise.
    ///
    /// # Errors
    /// When nobody listens there.
    ///
    /// # Panics
    /// When the machine is gone.
    pub fn connect(&self, port: u16) -> std::io::Result<TcpStream> {
        self.on_its_network(move || TcpStream::connect(("127.0.0.1", port)))
    }

    /// `GET` or `POST` of the interface for operators that a sandbox at this port of the machine has.
    ///
    /// # Panics
    /// When it does not answer, or with something else than 200 and JSON.
    pub fn ask_sandbox(&self, port: u16, method: &str, what: &str, body: &str) -> Value {
        let mut stream = self.connect(port).expect("the sandbox listens");
        let length = body.len();
        write!(
            stream,
            "{method} /sandbox/{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: \
             application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .expect("the sandbox reads");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("the sandbox answers");
        let (head, body) = reply.split_once("\r\n\r\n").expect("a reply");
        assert!(head.contains(" 200 "), "{method} {what}: {reply}");
        serde_json::from_str(body).expect("JSON")
    }

    /// Opens a socket of this process in the machine's network.
    pub(super) fn on_its_network<T: Send + 'static>(
        &self,
        open: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> std::io::Result<T> {
        let namespace = fs::File::open(format!("/proc/{}/ns/net", self.init)).expect("the machine is up");
        // A thread's network is its own; this one ends with the call.
        let within = std::thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET)?;
            open()
        });
        within.join().expect("it does not panic")
    }
}
