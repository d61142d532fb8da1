//! Builds the Debian package.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use package::{Options, Profile, build};

/// Builds tokend and tokenctl, generates manual pages, completions and the commented configuration, and packs them.
///
/// Prints where the package is.
#[derive(Parser)]
struct Arguments {
    /// The package's version [default: the workspace's with -1]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Where the package goes [default: target/package]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How the programs are compiled
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
    /// Take the programs of the last build as they are
    #[arg(long)]
    no_build: bool,
}

fn main() -> ExitCode {
    let Arguments { version, out, profile, no_build } = Arguments::parse();
    match build(&Options { version, out, profile, keep_programs: no_build, install_tool: true }) {
        Ok(package) => {
            println!("{}", package.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("package: {}", tokend::error::chain(&error));
            ExitCode::FAILURE
        }
    }
}
