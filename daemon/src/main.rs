//! `tokend`: runs the daemon, checks its configuration, or writes one to begin with.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tokend::audit::Audit;
use tokend::cli::{Arguments, Command};
use tokend::config::keys::ProfileKind;
use tokend::config::{self, Environment, init};
use tokend::log::Log;
use tokend::log::stderr::say;
use tokend::os::process;
use tokend::startup;

fn main() -> ExitCode {
    process::end_on_panic();
    if let Err(error) = process::hold_reloads() {
        return fail(&error);
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help goes to stdout, and a person may take their time over it.
        Err(error) if !error.use_stderr() || std::io::stderr().is_terminal() => error.exit(),
        Err(error) => {
            say(error.render().to_string().trim_end());
            return ExitCode::from(2);
        }
    };
    if let Err(error) = process::forbid_dumps() {
        return fail(&error);
    }
    let log = match Log::new(&arguments.log, arguments.log_format) {
        Ok(log) => log,
        Err(error) => return fail(&error),
    };
    // The daemon listens first.
    let Some(command) = arguments.command else {
        return match startup::run(&arguments.config, log) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    };
    let _log = match log.start(Audit::new(false).1) {
        Ok(log) => log,
        Err(error) => return fail(&error),
    };
    match command {
        Command::Check { start } => check(&arguments.config, start),
        Command::Init { kinds } => begin(&arguments.config, &kinds),
    }
}

fn check(path: &Path, start: bool) -> ExitCode {
    let environment = Environment::of_this_process();
    let report = if start { config::check_start(path, &environment) } else { config::check(path, &environment) };
    for warning in &report.warnings {
        say(&format!("warning: {warning}"));
    }
    for error in &report.errors {
        say(&format!("error: {}", tokend::error::chain(error)));
    }
    if report.errors.is_empty() {
        say(&format!("{}: good", path.display()));
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn begin(path: &Path, kinds: &[ProfileKind]) -> ExitCode {
    if path == Path::new("-") {
        let (text, advice) = init::print(kinds);
        // Who closes the pipe has read enough.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
        say(advice.trim_end());
        return ExitCode::SUCCESS;
    }
    match init::write(path, kinds, &Environment::of_this_process()) {
        Ok(advice) => {
            let _ = std::io::stdout().lock().write_all(advice.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    for line in tokend::error::chain(error).lines() {
        say(&format!("tokend: {line}"));
    }
    ExitCode::FAILURE
}
