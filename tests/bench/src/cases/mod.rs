//! What is measured: a file for each case.

mod cached;
mod closed_loop;
mod floods;
mod growth;
mod idle;
mod new_connections;
mod one_shot;
mod pipelined;
mod start;
mod tls;
mod watchers;

use super::generator::{Slice, Window};
use super::peers::Peer;
use super::report::Section;
use super::stats::{Spread, number, quantile};
use super::{Bench, BenchError, Cost, Layout, Settings, rounds};

/// One of the things that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    /// Connections that stay, each with one request at a time.
    ClosedLoop,
    /// Several requests at a time on a connection.
    Pipelined,
    /// A connection for each request.
    NewConnections,
    /// A process for each request.
    OneShot,
    /// Reads from the client's cache in the same process.
    Cached,
    /// What is there when nothing happens, and how long it takes to be there.
    Idle,
    /// Very many names.
    Growth,
    /// Very many watchers.
    Watchers,
    /// One user who asks without an end.
    Floods,
}

impl Case {
    /// All, in the order of the report.
    pub const ALL: [Self; 9] = [
        Self::ClosedLoop,
        Self::Pipelined,
        Self::NewConnections,
        Self::OneShot,
        Self::Cached,
        Self::Idle,
        Self::Growth,
        Self::Watchers,
        Self::Floods,
    ];

    /// As on the command line.
    #[must_use]
    pub fn letter(self) -> char {
        let at = Self::ALL.iter().position(|case| *case == self).expect("it has them all");
        char::from(b'a' + at as u8)
    }

    /// The case of a letter.
    #[must_use]
    pub fn of_letter(letter: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|case| letter.chars().eq([case.letter()]))
    }

    /// In words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::ClosedLoop => "Connections that stay, one request at a time on each",
            Self::Pipelined => "Several requests at a time on a connection",
            Self::NewConnections => "A new connection for each request",
            Self::OneShot => "A process for each request",
            Self::Cached => "Reads from the client's cache",
            Self::Idle => "At rest: memory, wake-ups, start",
            Self::Growth => "Very many names",
            Self::Watchers => "Very many watchers",
            Self::Floods => "One user who asks without an end",
        }
    }

    pub(super) fn measure(self, bench: &mut Bench) -> Result<(), BenchError> {
        match self {
            Self::ClosedLoop => closed_loop::measure(bench),
            Self::Pipelined => pipelined::measure(bench),
            Self::NewConnections => new_connections::measure(bench),
            Self::OneShot => one_shot::measure(bench),
            Self::Cached => cached::measure(bench),
            Self::Idle => idle::measure(bench).and_then(|()| start::measure(bench)),
            Self::Growth => growth::measure(bench),
            Self::Watchers => watchers::measure(bench),
            Self::Floods => floods::measure(bench),
        }
    }
}

/// What one server did in all rounds.
pub(super) struct Done {
    name: &'static str,
    slices: Vec<Slice>,
    /// Processor time of the server for each request, in ns, by round.
    cost: Vec<f64>,
    /// The same of the server and the load together.
    whole_cost: Vec<f64>,
}

impl Done {
    fn rates(&self) -> Vec<f64> {
        self.slices.iter().map(Slice::rate).collect()
    }

    /// The time in which this share of the requests of each round was answered, in ns.
    fn within(&self, share: f64) -> Vec<f64> {
        let of_one = |slice: &Slice| {
            let mut sorted = slice.latencies.clone();
            sorted.sort_unstable();
            quantile(&sorted, share).map(f64::from)
        };
        self.slices.iter().filter_map(of_one).collect()
    }

    /// The same of the requests of all rounds together: for shares that one round has too few requests for.
    fn within_all(&self, share: f64) -> f64 {
        let mut sorted: Vec<u32> = self.slices.iter().flat_map(|slice| slice.latencies.iter().copied()).collect();
        sorted.sort_unstable();
        quantile(&sorted, share).map_or(0.0, f64::from)
    }
}

/// Has each server answer in turn, in rounds.
pub(super) fn compare(
    bench: &Bench,
    peers: &[&Peer],
    layout: Layout,
    mut ask: impl FnMut(usize) -> Result<Slice, BenchError>,
) -> Result<Vec<Done>, BenchError> {
    let _pinned = bench.processors.take(layout)?;
    for peer in peers {
        bench.processors.give_to(peer.pid())?;
    }
    let all = rounds::rounds(bench.settings.rounds, peers.len(), |at| {
        let (before, load_before) = (Cost::of(peers[at].pid()), Cost::of_this_thread());
        let slice = ask(at)?;
        let load = Cost::of_this_thread() - load_before;
        let server = Cost::of(peers[at].pid()).since(before).nanos;
        let each = |nanos: u64| nanos as f64 / slice.answered.max(1) as f64;
        Ok(((each(server), each(server + load)), slice))
    })?;
    Ok(peers
        .iter()
        .zip(all)
        .map(|(peer, rounds)| {
            let (costs, slices): (Vec<_>, _) = rounds.into_iter().unzip();
            let (cost, whole_cost) = costs.into_iter().unzip();
            Done { name: peer.name, slices, cost, whole_cost }
        })
        .collect())
}

/// The ratios of one server's throughput to another's.
pub(super) fn ratio(all: &[Done], of: &str, to: &str) -> Option<Spread> {
    let find = |name| all.iter().find(|done| done.name == name);
    Spread::ratio(&find(of)?.rates(), &find(to)?.rates())
}

/// The same by processor time: how many requests one second of it is enough for, at the server and the load together.
/// On one processor that is the throughput that nobody else has disturbed.
fn ratio_undisturbed(all: &[Done], of: &str, to: &str) -> Option<Spread> {
    let find = |name| all.iter().find(|done| done.name == name);
    Spread::ratio(&find(to)?.whole_cost, &find(of)?.whole_cost)
}

/// A table of what servers did; the ratios are to `base`.
pub(super) fn table(title: String, all: &[Done], base: &str) -> Section {
    let against = format!("throughput against {base}");
    let head = [
        "server",
        &against,
        "the same by processor time",
        "requests/s",
        "p50 µs",
        "p99 µs",
        "p99.9 µs",
        "its processor time per request, µs",
    ];
    let mut section = Section::new(title, &head);
    for done in all {
        let micros = |nanos: f64| number(nanos / 1_000.0);
        let middle = |of: Vec<f64>| Spread::of(of).map_or_else(String::new, |spread| spread.to_string());
        section.row([
            done.name.to_owned(),
            ratio(all, done.name, base).map_or_else(String::new, |spread| spread.to_string()),
            ratio_undisturbed(all, done.name, base).map_or_else(String::new, |spread| spread.to_string()),
            middle(done.rates()),
            micros(done.within_all(0.5)),
            micros(done.within_all(0.99)),
            micros(done.within_all(0.999)),
            middle(done.cost.iter().map(|nanos| nanos / 1_000.0).collect()),
        ]);
    }
    section
}

/// Says which peers are missing.
pub(super) fn note_missing(section: &mut Section, missing: &[(&'static str, String)]) {
    for (name, why) in missing {
        section.note(format!("**{name} is missing**: {why}"));
    }
}

/// Why a peer's figure is missing.
pub(super) const NOT_THERE: &str = "the peer is missing";

/// One request at a time.
pub(super) const ONE: Window = Window::Burst(1);
