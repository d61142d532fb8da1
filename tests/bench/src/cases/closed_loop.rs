//! Connections that stay: throughput and latencies by their number.

use super::super::generator::Lines;
use super::super::peers::{BLOCKING, MEMCACHED, Peers, REDIS, TOKEND, TOKIO};
use super::super::plot::{Plot, Shape};
use super::super::stats::grouped;
use super::{Bench, BenchError, Case, Done, Layout, NOT_THERE, ONE, Spread, compare, note_missing, ratio, table};
use crate::Settings;

/// Numbers of connections.
const SIZES: [usize; 5] = [1, 2, 16, 64, Settings::MANY];

/// A thread for each connection is no server for more.
const MOST_THREADS: usize = 64;

pub(super) fn measure(bench: &mut Bench) -> Result<(), BenchError> {
    let peers = bench.take_peers()?;
    let sizes: Vec<usize> = SIZES.into_iter().filter(|size| *size <= bench.settings.most_connections).collect();
    let mut ratios: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    let mut tails: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for (at, size) in sizes.iter().copied().enumerate() {
        let all = ask(bench, &peers, size, Layout::One)?;
        for done in &all {
            if let Some(ratio) = ratio(&all, done.name, TOKIO) {
                add(&mut ratios, done.name, (at as f64, ratio.middle));
            }
            add(&mut tails, done.name, (at as f64, done.within_all(0.99) / 1_000.0));
        }
        let mut aim = |key, to| {
            let found = ratio(&all, TOKEND, to);
            bench.report.found_or(key, found, NOT_THERE);
        };
        match size {
            1 => [("a.tokio.1", TOKIO), ("a.blocking.1", BLOCKING), ("a.redis.1", REDIS)]
                .map(|(key, to)| aim(key, to))
                .len(),
            64 => [("a.tokio.64", TOKIO), ("a.redis.64", REDIS), ("a.memcached.64", MEMCACHED)]
                .map(|(key, to)| aim(key, to))
                .len(),
            Settings::MANY => [("a.tokio.1000", TOKIO)].map(|(key, to)| aim(key, to)).len(),
            _ => 0,
        };
        let mut section = table(format!("{}, one processor", connections(size)), &all, TOKIO);
        if at == 0 {
            note_missing(&mut section, &peers.missing);
        }
        if at + 1 == sizes.len() {
            let places: Vec<String> = sizes.iter().map(|size| grouped(*size as f64)).collect();
            let lines = |name: &str, title: &str, axis: &str, series: &[_], logarithmic| Plot {
                name: name.to_owned(),
                title: title.to_owned(),
                shape: Shape::Lines {
                    series: series.to_vec(),
                    axes: ["connections".to_owned(), axis.to_owned()],
                    places: places.clone(),
                    logarithmic,
                },
            };
            section.plots.push(lines("a-throughput", "Throughput against bare tokio", "ratio", &ratios, false));
            section.plots.push(lines("a-p99", "p99 of a read, saturated", "µs", &tails, true));
        }
        bench.report.add(Case::ClosedLoop, section);
    }
    tail(bench, &peers)?;
    bench.peers = Some(peers);
    Ok(())
}

/// The tail with server and load on a processor each.
fn tail(bench: &mut Bench, peers: &Peers) -> Result<(), BenchError> {
    let size = bench.settings.most_connections;
    if bench.processors.count() < 2 {
        bench.report.found("a.p99", Err("there is only one processor".to_owned()));
        return Ok(());
    }
    let all = ask(bench, peers, size, Layout::Two)?;
    let of = |name| all.iter().find(|done| done.name == name).map(|done| done.within(0.99));
    let found = of(TOKEND).zip(of(TOKIO)).and_then(|(of, to)| Spread::ratio(&of, &to));
    if size == Settings::MANY {
        bench.report.found_or("a.p99", found, NOT_THERE);
    }
    let mut section = table(format!("{}, server and load on a processor each", connections(size)), &all, TOKIO);
    if let Some(found) = found {
        section.note(format!("p99 against bare tokio: {found}"));
    }
    bench.report.add(Case::ClosedLoop, section);
    Ok(())
}

fn ask(bench: &Bench, peers: &Peers, size: usize, layout: Layout) -> Result<Vec<Done>, BenchError> {
    let mut names = vec![TOKEND, TOKIO, BLOCKING, REDIS, MEMCACHED];
    names.retain(|name| *name != BLOCKING || size <= MOST_THREADS);
    let peers = peers.named(&names);
    let mut lines = Vec::with_capacity(peers.len());
    for peer in &peers {
        lines.push(Lines::open(&peer.exchange, &peer.socket, size)?);
    }
    let factor = match layout {
        Layout::Two => Settings::ON_TWO,
        Layout::One if size >= Settings::MANY => Settings::AT_MANY,
        Layout::One => 1,
    };
    let span = bench.settings.slice * factor;
    compare(bench, &peers, layout, |at| lines[at].ask(ONE, span))
}

fn add(series: &mut Vec<(String, Vec<(f64, f64)>)>, name: &str, point: (f64, f64)) {
    match series.iter_mut().find(|(known, _)| known == name) {
        Some((_, points)) => points.push(point),
        None => series.push((name.to_owned(), vec![point])),
    }
}

fn connections(number: usize) -> String {
    match number {
        1 => "1 connection".to_owned(),
        _ => format!("{} connections", grouped(number as f64)),
    }
}
