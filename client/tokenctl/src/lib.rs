//! `tokenctl`: the command line of tokend. It is a library for its one binary and for what is generated from its
//! definition (the manual page, completions).
//!
//! It is a thin shell around `tokend-client`. `cli` parses the command line, `commands` has a file for each command
//! with its arguments, `args` those of several, `output` prints results, `style` and `text` say how they look on a
//! terminal and in a pipe, and `exit` is the only place that maps failures to exit statuses. No secret is ever an
//! argument.

mod accounts;
mod args;
mod binding;
mod cli;
mod clock;
mod commands;
mod duration;
mod exit;
#[cfg(test)]
#[path = "../../../proto/tests/samples/name_status.rs"]
mod name_status;
mod output;
mod permission_hint;
mod runtime;
mod style;
mod text;

use std::process::ExitCode;

pub use cli::command;

/// The whole program: parses the command line, runs the command, and prints how it ended.
#[must_use]
pub fn run() -> ExitCode {
    match cli::parse() {
        Ok(cli) => commands::run(&cli.command, cli.global.client()),
        Err(status) => status.into(),
    }
}
