//! The benchmark: tokend beside its peers, in the same run, under the same load.
//!
//! The machine that it runs on is somebody else's too, and no absolute figure of it means much. So every server gets a
//! short slice of time in each round, in another order each time, and what counts is the median of the ratios of the
//! slices of one round. One thread of ours is the load on all of them; it knows bytes and no protocol. Servers and load
//! share one processor unless a table says otherwise.
//!
//! [`run`] measures some [`Case`]s or all and makes a [`Report`]. Nothing here says whether a figure is good enough but
//! [`aims`], and no test depends on that.

pub mod aims;
mod broadcast_clients;
mod broadcast_servers;
mod cases;
mod error;
mod exchange;
pub mod flood;
mod generator;
mod interrupt;
mod machine;
mod memory;
mod peers;
mod plot;
mod processors;
mod report;
mod rounds;
pub mod serve;
mod settings;
mod stats;
mod waiters;

pub use cases::Case;
pub use error::BenchError;
pub use exchange::Exchange;
pub use interrupt::{caught, listen};
pub use processors::{Cost, Layout, Processors};
pub use report::Report;
pub use settings::Settings;
pub use stats::Spread;

use self::machine::Machine;
use self::peers::Peers;

/// Descriptors that are not for idle connections: tokend keeps some back beside its own limit.
const SPARE_DESCRIPTORS: usize = 600;

/// A run in progress.
struct Bench {
    settings: Settings,
    processors: Processors,
    report: Report,
    /// Started with the first case that needs them.
    peers: Option<Peers>,
}

/// Measures what these settings say.
///
/// # Errors
/// When something that has to be there is not, or does not work. A peer that is not installed is no error: the report
/// says that it is missing.
pub fn run(mut settings: Settings) -> Result<Report, BenchError> {
    let descriptors = usize::try_from(harness::raise_descriptor_limit()).unwrap_or(usize::MAX);
    settings.idle_connections = settings.idle_connections.min(descriptors.saturating_sub(SPARE_DESCRIPTORS));
    let processors = Processors::of_this_process()?;
    let report = Report::new(Machine::here(processors.count()), &settings);
    let mut bench = Bench { settings, processors, report, peers: None };
    for case in bench.settings.cases.clone() {
        interrupt::check()?;
        eprintln!("{}. {}", case.letter(), case.title());
        case.measure(&mut bench)?;
    }
    Ok(bench.report)
}

impl Bench {
    /// The servers, running. They are taken out for as long as a case needs them, and put back.
    fn take_peers(&mut self) -> Result<Peers, BenchError> {
        match self.peers.take() {
            Some(peers) => Ok(peers),
            None => {
                Peers::start(&self.settings.program, self.settings.most_connections.max(self.settings.idle_connections))
            }
        }
    }
}
