//! A secret that a program prints.
//!
//! The program gets no shell, no terminal and almost no environment, and nothing that it started in its process
//! group outlives it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tokend_proto::Secret;
use tokio::io::AsyncReadExt;
use tokio::process::{ChildStdout, Command};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{MAX_SECRET, SecretProblem, Surroundings, secret_from};

/// How long a command may take.
pub const TIME_OUT: Duration = Duration::from_secs(10);

/// How many commands run at the same time; more wait. At start every profile reads its secrets at once.
pub const MAX_COMMANDS_AT_ONCE: usize = 4;

/// All of the environment that a command gets.
const VARIABLES: [&str; 3] = ["PATH", "HOME", "LANG"];

static RUNNING: Semaphore = Semaphore::const_new(MAX_COMMANDS_AT_ONCE);

/// Runs the program and takes what it prints.
pub(super) async fn run(
    program: &Path,
    arguments: &[String],
    surroundings: &Surroundings,
) -> Result<Secret, SecretProblem> {
    run_within(TIME_OUT, program, arguments, surroundings).await
}

async fn run_within(
    limit: Duration,
    program: &Path,
    arguments: &[String],
    surroundings: &Surroundings,
) -> Result<Secret, SecretProblem> {
    let _place = RUNNING.acquire().await.expect("the semaphore is never closed");
    let not_started = |error: std::io::Error| SecretProblem::NotStarted { why: error.kind().to_string() };
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(VARIABLES.iter().filter_map(|name| Some((*name, surroundings.variable(name)?))))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(not_started)?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).expect("a child that was not waited for has an id");
    let group = Group(Pid::from_raw(pid));
    let stdout = child.stdout.take().expect("stdout is piped");

    let printed = tokio::time::timeout(limit, async {
        let printed = tokio::join!(read_capped(stdout, &group), async {
            until_exit(group.0).await;
            // Whoever still holds the pipe would keep its reader waiting.
            group.kill();
        });
        printed.0
    })
    .await;
    drop(group);
    let printed = match printed {
        Ok(printed) => printed?,
        // The child is reaped by the runtime.
        Err(_) => return Err(SecretProblem::TimedOut { limit }),
    };
    if printed.len() > MAX_SECRET {
        return Err(SecretProblem::TooLong);
    }
    let status = child.wait().await.map_err(|error| SecretProblem::Io { why: error.kind().to_string() })?;
    if status.success() { secret_from(printed) } else { Err(SecretProblem::CommandFailed { how: status.to_string() }) }
}

/// A process group whose leader has not been reaped: its number is nobody else's. Killed on drop.
struct Group(Pid);

impl Group {
    fn kill(&self) {
        // ESRCH means that nothing is left of it.
        let _ = killpg(self.0, Signal::SIGKILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until the process has ended but does not reap it, so that its number, which names its group, stays taken
/// until the group is killed. The thread that waits ends with the process, and that ends with the group.
async fn until_exit(pid: Pid) {
    let waiting = tokio::task::spawn_blocking(move || {
        while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(nix::errno::Errno::EINTR) {}
    });
    // It fails only when the runtime stops.
    let _ = waiting.await;
}

/// Reads to the end, or one byte more than is accepted: then the group is killed. The buffer is not moved while it
/// fills: no unwiped copy is left behind.
async fn read_capped(stdout: ChildStdout, group: &Group) -> Result<Zeroizing<Vec<u8>>, SecretProblem> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET + 1));
    let most = u64::try_from(MAX_SECRET).expect("64 KiB fit") + 1;
    let read = stdout.take(most).read_to_end(&mut bytes).await;
    if read.is_err() || bytes.len() > MAX_SECRET {
        group.kill();
    }
    read.map_err(|error| SecretProblem::Io { why: error.kind().to_string() })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn surroundings() -> Surroundings {
        let variables = [("PATH", "/usr/bin:/bin"), ("HOME", "/root"), ("LEGACY_SECRET", "hunter2")];
        Surroundings::new(variables.map(|(name, value)| (name.into(), value.into())), 0, 0)
    }

    async fn shell(limit: Duration, script: &str) -> Result<Secret, SecretProblem> {
        let arguments = ["-c".to_owned(), script.to_owned()];
        run_within(limit, &PathBuf::from("/bin/sh"), &arguments, &surroundings()).await
    }

    const LONG: Duration = Duration::from_secs(60);

    fn wait_until_gone(pid: &str) {
        let pid = Pid::from_raw(pid.trim().parse().expect("a number"));
        for _ in 0..1000 {
            // A process that was killed but not yet reaped (by init) has ended too.
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            match stat {
                Ok(stat) if !stat.contains(") Z ") => std::thread::sleep(Duration::from_millis(10)),
                _ => return,
            }
        }
        panic!("process {pid} is still there");
    }

    #[tokio::test]
    async fn what_a_command_prints_is_the_secret() {
        assert_eq!(shell(LONG, "echo hunter2; echo noise >&2").await, Ok(Secret::from("hunter2")));
        let argument = ["hunter $HOME * 2".to_owned()];
        let printed = run(Path::new("/bin/echo"), &argument, &surroundings()).await;
        assert_eq!(printed, Ok(Secret::from("hunter $HOME * 2")), "no shell looks at the arguments");
    }

    #[tokio::test]
    async fn a_command_gets_path_home_and_lang_alone_and_no_input() {
        let printed = run(Path::new("/usr/bin/env"), &[], &surroundings()).await.expect("env prints");
        assert_eq!(printed.expose(), "HOME=/root\nPATH=/usr/bin:/bin");
        assert_eq!(shell(LONG, "pwd; cat; echo end").await, Ok(Secret::from("/\nend")));
    }

    #[tokio::test]
    async fn a_command_that_fails_is_named_by_its_status_and_nothing_that_it_printed() {
        let message = |result: Result<Secret, SecretProblem>| result.expect_err("it fails").to_string();
        assert_eq!(
            message(shell(LONG, "echo hunter2; echo hunter2 >&2; exit 3").await),
            "it ended with exit status: 3; it has to print the secret and end with status 0"
        );
        assert_eq!(
            message(shell(LONG, "kill -TERM $$").await),
            "it ended with signal: 15 (SIGTERM); it has to print the secret and end with status 0"
        );
        assert_eq!(
            message(run(Path::new("/no/such/program"), &[], &surroundings()).await),
            "it cannot be started: entity not found; name an executable file by its absolute path"
        );
        assert_eq!(shell(LONG, "true").await, Err(SecretProblem::Empty));
    }

    #[tokio::test]
    async fn a_command_that_closes_its_output_first_still_ends_by_itself() {
        let result = shell(LONG, "echo hunter2; exec >&-; for i in 1 2 3 4 5; do /bin/true; done; exit 4").await;
        assert!(matches!(result, Err(SecretProblem::CommandFailed { how }) if how == "exit status: 4"));
    }

    #[tokio::test]
    async fn a_command_that_prints_without_end_is_stopped() {
        assert_eq!(shell(LONG, "while :; do echo hunter2hunter2hunter2; done").await, Err(SecretProblem::TooLong));
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_killed_with_its_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let pids = folder.path().join("pid");
        let limit = Duration::from_secs(2);
        let script = format!("sleep 1000 & echo $! > {}; wait", pids.display());
        assert_eq!(shell(limit, &script).await, Err(SecretProblem::TimedOut { limit }));
        wait_until_gone(&std::fs::read_to_string(pids).expect("the child's id"));
    }

    #[tokio::test]
    async fn a_child_left_behind_is_killed_and_not_waited_for() {
        let printed = shell(LONG, "sleep 1000 & echo $!").await.expect("the child's id");
        wait_until_gone(printed.expose());
    }

    #[tokio::test]
    async fn a_reading_that_is_given_up_kills_the_command() {
        let folder = tempfile::tempdir().expect("a folder");
        let pids = folder.path().join("pid");
        let script = format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000", pids.display());
        let reading = tokio::spawn(async move { shell(LONG, &script).await });
        let pid = loop {
            match std::fs::read_to_string(&pids) {
                Ok(pid) => break pid,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        reading.abort();
        assert!(reading.await.expect_err("aborted").is_cancelled());
        wait_until_gone(&pid);
    }
}
