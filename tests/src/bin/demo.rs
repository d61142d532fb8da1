//! `cargo demo`: see [`tokend_tests::demo`].

use std::process::ExitCode;

use clap::Parser;
use tokend_tests::demo::{self, Options};

fn main() -> ExitCode {
    demo::run(&Options::parse())
}
