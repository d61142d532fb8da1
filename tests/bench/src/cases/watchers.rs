//! Very many watchers of one name: from the provider's answer to the last one served.

use super::super::broadcast_clients::{self, LIFE, Told};
use super::super::peers::REDIS;
use super::super::plot::{Plot, Shape};
use super::super::serve::Kind;
use super::{Bench, BenchError, Case, Done, Layout, Section, Spread, compare, note_missing, number};

/// In tables.
const TOKIO: &str = "bare tokio, `watch`";
const BLOCKING: &str = "blocking, one write after the other";

pub(super) fn measure(bench: &mut Bench) -> Result<(), BenchError> {
    let others = bench.take_peers()?;
    let number_of = bench.settings.watchers;
    let world = broadcast_clients::world();
    let (tokend, provider) = broadcast_clients::tokend(&world, number_of)?;
    let program = &bench.settings.program;
    let tokio = broadcast_clients::own(program, &world, Kind::SpreadTokio, TOKIO)?;
    let blocking = broadcast_clients::own(program, &world, Kind::SpreadBlocking, BLOCKING)?;
    let mut all = vec![Told::by_tokend(&tokend, provider, number_of)?];
    for own in [&tokio, &blocking] {
        all.push(Told::by_own(own, number_of)?);
    }
    for redis in others.named(&[REDIS]) {
        all.push(Told::by_redis(redis, number_of)?);
    }
    let layouts = [(Layout::One, "one processor"), (Layout::Two, "server and watchers on a processor each")];
    for (layout, words) in layouts.into_iter().take(bench.processors.count().min(2)) {
        let done = tell(bench, &mut all, layout)?;
        let mut section = table(format!("{} watchers, {words}", number(number_of as f64)), &done);
        if layout == Layout::One {
            let last = |done: &Done| Spread::of(last(done).into_iter().map(|nanos| nanos / 1e6));
            let bars = done.iter().filter_map(|done| Some((done.name.replace('`', ""), last(done)?))).collect();
            let title =
                format!("From the news to the last of {} watchers, ms, one processor", number(number_of as f64));
            let shape = Shape::Bars { bars, mark: None };
            section.plots.push(Plot { name: "h-watchers".to_owned(), title, shape });
            section.note(format!(
                "Each watcher has a connection of its own; one thread reads them all, and finds the new token in what each \
                 of them has got when all have. tokend: from the provider's first byte to the last watcher's last byte, so \
                 that the provider's answer is read, judged and encoded in that time; its processor time has in it what it does in all the {LIFE} s from one token \
                 to the next, the request for it included. Redis: \
                 from `PUBLISH` of a token of the same size to the last of as many subscribers. The servers of our own \
                 write the bytes of tokend's frame when they are told to."
            ));
            note_missing(&mut section, &others.missing);
        }
        bench.report.add(Case::Watchers, section);
    }
    drop(all);
    bench.peers = Some(others);
    Ok(())
}

fn tell(bench: &Bench, all: &mut [Told<'_>], layout: Layout) -> Result<Vec<Done>, BenchError> {
    let peers: Vec<_> = all.iter().map(|told| told.peer).collect();
    let mut round = 0;
    compare(bench, &peers, layout, |at| {
        round += 1;
        all[at].tell(&broadcast_clients::token(round))
    })
}

/// When the last watcher was served in each round, in ns.
fn last(done: &Done) -> Vec<f64> {
    done.slices.iter().map(|slice| slice.nanos as f64).collect()
}

fn table(title: String, all: &[Done]) -> Section {
    let head = [
        "server",
        "time to the last, against Redis",
        "ms to the last",
        "ms to the middle one",
        "its processor time per watcher, µs",
        "the same against Redis",
    ];
    let mut section = Section::new(title, &head);
    let redis = all.iter().find(|done| done.name == REDIS);
    let text = |spread: Option<Spread>| spread.map_or_else(|| "–".to_owned(), |spread| spread.to_string());
    let millis = |nanos: Vec<f64>| text(Spread::of(nanos.into_iter().map(|nanos| nanos / 1e6)));
    for done in all {
        section.row([
            done.name.to_owned(),
            text(redis.and_then(|redis| Spread::ratio(&last(done), &last(redis)))),
            millis(last(done)),
            millis(done.within(0.5)),
            text(Spread::of(done.cost.iter().map(|nanos| nanos / 1_000.0))),
            text(redis.and_then(|redis| Spread::ratio(&done.cost, &redis.cost))),
        ]);
    }
    section
}
