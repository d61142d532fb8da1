//! The real daemon, killed with SIGKILL again and again amid its work, and what must hold each time it is back.
//!
//! A [`Campaign`] runs several worlds side by side. In each a sandbox issues tokens that live 2 to 4 seconds and delays
//! the replies to Classic refreshes by 0 to 200 ms; a daemon keeps a central, a glp, a warm tenant and four Classic
//! names; peers read them all the while through the client, which reconnects by itself. The daemon is killed at random
//! moments: while it starts, while nothing special happens, a moment after a refresh has reached the provider, amid an
//! import; and of those that had come up some amid or after reloads, by signal and by a peer, of the same file and of
//! one with a change that concerns nobody. With one kill in three the power fails, where the state folder lies on a
//! disk of its own (`disk`): nothing survives that was not fsynced. After each kill the files of the state folder are
//! read, and after each restart it is waited for until every peer has a working token again.
//!
//! With `journald` the daemons log into a real journald (`journald`), which is stopped for up to 8 seconds and goes on
//! for up to 3, in turn: nothing of the below may depend on it.
//!
//! What must hold: no peer's call fails within its wait, but for a Classic name that is without a chain; no token is
//! dead when it is given, unless flagged; a chain is only lost when the provider issued a pair that stood in no file of
//! the state folder after a kill, under whatever name, and nobody has seen that pair; what a crash leaves is whole; one
//! login at most per client, after a definite refusal; a lost chain is recovered by its login or, named as lost, by an
//! import.
//!
//! The schedule follows from the seed; what the processes make of it does not: a run cannot be replayed. What can be
//! is the simulation's.

mod bytes;
mod classic;
mod disk;
mod journald;
mod ledger;
mod peers;
mod report;
mod rng;
mod scenario;
mod snapshot;

pub use report::Report;
use tokend::log::LogFormat;

use harness::Binaries;
use harness::reading::Stop;
use journald::Journald;

/// A run.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// What the schedule follows from.
    pub seed: u64,
    /// How often a daemon is killed, over all worlds.
    pub kills: u64,
    /// Worlds side by side.
    pub worlds: u64,
    /// The daemons log into a journald that is stopped and goes on at random. It needs what a
    /// [`Machine`](machine::Machine) needs.
    pub journald: bool,
}

impl Campaign {
    /// Runs it; the report has all worlds' totals.
    ///
    /// # Panics
    /// When the daemon does not build, or a world panics.
    #[must_use]
    pub fn run(self) -> Report {
        // Not on the peers' time.
        let _ = Binaries::built();
        let worlds = self.worlds.max(1);
        let share = |world: u64| self.kills / worlds + u64::from(world < self.kills % worlds);
        let mut total = Report::default();
        let journald = self.journald.then(Journald::boot);
        let stop = Stop::default();
        std::thread::scope(|scope| {
            let _guard = stop.on_drop();
            if let Some(journald) = &journald {
                scope.spawn(|| journald.storm(self.seed, &stop));
            }
            let log = if self.journald { LogFormat::Journald } else { LogFormat::Text };
            let start = |world| scope.spawn(move || scenario::run(self.seed.wrapping_add(world), share(world), log));
            let running: Vec<_> = (0..worlds).map(start).collect();
            for world in running {
                total += world.join().expect("a world's panic is this one's");
            }
        });
        if let Some(journald) = journald {
            total.journald_stops = journald.stops();
            total.journald_lines = journald.lines();
        }
        total
    }
}
