//! tokend as a service of a real systemd, with its watchdog, while something that it uses stands still: the log, a file
//! system, the name server, the directory of users, the service manager.
//!
//! Each scenario is one test on a throw-away machine of its own ([`machine`]). In each a Classic rotation is on the
//! wire when the weather begins, and its answer comes amid it ([`story`]). What they show is said as the tests of the
//! units say it, a line each; the last line counts. Where no machine can be booted every scenario is ignored, and the
//! reason is printed.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "the tests of the units say more with it")]
#[path = "../systemd/checks.rs"]
mod checks;
mod files;
mod log;
mod lookups;
mod manager;
mod scene;
mod story;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use checks::Checks;
use harness::Binaries;
use libtest_mimic::{Arguments, Failed, Trial};
use scene::Scene;

/// What a scenario needs beside a machine, and what stands in its way.
type Need = fn() -> Option<&'static str>;
type Scenario = fn(&Scene, &mut Checks);

const SCENARIOS: [(&str, Need, Scenario); 10] = [
    ("journald_is_stopped", nothing, log::journald_is_stopped),
    ("the_journals_stream_is_not_read", nothing, log::the_stream_is_not_read),
    ("stderr_is_not_read", nothing, log::stderr_is_not_read),
    ("a_secret_hangs", fuse, files::a_secret_hangs),
    ("the_configuration_hangs", fuse, files::the_configuration_hangs),
    ("a_ca_file_hangs", fuse, files::a_ca_file_hangs),
    ("the_resolver_is_deaf", nothing, lookups::the_resolver_is_deaf),
    ("the_directory_of_users_is_deaf", nss_systemd, lookups::the_directory_is_deaf),
    ("pid_1_is_busy", nothing, manager::pid_1_is_busy),
    ("pid_1_is_busy_at_the_end", nothing, manager::pid_1_is_busy_at_the_end),
];

static SHOWN: AtomicUsize = AtomicUsize::new(0);
static FAILED: AtomicUsize = AtomicUsize::new(0);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(SCENARIOS.len()));
    let obstacle = if arguments.list { None } else { machine::obstacle() };
    if let Some(obstacle) = &obstacle {
        SCENARIOS.iter().for_each(|(name, ..)| skipped::test_because(&format!("weather {name}"), obstacle));
    } else if !arguments.list {
        // Not on a machine's time.
        let _ = Binaries::built();
    }
    let aloud = arguments.nocapture;
    let trial = |(name, need, scenario): (&'static str, Need, Scenario)| {
        let missing = if obstacle.is_none() && !arguments.list { need() } else { None };
        if let Some(missing) = missing {
            skipped::test_because(&format!("weather {name}"), missing);
        }
        let ignored = obstacle.is_some() || missing.is_some();
        Trial::test(name, move || show(name, scenario, aloud)).with_ignored_flag(ignored)
    };
    let conclusion = libtest_mimic::run(&arguments, SCENARIOS.into_iter().map(trial).collect());
    if obstacle.is_none() && !arguments.list {
        let (shown, failed) = (SHOWN.load(Ordering::Relaxed), FAILED.load(Ordering::Relaxed));
        println!("weather: {shown} things shown, {failed} failed");
    }
    conclusion.exit_code()
}

fn nothing() -> Option<&'static str> {
    None
}

fn fuse() -> Option<&'static str> {
    let opened = std::fs::File::options().read(true).write(true).open("/dev/fuse");
    opened.is_err().then_some("/dev/fuse cannot be opened")
}

fn nss_systemd() -> Option<&'static str> {
    let folders =
        ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
    let there = folders.iter().any(|folder| Path::new(folder).join("libnss_systemd.so.2").exists());
    (!there).then_some("libnss_systemd.so.2 is not installed")
}

fn show(name: &'static str, scenario: Scenario, aloud: bool) -> Result<(), Failed> {
    let mut checks = Checks::new(name);
    let mut journal = String::new();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let scene = Scene::new();
        let ended = catch_unwind(AssertUnwindSafe(|| scenario(&scene, &mut checks)));
        if ended.is_err() || checks.failed() > 0 {
            journal = scene.journal();
        }
        ended
    }));
    // Its words have been printed by the panic itself.
    let panicked = !matches!(ended, Ok(Ok(())));
    SHOWN.fetch_add(checks.count(), Ordering::Relaxed);
    FAILED.fetch_add(checks.failed() + usize::from(panicked), Ordering::Relaxed);
    if aloud {
        print!("{}", checks.text());
    }
    if !panicked && checks.failed() == 0 {
        return Ok(());
    }
    let lines = if aloud { String::new() } else { checks.text() };
    Err(format!("{lines}{}\n{journal}", if panicked { "it panicked" } else { "" }).into())
}
