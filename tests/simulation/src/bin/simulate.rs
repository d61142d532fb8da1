//! Plays worlds in virtual time and says what became of the promises.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use simulation::{Plan, run_all};

/// Simulate tokend with everything around it misbehaving.
///
/// Each seed is a world of its own. The first promise that is broken ends a run: it is printed with the last events and
/// the command that plays the same world again, and the status is 1.
#[derive(Parser)]
struct Options {
    /// Worlds to play.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Virtual days in each.
    #[arg(long, default_value_t = 30.0)]
    days: f64,
    /// The first world's seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Worlds that are played at a time.
    #[arg(long, default_value_t = NonZeroUsize::MIN)]
    threads: NonZeroUsize,
    /// Print every event.
    #[arg(long)]
    verbose: bool,
    /// The small world of the walk through all crash points.
    #[arg(long)]
    small: bool,
    /// In the small world: crash after so many effects.
    #[arg(long, value_name = "EFFECTS", requires = "small")]
    crash_after: Option<u64>,
    /// And reboot the machine.
    #[arg(long, requires = "crash_after")]
    reboot: bool,
    /// Go on after a broken promise, with the next seed.
    #[arg(long)]
    keep_going: bool,
    /// Go on until this rule is broken.
    #[arg(long, value_name = "WORD", conflicts_with = "keep_going")]
    rule: Option<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let plan = |seed| {
        let mut plan = if options.small { Plan::small(seed, 0) } else { Plan::new(seed, options.days) };
        plan.span = Duration::from_secs_f64(options.days * 86_400.0);
        plan.crash_after = options.crash_after.map(|effects| (effects, options.reboot));
        plan.aloud = options.verbose;
        plan
    };
    let seeds = options.seed..options.seed.saturating_add(options.seeds);
    let (totals, failures) = run_all(seeds.map(plan), options.threads, |failure| {
        let goes_on = match &options.rule {
            Some(rule) => failure.rule != rule,
            None => options.keep_going,
        };
        if options.keep_going || options.rule.is_some() {
            println!("seed {}: {}", failure.seed, failure.what);
        } else {
            eprintln!("{failure}");
        }
        goes_on
    });
    println!("{totals}\nviolations           {}", failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
