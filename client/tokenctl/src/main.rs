//! `tokenctl`: the command line of tokend.

use std::process::ExitCode;

fn main() -> ExitCode {
    tokenctl::run()
}
