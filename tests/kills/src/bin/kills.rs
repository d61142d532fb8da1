//! Kills the real daemon amid its work, so often, and prints what came of it.

use std::process::ExitCode;

use clap::Parser;
use kills::Campaign;

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
    /// The daemons log into a journald on a throw-away machine, which is stopped and goes on at random. For root.
    #[arg(long)]
    journald: bool,
}

fn main() -> ExitCode {
    let Options { kills, seed, worlds, journald } = Options::parse();
    let more = if journald { " --journald" } else { "" };
    println!("kills -- --kills {kills} --seed {seed} --worlds {worlds}{more}");
    let report = Campaign { seed, kills, worlds, journald }.run();
    println!("{report}");
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
