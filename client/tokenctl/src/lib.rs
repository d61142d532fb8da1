//! `tokenctl`: the command line of tokend, as a library for its one binary and for what is generated from its
//! definition (the manual page, completions).
//!
//! A thin shell around `tokend-client`: `cli` says what may be typed, `commands` has a file for each
//! family of commands, `output` how results look on a terminal and in a pipe, and `exit` is the one
//! place where failures become exit statuses. Nothing secret is ever an argument.

mod accounts;
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

/// The whole program: reads the command line, does what it says, and tells how it ended.
#[must_use]
pub fn run() -> ExitCode {
    match cli::parse() {
        Ok(cli) => commands::run(&cli),
        Err(status) => status.into(),
    }
}
