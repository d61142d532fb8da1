//! Limits and habits of the process. To be called first thing in `main`.

use std::cell::Cell;
use std::io;
use std::panic::PanicHookInfo;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};

use crate::core::MOST_REQUESTS;
use crate::log::{self, stderr};
use crate::provider::MAX_LOOK_UPS;
use crate::secret::{MAX_COMMANDS_AT_ONCE, MAX_FILES_AT_ONCE, MAX_SLOW_COMMANDS};

/// Connections to providers that are kept for another request, in all.
pub const KEPT_CONNECTIONS: usize = 16;

/// Hosts of proxies, which the environment names.
const PROXIES: usize = 2;

/// For everything else: the store's files, sockets, timers.
const OTHERS: usize = 40;

/// What a configuration needs descriptors for. All of it together has to fit, so that the store can open its files
/// whatever else goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Peers, as many as there may be in all, those kept for root included.
    pub connections: usize,
    /// Hosts of providers, whose names may be looked up all at once.
    pub hosts: usize,
    /// Secrets that are files, each of which may hang while it is read.
    pub files: usize,
    /// Secrets that are commands, each with pipes for what it says.
    pub commands: usize,
}

impl Needs {
    fn descriptors(self) -> u64 {
        let commands = self.commands.min(MAX_COMMANDS_AT_ONCE + MAX_SLOW_COMMANDS);
        let look_ups = 2 * (self.hosts + PROXIES).min(MAX_LOOK_UPS); // a socket for each of two name servers
        let reserved =
            MOST_REQUESTS + KEPT_CONNECTIONS + look_ups + self.files.min(MAX_FILES_AT_ONCE) + 3 * commands + OTHERS;
        self.connections.saturating_add(reserved) as u64
    }
}

/// How long a panic waits until what was logged before it is written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Why the process cannot be what it has to be.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Too few descriptors.
    #[error(
        "{connections} connections and what goes on beside them need {needed} file descriptors and the hard limit is \
         {hard}: raise it (`LimitNOFILE={needed}` in the unit, `ulimit -Hn`), or lower `max_connections`"
    )]
    TooFewDescriptors {
        /// What was asked for.
        connections: usize,
        /// What that needs.
        needed: u64,
        /// What there may be.
        hard: u64,
    },
    /// The system refused.
    #[error("cannot {doing}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// The signals that mean something to the daemon.
fn meaningful() -> SigSet {
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect()
}

/// Has SIGHUP wait until [`take_signals`], instead of ending the process: who asks for a reload does not mean to stop
/// it, however early. To be called before there is a second thread.
///
/// # Errors
/// When the system refuses.
pub fn hold_reloads() -> Result<(), ProcessError> {
    SigSet::from(Signal::SIGHUP).thread_block().map_err(system("hold signals back"))
}

/// Has the signals that mean something wait until [`take_signals`], instead of ending the process. A thread
/// that was there before, and hangs, may get them all the same.
///
/// # Errors
/// When the system refuses.
pub fn hold_signals() -> Result<(), ProcessError> {
    meaningful().thread_block().map_err(system("hold signals back"))
}

/// Lets them arrive, those that have waited too.
///
/// # Errors
/// When the system refuses.
pub fn take_signals() -> Result<(), ProcessError> {
    meaningful().thread_unblock().map_err(system("take signals"))
}

/// Raises the soft limit of descriptors to the hard one; returns it.
///
/// # Errors
/// When what is needed would not fit.
pub fn raise_descriptor_limit(needs: Needs) -> Result<u64, ProcessError> {
    let (soft, hard) = descriptor_limit(needs)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(system("raise the limit of file descriptors"))?;
    }
    Ok(hard)
}

/// The soft and the hard limit of descriptors.
///
/// # Errors
/// As [`raise_descriptor_limit`].
pub fn descriptor_limit(needs: Needs) -> Result<(u64, u64), ProcessError> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(system("read the limit of file descriptors"))?;
    let needed = needs.descriptors();
    if hard < needed {
        return Err(ProcessError::TooFewDescriptors { connections: needs.connections, needed, hard });
    }
    Ok((soft, hard))
}

/// Keeps this memory, with all its secrets, out of core dumps and from debuggers of the same user.
///
/// # Errors
/// When the system refuses.
pub fn forbid_dumps() -> Result<(), ProcessError> {
    // The limit alone does not hold where core_pattern is a pipe, core(5).
    prctl::set_dumpable(false).map_err(system("forbid core dumps"))?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(system("forbid core dumps"))
}

fn system(doing: &'static str) -> impl Fn(Errno) -> ProcessError {
    move |errno| ProcessError::System { doing, source: errno.into() }
}

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// From now on a panic says where it happened, and its words only if they are a literal in the source: formatted ones
/// may hold a secret. Then it ends the process, unless the thread called [`contain_panics`]: what a broken core would
/// do to tokens is worse than a restart, after which everything durable is there.
pub fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let words = describe(panic);
        if CONTAINED.get() {
            return tracing::error!("{words}");
        }
        log::flush(LAST_LINES);
        // Not through the log: it may be where the panic comes from.
        stderr::say(&format!("tokend: {words}"));
        std::process::abort();
    }));
}

/// Lets a panic on this thread unwind, for a thread whose tasks are caught one by one: a connection that panics closes
/// and nobody else notices.
pub fn contain_panics() {
    CONTAINED.set(true);
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let place = panic.location().map_or_else(|| "unknown place".to_owned(), ToString::to_string);
    let words = panic.payload().downcast_ref::<&'static str>().map(|words| format!(": {words}")).unwrap_or_default();
    format!("panic in thread {} at {place}{words}", thread.name().unwrap_or("(unnamed)"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Output, Stdio};

    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    use super::*;
    use crate::audit::Audit;
    use crate::log::{Log, LogFormat};

    /// Runs one of the ignored tests below in a process of its own: what they do cannot be undone.
    fn in_a_process_of_its_own(test: &str) -> Output {
        child(test).output().unwrap()
    }

    fn child(test: &str) -> Command {
        let (_, module) = module_path!().split_once("::").unwrap();
        let name = format!("{module}::{test}");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &name, "--ignored", "--nocapture"]);
        command
    }

    fn passes(test: &str) {
        let output = in_a_process_of_its_own(test);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    #[test]
    fn the_soft_limit_is_raised_and_a_low_hard_one_is_an_error() {
        passes("child_descriptors");
    }

    #[test]
    #[ignore = "run by the test above"]
    fn child_descriptors() {
        setrlimit(Resource::RLIMIT_NOFILE, 64, 1000).unwrap();
        let needs = |connections| Needs { connections, hosts: 22, files: 10, commands: 20 };
        let error = raise_descriptor_limit(needs(731)).unwrap_err().to_string();
        let expected =
            "731 connections and what goes on beside them need 1001 file descriptors and the hard limit is 1000";
        assert!(error.contains(expected), "{error}");
        assert_eq!(raise_descriptor_limit(needs(730)).unwrap(), 1000);
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (1000, 1000));
    }

    #[test]
    fn no_core_is_dumped() {
        passes("child_dumps");
    }

    #[test]
    #[ignore = "run by the test above"]
    fn child_dumps() {
        forbid_dumps().unwrap();
        assert!(!prctl::get_dumpable().unwrap());
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
    }

    #[test]
    fn a_panic_ends_the_process_and_shows_no_formatted_words() {
        let output = in_a_process_of_its_own("child_panic");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(nix::libc::SIGABRT), "{said}");
        assert!(said.contains("panic in thread core at ") && said.contains("process.rs:"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }

    #[test]
    #[ignore = "run by the test above"]
    fn child_panic() {
        forbid_dumps().unwrap();
        end_on_panic();
        let core = std::thread::Builder::new().name("core".to_owned());
        core.spawn(|| panic!("password {}", String::from("hunter2"))).unwrap().join().unwrap_err();
        // Not reached.
        std::process::exit(0);
    }

    #[test]
    fn a_panic_ends_the_process_though_nobody_reads_what_it_says() {
        let (_reader, writer) = io::pipe().unwrap();
        // The pipe has no room left.
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        while nix::unistd::write(&writer, &[b'x'; 4096]).is_ok() {}
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        let status = child("child_panic").stdout(Stdio::null()).stderr(writer).status().unwrap();
        assert_eq!(status.signal(), Some(nix::libc::SIGABRT), "{status}");
    }

    #[test]
    fn a_contained_panic_ends_only_its_thread() {
        let output = in_a_process_of_its_own("child_contained");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("a literal from the source"), "{said}");
    }

    #[test]
    #[ignore = "run by the test above"]
    fn child_contained() {
        end_on_panic();
        let _log = Log::new("info", LogFormat::Text).unwrap().start(Audit::new(false).1).unwrap();
        let contained = std::thread::spawn(|| {
            contain_panics();
            panic!("a literal from the source");
        });
        contained.join().unwrap_err();
    }
}
