//! The program `sandbox`, for the machines: cargo builds the programs of its own package for a test, and no others.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox::program::run()
}
