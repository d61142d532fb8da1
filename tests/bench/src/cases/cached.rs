//! Reads from the client's cache in this process: by one thread, and by two at once.

use std::sync::Barrier;
use std::thread;

use super::super::memory::{CACHED, COARSE, Kept, Reader};
use super::super::plot::{Plot, Shape};
use super::super::rounds;
use super::{Bench, BenchError, Case, Layout, Section, Spread, number};

/// Processor time per read in each round, in ns.
struct Times {
    one: Vec<f64>,
    two: Vec<f64>,
}

pub(super) fn measure(bench: &mut Bench) -> Result<(), BenchError> {
    let kept = Kept::start()?;
    let readers = kept.readers()?;
    let has_two = bench.processors.count() > 1;
    let all = rounds::rounds(bench.settings.rounds, readers.len(), |at| {
        let reader = &readers[at];
        Ok((by_one(bench, reader)?, if has_two { by_two(bench, reader)? } else { f64::NAN }))
    })?;
    let all: Vec<Times> = all.into_iter().map(|rounds| rounds.into_iter().unzip()).map(Times::from).collect();
    let at = |name| readers.iter().position(|reader| reader.name == name).expect("it is one of them");
    let (own, coarse) = (&all[at(CACHED)], &all[at(COARSE)]);
    let only_one = "there is only one processor";
    bench.report.found_or("e.read", Spread::of(own.one.iter().copied()), "no round");
    bench.report.found_or("e.threads", own.against_one().filter(|_| has_two), only_one);

    let against = format!("against {COARSE}, 1 thread");
    let head = ["read", "ns, 1 thread", "ns, 2 threads", "2 threads against 1", &against];
    let mut section = Section::new("Processor time per read", &head);
    let mut bars = Vec::new();
    for (reader, times) in readers.iter().zip(&all) {
        let text = |spread: Option<Spread>| spread.map_or_else(|| "–".to_owned(), |spread| spread.to_string());
        let one = Spread::of(times.one.iter().copied());
        bars.extend(one.map(|one| (reader.name.replace('`', ""), one)));
        section.row([
            reader.name.to_owned(),
            text(one),
            text(Spread::of(times.two.iter().copied()).filter(|_| has_two)),
            text(times.against_one().filter(|_| has_two)),
            text(Spread::ratio(&times.one, &coarse.one)),
        ]);
    }
    section.note(format!(
        "A token of {} bytes that is not replaced meanwhile; each thread on a processor of its own. `Cached::token` and \
         `Cache::token` are awaited, the second finds the name first; both look at the expiry by two coarse clocks, so \
         that suspended time counts as CLOCK_BOOTTIME counts it. The others are what a program would build itself; only \
         those that name a clock look at an expiry.",
        number(super::super::peers::TOKEN_LENGTH as f64)
    ));
    let mark = Some(20.0);
    let title = "Processor time per read, 1 thread, ns".to_owned();
    section.plots.push(Plot { name: "e-reads".to_owned(), title, shape: Shape::Bars { bars, mark } });
    bench.report.add(Case::Cached, section);
    Ok(())
}

fn by_one(bench: &Bench, reader: &Reader) -> Result<f64, BenchError> {
    let _pinned = bench.processors.take(Layout::One)?;
    reader.time(bench.settings.slice)
}

/// The mean of both.
fn by_two(bench: &Bench, reader: &Reader) -> Result<f64, BenchError> {
    let barrier = Barrier::new(2);
    let read = |layout| {
        let pinned = bench.processors.take(layout);
        barrier.wait();
        let _pinned = pinned?;
        reader.time(bench.settings.slice)
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| read(Layout::Two));
        let (one, other) = (read(Layout::One), other.join().expect("its panic has been printed"));
        Ok((one? + other?) / 2.0)
    })
}

impl From<(Vec<f64>, Vec<f64>)> for Times {
    fn from((one, two): (Vec<f64>, Vec<f64>)) -> Self {
        Self { one, two }
    }
}

impl Times {
    /// What a second thread makes of it.
    fn against_one(&self) -> Option<Spread> {
        Spread::ratio(&self.two, &self.one)
    }
}
