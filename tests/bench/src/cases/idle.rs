//! What is there when nothing happens: memory of connections, and wake-ups.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::super::generator::Lines;
use super::super::interrupt;
use super::super::peers::{self, MEMCACHED, REDIS, TOKEND, TOKIO};
use super::super::plot::{Plot, Shape};
use super::{Bench, BenchError, Case, Cost, Section, Spread, note_missing, number};
use harness::{Daemon, Procfs, Stopwatch};

/// `WatchdogSec=` of the unit, in seconds.
const WATCHDOG: u64 = 60;

/// What wake-ups are counted for: less says nothing about so few.
const MINUTE: Duration = Duration::from_secs(60);

/// Longer than a connection to the provider is kept for another request, 15 s; shorter than a round of the watchdog, 30
/// s.
const KEPT_CONNECTION: Duration = Duration::from_secs(18);

pub(super) fn measure(bench: &mut Bench) -> Result<(), BenchError> {
    connections(bench)?;
    wake_ups(bench)
}

fn connections(bench: &mut Bench) -> Result<(), BenchError> {
    // New ones: the memory of connections that have gone is used again.
    bench.peers = None;
    let peers = bench.take_peers()?;
    let number_of = bench.settings.idle_connections;
    let head = ["server", "KiB per connection", "KiB before", "KiB with them"];
    let mut section =
        Section::new(format!("Memory of {} connections that have asked once", number(number_of as f64)), &head);
    let mut bars = Vec::new();
    for peer in peers.named(&[TOKEND, TOKIO, REDIS, MEMCACHED]) {
        let inside = Procfs::of(peer.pid());
        drop(Lines::open(&peer.exchange, &peer.socket, 1)?);
        let before = inside.resident_kib();
        let lines = Lines::open(&peer.exchange, &peer.socket, number_of)?;
        let with = inside.resident_kib();
        drop(lines);
        let each = Spread::single((with as f64 - before as f64) / number_of as f64);
        if peer.name == TOKEND {
            bench.report.found("f.connection", Ok(each));
        }
        section.row([peer.name.to_owned(), each.to_string(), number(before as f64), number(with as f64)]);
        bars.push((peer.name.to_owned(), each));
    }
    section.note("Resident memory of the process; what the kernel holds for a socket is not in it.");
    note_missing(&mut section, &peers.missing);
    let title = "Resident memory of an idle connection, KiB".to_owned();
    section.plots.push(Plot { name: "f-connections".to_owned(), title, shape: Shape::Bars { bars, mark: None } });
    bench.report.add(Case::Idle, section);
    Ok(())
}

fn wake_ups(bench: &mut Bench) -> Result<(), BenchError> {
    let world = peers::world();
    world.configure("", &[world.central(peers::NAME)]);
    let notify = world.path("notify");
    let manager = UnixDatagram::bind(&notify).map_err(BenchError::file(&notify))?;
    let watchdog = (WATCHDOG * 1_000_000).to_string();
    let mut daemon = Daemon::spawn_with(&world.config(), &world.log(), |command| {
        command.env("NOTIFY_SOCKET", &notify).env("WATCHDOG_USEC", watchdog).args(["--log", "info"])
    });
    daemon.listens(&world.socket());
    let _ = world.ctl().token(peers::NAME);
    let span = bench.settings.idle;
    // What follows a token: its record for the next start, the status line, the end of its connection.
    Cost::at_rest(daemon.pid(), KEPT_CONNECTION.min(span))?;
    let (watch, before) = (Stopwatch::start(), Cost::of(daemon.pid()));
    // Nothing is waited for: this is the time in which wake-ups are counted.
    interrupt::sleep(span)?;
    let cost = Cost::of(daemon.pid()).since(before);
    let minutes = watch.elapsed().as_secs_f64() / 60.0;
    let wakeups = cost.wakeups as f64 / minutes;
    let found = Some(Spread::single(wakeups)).filter(|_| span >= MINUTE);
    bench.report.found_or("f.wakeups", found, "it was watched for less than a minute");
    let mut section = Section::new("An idle daemon", &["wake-ups a minute", "processor time a minute, µs"]);
    section.row([number(wakeups), number(cost.nanos as f64 / 1_000.0 / minutes)]);
    section.note(format!(
        "One profile with two hours to go, `WatchdogSec={WATCHDOG}`, watched for {} s: voluntary context switches of all threads.",
        number(span.as_secs_f64())
    ));
    bench.report.add(Case::Idle, section);
    drop(manager);
    Ok(())
}
