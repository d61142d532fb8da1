//! A world in virtual time, from a seed: the daemon's real core, and around it a provider, a network, a disk, peers,
//! an operator and a machine, all of which misbehave.
//!
//! [`run`] plays one such world. Rough and calm weather take turns: in rough weather everything goes wrong by chance,
//! crashes of the daemon after any effect that it carried out included; in calm weather everything has to heal within
//! the time that `lifecycle` computes, and to stay well. Whatever must hold is checked from outside by `invariants`,
//! after each event. The first thing that does not hold ends the run with a [`Failure`], which holds the last events
//! and the command that plays the same world again.
//!
//! Real here: the core with its access rules, the sandbox's provider, and the code that reads the provider's answers.
//! Played: HTTP, the file store (by the contract of its trait), the board, the driver's loop and the socket. Not here
//! at all: watches, `explain`, and the wire format.

mod access;
mod changes;
mod clockwork;
mod daemon;
mod delivery;
mod disk;
mod effects;
mod engine;
mod faults;
mod invariants;
mod journal;
mod lifecycle;
mod machine;
mod network;
mod oddities;
mod operator;
mod peers;
mod rare_events;
mod rng;
mod totals;
mod traffic;
mod wire;
mod world;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use engine::Simulation;
pub use totals::Totals;

/// How big the world is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// One profile of each kind and short lives, in calm weather: for a walk through all crash points.
    One,
    /// Whatever the seed says.
    Many,
}

/// What to play.
#[derive(Debug, Clone)]
pub struct Plan {
    /// All chance follows from it.
    pub seed: u64,
    /// Virtual time.
    pub span: Duration,
    /// How big the world is.
    pub kept: Kept,
    /// Crash once, after so many effects, and reboot the machine or not.
    pub crash_after: Option<(u64, bool)>,
    /// Print every event to standard error.
    pub aloud: bool,
}

impl Plan {
    /// A world by this seed for so many days.
    #[must_use]
    pub fn new(seed: u64, days: f64) -> Self {
        let span = Duration::from_secs_f64(days * 86_400.0);
        Self { seed, span, kept: Kept::Many, crash_after: None, aloud: false }
    }

    /// The small world for a walk through all crash points.
    #[must_use]
    pub fn small(seed: u64, hours: u64) -> Self {
        let span = Duration::from_secs(hours * 3600);
        Self { seed, span, kept: Kept::One, crash_after: None, aloud: false }
    }

    /// The command that plays this again.
    fn command(&self) -> String {
        let days = self.span.as_secs_f64() / 86_400.0;
        let mut command = format!(
            "cargo run -p tokend-tests-simulation --bin simulate -- --seeds 1 --seed {} --days {days} --verbose",
            self.seed
        );
        if self.kept == Kept::One {
            command += " --small";
        }
        if let Some((effects, reboot)) = self.crash_after {
            command += &format!(" --crash-after {effects}{}", if reboot { " --reboot" } else { "" });
        }
        command
    }
}

/// Something did not hold.
#[derive(Debug, Clone)]
pub struct Failure {
    /// In which world.
    pub seed: u64,
    /// The word for what did not hold.
    pub rule: &'static str,
    /// That word, and what happened.
    pub what: String,
    /// Where it stood, for people: plan, time and the last events.
    pub report: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.what, self.report)
    }
}

impl std::error::Error for Failure {}

/// Plays a world to its end.
///
/// # Errors
/// At the first thing that does not hold.
pub fn run(plan: &Plan) -> Result<Totals, Box<Failure>> {
    Simulation::new(plan.clone()).play()
}

/// Plays many worlds on as many threads, and says what became of those that failed, in no order. `go_on` says whether
/// any more are begun after a failure.
///
/// # Panics
/// If a world panics.
pub fn run_all(
    plans: impl Iterator<Item = Plan> + Send,
    threads: NonZeroUsize,
    go_on: impl Fn(&Failure) -> bool + Sync,
) -> (Totals, Vec<Failure>) {
    let plans = Mutex::new(Some(plans));
    let next = || plans.lock().expect("no world panics in here").as_mut().and_then(Iterator::next);
    let work = || {
        let (mut totals, mut failures) = (Totals::default(), Vec::new());
        while let Some(plan) = next() {
            match run(&plan) {
                Ok(of_run) => totals.add(&of_run),
                Err(failure) => {
                    if !go_on(&failure) {
                        *plans.lock().expect("as above") = None;
                    }
                    failures.push(*failure);
                }
            }
        }
        (totals, failures)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.get()).map(|_| scope.spawn(work)).collect();
        let (mut totals, mut failures) = (Totals::default(), Vec::new());
        for worker in workers {
            let (of_worker, failed) = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            totals.add(&of_worker);
            failures.extend(failed);
        }
        (totals, failures)
    })
}
