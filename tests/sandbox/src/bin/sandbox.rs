//! The sandbox provider as a program to play with: see [`sandbox::program`].

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox::program::run()
}
