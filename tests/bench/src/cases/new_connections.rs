//! A new connection for each request, as a program has it that reads one token and ends.

use super::super::generator::ask_on_a_new_connection;
use super::super::peers::{BLOCKING, MEMCACHED, OIDC_AGENT, REDIS, TOKEND, TOKIO};
use super::super::plot::{Plot, Shape};
use super::{Bench, BenchError, Case, Layout, NOT_THERE, compare, note_missing, ratio, table};

pub(super) fn measure(bench: &mut Bench) -> Result<(), BenchError> {
    let peers = bench.take_peers()?;
    let named = peers.named(&[TOKEND, TOKIO, BLOCKING, REDIS, MEMCACHED, OIDC_AGENT]);
    let span = bench.settings.slice;
    let all = compare(bench, &named, Layout::One, |at| {
        ask_on_a_new_connection(&named[at].exchange, &named[at].socket, span)
    })?;
    bench.report.found_or("c.redis", ratio(&all, TOKEND, REDIS), NOT_THERE);
    bench.report.found_or("c.oidc", ratio(&all, TOKEND, OIDC_AGENT), NOT_THERE);
    let mut section = table("One at a time, one processor".to_owned(), &all, TOKIO);
    note_missing(&mut section, &peers.missing);
    let bars = all.iter().filter_map(|done| Some((done.name.to_owned(), ratio(&all, done.name, TOKIO)?))).collect();
    section.plots.push(Plot {
        name: "c-new-connections".to_owned(),
        title: "A new connection for each request: throughput against bare tokio".to_owned(),
        shape: Shape::Bars { bars, mark: Some(1.0) },
    });
    bench.report.add(Case::NewConnections, section);
    bench.peers = Some(peers);
    Ok(())
}
