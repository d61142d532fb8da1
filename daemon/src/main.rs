//! `tokend`: runs the daemon, or checks its configuration.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokend::config::{self, Environment};
use tokend::startup;
use tokend::system::log::{self, LogFormat};
use tokend::system::process;

/// Keeps tokens for HPE Aruba Networking Central, HPE GreenLake and Classic Central fresh, and hands them to the
/// processes of this machine over a Unix socket.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE", env = "TOKEND_CONFIG", default_value = config::DEFAULT_PATH, global = true)]
    config: PathBuf,
    /// What is logged, for example `info` or `tokend=debug`: the syntax of tracing's EnvFilter.
    #[arg(long, value_name = "FILTER", env = "TOKEND_LOG", default_value = log::DEFAULT_FILTER, global = true)]
    log: String,
    /// How it is logged, on stderr or to the journal: text, json or journald.
    #[arg(long, value_name = "FORMAT", default_value = "text", global = true)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Validates the configuration and the secrets that can be read, and ends.
    Check,
}

fn main() -> ExitCode {
    process::end_on_panic();
    let arguments = Arguments::parse();
    if let Err(error) = process::forbid_dumps() {
        return fail(&error);
    }
    if let Err(error) = log::start(&arguments.log, arguments.log_format) {
        return fail(&error);
    }
    match arguments.command {
        Some(Command::Check) => check(&arguments.config),
        None => match startup::run(&arguments.config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
    }
}

fn check(path: &std::path::Path) -> ExitCode {
    let report = config::check(path, &Environment::of_this_process());
    for warning in &report.warnings {
        say(&format!("warning: {warning}"));
    }
    for error in &report.errors {
        say(&format!("error: {}", tokend::causes(error)));
    }
    if report.errors.is_empty() {
        say(&format!("{}: good", path.display()));
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    for line in tokend::causes(error).lines() {
        say(&format!("tokend: {line}"));
    }
    ExitCode::FAILURE
}

/// To the operator. Where stderr is closed nobody is there to be told.
fn say(line: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{line}");
}
