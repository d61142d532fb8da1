//! Very many tenants that are kept fresh.
//!
//! Tenants' tokens live for 300 s here instead of 900 s, so that two generations of them fit into some minutes, and the
//! limiter is as much faster. Shorter lives would bend the schedule: a token is renewed 60 s before its end at the
//! latest, and at 300 s its usual place is still before that.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use tokend_proto::{Millis, Request, codec};

use super::super::peers::{self, TOKEN_LENGTH, TOKEND};
use super::super::plot::{Plot, Shape};
use super::super::{Exchange, interrupt};
use super::{Bench, BenchError, Case, Cost, Section, Spread, number};
use harness::{Daemon, Procfs, Stopwatch, World};
use sandbox::{Endpoint, Lives};

/// A tenant's token lives this long here, in seconds.
const LIFE: u64 = 300;

/// How much sooner everything happens than with the provider's 900 s.
const FASTER: u64 = 3;

/// The share of its life after which a token is renewed at the earliest.
const AT: f64 = 0.66;

/// The limiter's usual rate, in requests a second.
const USUAL_RATE: u64 = 5;

/// What is asked for beyond what is needed: a limiter at its limit never gets through.
const HEADROOM: f64 = 1.2;

/// Between two looks. What is measured is a span of time, and this is how finely it is drawn.
const LOOK: Duration = Duration::from_millis(250);

/// What the aims are about.
const MANY: usize = 10_000;

const PROFILE: &str = "msp";

/// A daemon with so many tenants, and what was seen of it.
struct Grown {
    tenants: usize,
    rate: u64,
    world: World,
    daemon: Daemon,
    /// The service manager's end: with one, tokens are kept for the next start, which is work too.
    manager: UnixDatagram,
    first: String,
    /// Exchanges so far, by look.
    exchanges: Vec<(f64, u64)>,
    /// When all were fresh for the first time, and what that took.
    fresh: Option<(f64, Cost)>,
}

pub(super) fn measure(bench: &mut Bench) -> Result<(), BenchError> {
    let mut all: Vec<Grown> =
        bench.settings.tenants.iter().map(|tenants| Grown::start(*tenants)).collect::<Result<_, _>>()?;
    let watch = Stopwatch::start();
    while watch.elapsed() < bench.settings.growth {
        for grown in &mut all {
            grown.look(watch.elapsed().as_secs_f64());
        }
        interrupt::sleep(LOOK)?;
    }
    let seconds = watch.elapsed().as_secs_f64();
    let head = [
        "warm tenants",
        "requests/s allowed",
        "all fresh after, s",
        "exchanges",
        "processor time per exchange, µs",
        "share of a core until fresh, %",
        "share of a core in all, %",
        "resident, KiB",
        "KiB per tenant beside token and frame",
    ];
    let mut section = Section::new(format!("Kept fresh for {} s", number(seconds)), &head);
    let base = all.first().map(|grown| (grown.tenants as f64, grown.resident()));
    let mut series = Vec::new();
    for grown in &all {
        let cost = Cost::of(grown.daemon.pid());
        let exchanges = grown.exchanges.last().map_or(0, |(_, number)| *number);
        let share = |nanos: u64, seconds: f64| nanos as f64 / 1e9 / seconds * 100.0;
        let until_fresh = grown.fresh.map(|(seconds, cost)| share(cost.nanos, seconds));
        let beside = match base {
            Some((tenants, resident)) if grown.tenants as f64 > tenants => {
                let more = (grown.resident() - resident) / (grown.tenants as f64 - tenants);
                let token_and_frame = grown.fresh.map(|_| grown.token_and_frame()).transpose()?;
                token_and_frame.map(|bytes| more - bytes / 1024.0)
            }
            _ => None,
        };
        if grown.tenants == MANY {
            let why = format!("not all were fresh in {} s", number(seconds));
            bench.report.found_or("g.memory", beside.map(Spread::single), &why);
            let scaled = until_fresh.map(|share| Spread::single(share / FASTER as f64));
            bench.report.found_or("g.processor", scaled, &why);
        }
        let cell = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
        section.row([
            number(grown.tenants as f64),
            number(grown.rate as f64),
            cell(grown.fresh.map(|(seconds, _)| seconds)),
            number(exchanges as f64),
            cell((exchanges > 0).then(|| cost.nanos as f64 / 1_000.0 / exchanges.max(1) as f64)),
            cell(until_fresh),
            number(share(cost.nanos, seconds)),
            number(grown.resident()),
            cell(beside),
        ]);
        series.push((format!("{} tenants", number(grown.tenants as f64)), grown.per_second()));
    }
    section.note(format!(
        "A service manager listens, as it does to the packaged daemon; the provider is spoken to without TLS. \
         Tokens live for {LIFE} s instead of {} s and the limiter is as much faster, so that everything happens {FASTER} \
         times as often as it does; the processor share under the aims is that until all were fresh, when the limiter was \
         at its limit throughout, divided by {FASTER}. Memory per tenant is the difference to the smallest number, less \
         the token and its encoded reply.",
        LIFE * FASTER
    ));
    section.plots.push(Plot {
        name: "g-renewals".to_owned(),
        title: "Token exchanges of warm tenants".to_owned(),
        shape: Shape::Lines {
            series,
            axes: ["s since the start".to_owned(), "a second".to_owned()],
            places: Vec::new(),
            logarithmic: false,
        },
    });
    bench.report.add(Case::Growth, section);
    Ok(())
}

impl Grown {
    fn start(tenants: usize) -> Result<Self, BenchError> {
        let world = peers::world();
        let ids: Vec<String> = {
            let mut provider = world.provider().provider();
            provider.set_lives(Lives { tenant: LIFE, ..Lives::default() });
            let workspace = &world.population.workspace;
            let add = |at| provider.add_tenant(workspace, &format!("Tenant {at}")).expect("the workspace is there");
            (0..tenants).map(add).collect()
        };
        let warm: Vec<&str> = ids.iter().map(String::as_str).collect();
        let needed = (tenants as f64 * HEADROOM / (AT * LIFE as f64)).ceil() as u64;
        let rate = needed.max(USUAL_RATE);
        world.configure(&format!("[providers]\nmax_requests_per_second = {rate}"), &[world.glp(PROFILE, &warm)]);
        let notify = world.path("notify");
        let manager = UnixDatagram::bind(&notify).map_err(BenchError::file(&notify))?;
        manager.set_nonblocking(true).map_err(BenchError::file(&notify))?;
        let mut daemon = Daemon::spawn_with(&world.config(), &world.log(), |command| {
            command.env("NOTIFY_SOCKET", &notify).args(["--log", "info"])
        });
        daemon.listens(&world.socket());
        let first = ids.into_iter().next().unwrap_or_default();
        Ok(Self { tenants, rate, world, daemon, manager, first, exchanges: Vec::new(), fresh: None })
    }

    fn look(&mut self, seconds: f64) {
        // Whatever it says is of no interest, but nobody shall wait for this end.
        while self.manager.recv(&mut [0; 4096]).is_ok() {}
        let exchanges = self.world.provider().provider().log().count(Endpoint::TenantExchange);
        self.exchanges.push((seconds, exchanges));
        if self.fresh.is_none() && exchanges >= self.tenants as u64 {
            self.fresh = Some((seconds, Cost::of(self.daemon.pid())));
        }
    }

    fn resident(&self) -> f64 {
        Procfs::of(self.daemon.pid()).resident_kib() as f64
    }

    /// Bytes of a token and of its encoded reply.
    fn token_and_frame(&self) -> Result<f64, BenchError> {
        let name = format!("{PROFILE}/{}", self.first);
        let get = Request::Get { name: &name, min_ttl: Millis(0), wait: Millis(0) };
        let request = codec::encode_request(1, &get).expect("a name fits into a frame");
        let exchange = Exchange::learn(TOKEND, &self.world.socket(), request, peers::is_whole, b"")?;
        Ok((TOKEN_LENGTH + exchange.reply.len()) as f64)
    }

    /// Exchanges in each whole second.
    fn per_second(&self) -> Vec<(f64, f64)> {
        let mut points: Vec<(f64, f64)> = Vec::new();
        let mut before = 0;
        for (seconds, number) in &self.exchanges {
            let second = seconds.floor();
            let more = (number - before) as f64;
            before = *number;
            match points.last_mut() {
                Some((last, exchanges)) if *last == second => *exchanges += more,
                _ => points.push((second, more)),
            }
        }
        points
    }
}
