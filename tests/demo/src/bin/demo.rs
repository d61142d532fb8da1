//! `cargo demo`: see [`demo`].

use std::process::ExitCode;

use clap::Parser;
use demo::{self, Options};

fn main() -> ExitCode {
    demo::run(&Options::parse())
}
