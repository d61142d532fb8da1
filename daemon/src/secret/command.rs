//! A secret that a program prints.
//!
//! The program gets no shell, no terminal and almost no environment, and nothing of its session outlives it that did
//! not leave it. It is started and attended to on threads that nobody joins: already to start a program may hang, when
//! it lies on a dead mount.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use tokend_proto::Secret;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

use super::child::Program;
use super::error::SecretError;
use super::process_env::ProcessEnv;
use super::said::Said;
use crate::os::detached::{Threads, Undone};

/// How long a command may take, from its start to its end.
pub const TIME_OUT: Duration = Duration::from_secs(10);

/// How many commands begin at the same time; more wait. At start every profile reads its secrets at once.
pub const MAX_COMMANDS_AT_ONCE: usize = 8;

/// A command that takes longer than this waits for something else than a processor: it leaves its place among those
/// that begin, so that quick ones do not wait behind such that hang.
const BEGINNING: Duration = Duration::from_millis(250);

/// Commands at the same time that have taken longer than that. More are not begun until one of these ends or is killed.
pub const MAX_SLOW_COMMANDS: usize = 128;

/// After its time a command is killed. Where even that has no effect, nobody waits for longer than this.
const DYING: Duration = Duration::from_secs(1);

/// All of the environment that a command gets.
const VARIABLES: [&str; 3] = ["PATH", "HOME", "LANG"];

/// One thread for a program at a time, only to start it.
static STARTING: Threads = Threads::new(64);

/// One thread for each command that runs.
static ATTENDING: Threads = Threads::new(MAX_COMMANDS_AT_ONCE + MAX_SLOW_COMMANDS);

/// Places for commands.
struct Places {
    begin: Semaphore,
    go_on: Semaphore,
}

static PLACES: Places =
    Places { begin: Semaphore::const_new(MAX_COMMANDS_AT_ONCE), go_on: Semaphore::const_new(MAX_SLOW_COMMANDS) };

/// Runs the program and takes what it prints.
pub(super) async fn run(program: &Path, arguments: &[String], process_env: &ProcessEnv) -> Result<Secret, SecretError> {
    let variables = VARIABLES.iter().filter_map(|name| Some((*name, process_env.variable(name)?)));
    let (path, arguments, variables) = (program.to_owned(), arguments.to_vec(), variables.collect());
    PLACES.run(TIME_OUT, Program { path, arguments, variables }).await
}

impl Places {
    async fn run(&self, limit: Duration, program: Program) -> Result<Secret, SecretError> {
        let begins = place(&self.begin).await;
        let mut running = pin!(run_now(limit, program));
        tokio::select! {
            biased;
            result = &mut running => return result,
            () = sleep(BEGINNING) => {}
        }
        let _goes_on = tokio::select! {
            biased;
            result = &mut running => return result,
            goes_on = place(&self.go_on) => goes_on,
        };
        drop(begins);
        running.await
    }
}

async fn place(places: &Semaphore) -> SemaphorePermit<'_> {
    places.acquire().await.expect("the semaphore is never closed")
}

async fn run_now(limit: Duration, program: Program) -> Result<Secret, SecretError> {
    let deadline = Instant::now() + limit;
    let path = program.path.to_string_lossy().into_owned();
    let child = STARTING.within(&path, limit, move || program.start()).await.map_err(|undone| match undone {
        Undone::Hangs(limit) => SecretError::Hangs { limit },
        Undone::Crowded | Undone::Failed => SecretError::NotTried { why: undone.to_string() },
    })??;
    // A reading that is given up ends the command, wherever it is.
    let ender = child.ender();
    let key = ender.number();
    let attending = ATTENDING.within(&key, limit + DYING, move || child.attend(deadline, limit));
    attending.await.unwrap_or_else(|undone| match undone {
        Undone::Hangs(_) => Err(SecretError::TimedOut { limit, said: Said::default() }),
        Undone::Crowded | Undone::Failed => Err(SecretError::NotTried { why: undone.to_string() }),
    })
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;

    fn process_env() -> ProcessEnv {
        let variables = [("PATH", "/usr/bin:/bin"), ("HOME", "/root"), ("LEGACY_SECRET", "hunter2")];
        ProcessEnv::new(variables.map(|(name, value)| (name.into(), value.into())), 0, 0)
    }

    async fn shell(limit: Duration, script: &str) -> Result<Secret, SecretError> {
        let arguments = ["-c".to_owned(), script.to_owned()];
        let variables = vec![("PATH", "/usr/bin:/bin".into())];
        run_now(limit, Program { path: "/bin/sh".into(), arguments: arguments.to_vec(), variables }).await
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
        let printed = run(Path::new("/bin/echo"), &argument, &process_env()).await;
        assert_eq!(printed, Ok(Secret::from("hunter $HOME * 2")), "no shell looks at the arguments");
    }

    #[tokio::test]
    async fn a_command_gets_path_home_and_lang_alone_and_no_input() {
        let printed = run(Path::new("/usr/bin/env"), &[], &process_env()).await.expect("env prints");
        assert_eq!(printed.expose(), "HOME=/root\nPATH=/usr/bin:/bin");
        assert_eq!(shell(LONG, "pwd; cat; echo end").await, Ok(Secret::from("/\nend")));
    }

    fn message(result: Result<Secret, SecretError>) -> String {
        result.expect_err("it fails").to_string()
    }

    #[tokio::test]
    async fn a_command_that_fails_is_named_by_its_status_and_nothing_that_it_printed() {
        assert_eq!(
            message(shell(LONG, "echo hunter2; echo hunter2 >&2; exit 3").await),
            "it ended with exit status: 3; it has to print the secret and end with status 0"
        );
        assert_eq!(
            message(shell(LONG, "kill -TERM $$").await),
            "it ended with signal: 15 (SIGTERM); it has to print the secret and end with status 0"
        );
        assert_eq!(
            message(run(Path::new("/no/such/program"), &[], &process_env()).await),
            "it cannot be started: entity not found; name an executable file by its absolute path"
        );
        assert_eq!(
            message(shell(LONG, "echo no agent >&2; echo").await),
            "it printed nothing (it said \"no agent\"); it has to print the secret and end with status 0"
        );
    }

    #[tokio::test]
    async fn a_command_that_closes_its_output_first_still_ends_by_itself() {
        let result = shell(LONG, "echo hunter2; exec >&-; for i in 1 2 3 4 5; do /bin/true; done; exit 4").await;
        assert!(matches!(result, Err(SecretError::CommandFailed { how, .. }) if how == "exit status: 4"));
    }

    #[tokio::test]
    async fn a_command_that_prints_without_end_is_stopped() {
        assert_eq!(shell(LONG, "while :; do echo hunter2hunter2hunter2; done").await, Err(SecretError::TooLong));
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_killed_with_its_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let pids = folder.path().join("pid");
        let limit = Duration::from_secs(2);
        let script = format!("sleep 1000 & echo $! > {}; wait", pids.display());
        assert_eq!(shell(limit, &script).await, Err(SecretError::TimedOut { limit, said: Said::default() }));
        wait_until_gone(&std::fs::read_to_string(pids).expect("the child's id"));
    }

    #[tokio::test]
    async fn of_what_a_command_says_the_last_line_is_told() {
        assert_eq!(
            message(shell(LONG, "echo one >&2; echo 'gpg: No secret key' >&2; echo hunter2; exit 2").await),
            "it ended with exit status: 2 (it said \"gpg: No secret key\"); it has to print the secret and end with status 0"
        );
        assert_eq!(
            message(shell(Duration::from_secs(1), "echo waiting for the agent >&2; exec sleep 1000").await),
            "it did not end within 1 s and was killed (it said \"waiting for the agent\"); it has to be quicker"
        );
        let flood = "i=0; while [ $i -lt 3000 ]; do echo a long line of something >&2; i=$((i + 1)); done; exit 2";
        assert!(message(shell(LONG, flood).await).contains("\"a long line of something\""), "no pipe is full for ever");
    }

    #[tokio::test]
    async fn an_agent_that_keeps_the_output_open_is_left_alone_and_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let pids = folder.path().join("pid");
        let script = format!(
            "setsid sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000' & until [ -e {0} ]; do :; done; echo hunter2",
            pids.display()
        );
        let begun = Instant::now();
        assert_eq!(shell(Duration::from_secs(500), &script).await, Ok(Secret::from("hunter2")));
        assert!(begun.elapsed() < Duration::from_secs(400), "it was not waited for until its end");
        let agent: i32 = std::fs::read_to_string(pids).expect("its number").trim().parse().expect("a number");
        kill(Pid::from_raw(agent), Signal::SIGKILL).expect("it lives");
    }

    #[tokio::test]
    async fn a_command_leads_a_session_that_has_no_terminal() {
        let fields = "read -r pid name state parent group session terminal rest < /proc/$$/stat; ";
        let printed = shell(LONG, &format!("{fields} echo $((session - $$)) $terminal")).await;
        assert_eq!(printed, Ok(Secret::from("0 0")));
        assert!(message(shell(LONG, "read -r answer < /dev/tty && echo $answer").await).contains("/dev/tty"));
    }

    #[tokio::test]
    async fn at_the_end_of_its_time_groups_of_its_own_die_with_a_command() {
        let folder = tempfile::tempdir().expect("a folder");
        let pids = folder.path().join("pid");
        let limit = Duration::from_secs(2);
        let script = format!("set -m; sleep 1000 & echo $! > {}; wait", pids.display());
        assert!(matches!(shell(limit, &script).await, Err(SecretError::TimedOut { .. })));
        wait_until_gone(&std::fs::read_to_string(pids).expect("the child's id"));
    }

    #[tokio::test]
    async fn no_zombie_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let pids = folder.path().join("pid");
        let begins = format!("echo $$ > {}; ", pids.display());
        for ending in
            ["exit 0", "exit 3", "kill -9 $$", "exec sleep 1000", "while :; do echo hunter2hunter2hunter2; done"]
        {
            let _ = shell(Duration::from_secs(1), &format!("{begins}{ending}")).await;
            let pid = std::fs::read_to_string(&pids).expect("its number");
            assert!(!Path::new(&format!("/proc/{}", pid.trim())).exists(), "{ending}");
        }
    }

    #[tokio::test]
    async fn commands_that_hang_keep_no_quick_one_waiting() {
        static FEW: Places = Places { begin: Semaphore::const_new(1), go_on: Semaphore::const_new(5) };
        let program = |script: &str| {
            let arguments = vec!["-c".to_owned(), script.to_owned()];
            Program { path: "/bin/sh".into(), arguments, variables: vec![("PATH", "/usr/bin:/bin".into())] }
        };
        let hanging: Vec<_> =
            (0..5).map(|_| tokio::spawn(FEW.run(Duration::from_secs(500), program("exec sleep 1000")))).collect();
        while FEW.go_on.available_permits() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(FEW.run(LONG, program("echo hunter2")).await, Ok(Secret::from("hunter2")));
        assert!(hanging.iter().all(|hanging| !hanging.is_finished()));
        hanging.into_iter().for_each(|hanging| hanging.abort());
    }

    #[tokio::test]
    async fn a_program_that_cannot_even_be_started_keeps_no_other_waiting() {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let hangs = STARTING.begin("/bin/true", move || released.recv().is_ok()).expect("begun");
        let limit = Duration::from_millis(10);
        let program = Program { path: "/bin/true".into(), arguments: Vec::new(), variables: Vec::new() };
        assert_eq!(run_now(limit, program).await, Err(SecretError::Hangs { limit }));
        assert_eq!(shell(LONG, "echo hunter2").await, Ok(Secret::from("hunter2")));
        release.send(()).expect("it waits for this");
        assert!(hangs.await.expect("released"));
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
