//! tokend beside its peers: throughput, latencies, memory, start.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench::{BenchError, Case, Settings, caught, flood, listen, run, serve};
use clap::Parser;
use harness::Binaries;

const EXAMPLES: &str = "

Examples:
  bench --out tests/bench/results
                               all of it, for the repository
  bench a c                    two cases
  bench --rounds 5 --slice 20 --idle 10 --growth 20 --unpackaged
                               a little of everything";

/// Measures tokend and its peers in turn and prints a report.
///
/// Builds the daemon in its own profile: to be run with --release. Redis, memcached, oidc-agent and curl are taken from
/// the system; what is missing is said.
#[derive(Parser)]
#[command(after_help = format!("Cases:{}{EXAMPLES}", cases()))]
struct Options {
    /// Which cases, by their letters [default: all]
    #[arg(value_name = "CASE", value_parser = case)]
    cases: Vec<Case>,
    /// Rounds that count
    #[arg(long, default_value_t = 41, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// What a server gets of a round, in milliseconds
    #[arg(long, default_value_t = 40, value_name = "MS")]
    slice: u64,
    /// How long an idle daemon is watched
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    idle: u64,
    /// How long daemons with many tenants are watched
    #[arg(long, default_value_t = 450, value_name = "SECONDS")]
    growth: u64,
    /// Take tokenctl as cargo builds it for this machine, and not as it is packaged: sooner, and slower
    #[arg(long)]
    unpackaged: bool,
    /// Measure the tokend and tokenctl of this folder, another version say, instead of building them
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// The report as README.md, and its plots, go into this folder too
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn case(letter: &str) -> Result<Case, String> {
    Case::of_letter(letter).ok_or_else(|| format!("the cases are:{}", cases()))
}

/// A line for each.
fn cases() -> String {
    Case::ALL.map(|case| format!("\n  {}  {}", case.letter(), case.title())).concat()
}

fn main() -> ExitCode {
    for run in [serve::run, flood::run] {
        if let Some(status) = run(&mut std::env::args_os().skip(1)) {
            return status;
        }
    }
    match measure(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whatever did not work then: the signal may have been to what was measured too.
        Err(_) if let Some(caught) = caught() => ExitCode::from(caught.exit_status()),
        Err(error) => {
            eprintln!("bench: {}", tokend::error::chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn measure(options: Options) -> Result<(), BenchError> {
    let program =
        std::env::current_exe().map_err(|source| BenchError::System { doing: "finding this program", source })?;
    let mut settings = Settings::full(program);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.is_empty() {
        settings.command = format!("{} -- {}", settings.command, arguments.join(" "));
    }
    if !options.cases.is_empty() {
        settings.cases = options.cases;
        settings.cases.sort_unstable();
        settings.cases.dedup();
    }
    settings.rounds = options.rounds.into();
    settings.slice = Duration::from_millis(options.slice);
    settings.idle = Duration::from_secs(options.idle);
    settings.growth = Duration::from_secs(options.growth);
    settings.packaged = !options.unpackaged;
    if let Some(folder) = &options.binaries {
        Binaries::take(folder);
    }
    listen()?;
    let report = run(settings)?;
    println!("{}", report.markdown());
    match options.out {
        Some(folder) => report.write_to(&folder),
        None => Ok(()),
    }
}
