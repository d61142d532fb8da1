//! Kills the real daemon amid its work, so often, and prints what came of it.

use std::process::ExitCode;

use clap::Parser;
use tokend_tests::kills::Campaign;

/// Kills tokend with SIGKILL at random moments under load, and checks after each restart that nothing was lost.
///
/// Status 1 when anything is unexplained.
#[derive(Parser)]
struct Options {
    /// How often, over all worlds.
    #[arg(long, default_value_t = 2_000)]
    kills: u64,
    /// What the schedule follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Worlds side by side, each with a provider, a daemon and peers of its own.
    #[arg(long, default_value_t = 4)]
    worlds: u64,
}

fn main() -> ExitCode {
    let Options { kills, seed, worlds } = Options::parse();
    println!("kills -- --kills {kills} --seed {seed} --worlds {worlds}");
    let report = Campaign { seed, kills, worlds }.run();
    println!("{report}");
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
