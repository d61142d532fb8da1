//! tokend as a service of a real systemd: the units, the package, and what they promise.
//!
//! Each scenario is one test, on a throw-away machine of its own ([`machine`]), and shows several things,
//! a line each; with `--nocapture` all lines are printed, else those of a scenario that failed. The last line counts
//! them. Where no machine can be booted every scenario is ignored, and the reason is printed.

#![allow(clippy::unwrap_used, reason = "a test")]

mod access;
mod activation;
mod boot;
mod checks;
mod credentials;
mod hardening;
mod package;
mod packages;
mod readiness;
mod reload;
mod restarts;
mod scene;
mod trouble;
mod user;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use checks::Checks;
use libtest_mimic::{Arguments, Failed, Trial};
use scene::Scene;

type Scenario = fn(&mut Scene, &mut Checks);

const SCENARIOS: [(&str, Scenario); 23] = [
    ("activation_on_first_connect", activation::on_first_connect),
    ("renewal_without_a_peer_after_a_boot", boot::renewal_without_a_peer),
    ("a_boot_without_a_network", boot::without_a_network),
    ("a_bad_configuration", trouble::a_bad_configuration),
    ("a_crash_loop", trouble::a_crash_loop),
    ("ready_and_status", readiness::ready_and_status),
    ("never_ready", readiness::never_ready),
    ("the_journal", readiness::journal),
    ("reload", reload::good_and_bad),
    ("a_crash_under_load", restarts::a_crash),
    ("a_restart_under_load", restarts::a_restart),
    ("a_hang_under_load", restarts::a_hang),
    ("a_stuck_thread_under_load", restarts::a_stuck_thread),
    ("credentials", credentials::plain),
    ("encrypted_credentials", credentials::encrypted),
    ("access_by_user_and_group", access::by_user_and_group),
    ("access_by_unit", access::by_unit),
    ("access_of_impostors", access::impostors),
    ("on_a_workstation", user::on_a_workstation),
    ("from_installation_to_purge", package::from_installation_to_purge),
    ("an_upgrade_under_load", package::an_upgrade_under_load),
    ("verified_and_rated", hardening::verified_and_rated),
    ("every_promise_of_the_unit", hardening::every_promise),
];

static SHOWN: AtomicUsize = AtomicUsize::new(0);
static FAILED: AtomicUsize = AtomicUsize::new(0);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // The package is built before, not under, a machine that is up.
    let obstacle = if arguments.list { None } else { machine::obstacle().or_else(|| packages::packages().err()) };
    if let Some(obstacle) = &obstacle {
        SCENARIOS.iter().for_each(|(name, _)| skipped::test_because(&format!("systemd {name}"), obstacle));
    }
    let aloud = arguments.nocapture;
    let trial = |(name, scenario): (&'static str, Scenario)| {
        Trial::test(name, move || show(name, scenario, aloud)).with_ignored_flag(obstacle.is_some())
    };
    let conclusion = libtest_mimic::run(&arguments, SCENARIOS.into_iter().map(trial).collect());
    if obstacle.is_none() && !arguments.list {
        let (shown, failed) = (SHOWN.load(Ordering::Relaxed), FAILED.load(Ordering::Relaxed));
        println!("systemd: {shown} things shown, {failed} failed");
    }
    conclusion.exit_code()
}

fn show(name: &'static str, scenario: Scenario, aloud: bool) -> Result<(), Failed> {
    let mut checks = Checks::new(name);
    let mut journal = String::new();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut scene = Scene::new();
        let ended = catch_unwind(AssertUnwindSafe(|| scenario(&mut scene, &mut checks)));
        if ended.is_err() || checks.failed() > 0 {
            journal = scene.journal();
        }
        ended
    }));
    let panic = match ended {
        Ok(Ok(())) => None,
        Ok(Err(panic)) | Err(panic) => Some(words(&*panic)),
    };
    SHOWN.fetch_add(checks.count(), Ordering::Relaxed);
    FAILED.fetch_add(checks.failed() + usize::from(panic.is_some()), Ordering::Relaxed);
    if aloud {
        print!("{}", checks.text());
    }
    match panic {
        None if checks.failed() == 0 => Ok(()),
        panic => {
            let lines = if aloud { String::new() } else { checks.text() };
            Err(format!("{lines}{}\n{journal}", panic.unwrap_or_default()).into())
        }
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
