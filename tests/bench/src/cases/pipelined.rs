//! Several requests at a time on a connection.

use super::super::generator::{Lines, Window};
use super::super::peers::{MEMCACHED, REDIS, TOKEND, TOKIO};
use super::{Bench, BenchError, Case, Layout, NOT_THERE, compare, note_missing, ratio, table};

/// Connections, how many requests each has, and in words.
const SHAPES: [(usize, Window, &str); 4] = [
    (16, Window::Burst(16), "16 connections, 16 requests in one write on each"),
    (1, Window::Burst(16), "1 connection, 16 requests in one write"),
    (1, Window::Sliding(16), "1 connection, always 16 requests unanswered"),
    (1, Window::Sliding(64), "1 connection, always 64 requests unanswered"),
];

pub(super) fn measure(bench: &mut Bench) -> Result<(), BenchError> {
    let peers = bench.take_peers()?;
    let named = peers.named(&[TOKEND, TOKIO, REDIS, MEMCACHED]);
    for (at, (connections, window, words)) in SHAPES.into_iter().enumerate() {
        let mut lines = Vec::with_capacity(named.len());
        for peer in &named {
            lines.push(Lines::open(&peer.exchange, &peer.socket, connections)?);
        }
        let span = bench.settings.slice;
        let all = compare(bench, &named, Layout::One, |at| lines[at].ask(window, span))?;
        let mut section = table(words.to_owned(), &all, REDIS);
        if at == 0 {
            bench.report.found_or("b.redis", ratio(&all, TOKEND, REDIS), NOT_THERE);
            section.note("The bare tokio server reads one request at a time and answers it.");
            note_missing(&mut section, &peers.missing);
        }
        bench.report.add(Case::Pipelined, section);
    }
    bench.peers = Some(peers);
    Ok(())
}
