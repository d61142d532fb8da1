//! What one user who floods costs the others: their reads beside questions that go to the core, against reads beside as
//! many `Ping`s.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nix::unistd::Uid;
use tokend_proto::{ErrorCode, LENGTH_PREFIX, Millis, Reply, Request, codec};

use super::super::exchange::connect;
use super::super::flood::{Flooder, Kind};
use super::super::generator::Lines;
use super::super::peers::{self, NAME, TOKEND, is_whole};
use super::super::{Exchange, interrupt};
use super::{Bench, BenchError, Case, Layout, ONE, Section, Settings, Spread, number, quantile};
use harness::{Daemon, PATIENCE, Stopwatch, World};
use sandbox::{Endpoint, Fault, FaultRule};

const PROFILE: &str = "msp";

/// A profile that never gets a token.
const EMPTY: &str = "empty";

/// Between two questions of root.
const ROOT_ASKS_EVERY: Duration = Duration::from_millis(20);

/// A flood, its aims, and in words.
const FLOODS: [(Kind, [&str; 2], &str); 3] = [
    (Kind::Status, ["i.status.p50", "i.status.p99"], "`status`"),
    (Kind::Explain, ["i.explain.p50", "i.explain.p99"], "`explain`"),
    (Kind::Wait, ["i.wait.p50", "i.wait.p99"], "waits for a token that does not come"),
];

/// One slice of somebody's reads.
struct Taken {
    p50: f64,
    p99: f64,
    /// The flooder's requests that were answered in a second.
    rate: f64,
    asked: u64,
    busy: u64,
}

pub(super) fn measure(bench: &mut Bench) -> Result<(), BenchError> {
    let title = format!("{} names, the provider is down", number(bench.settings.flooded_tenants as f64));
    let head = [
        "flood",
        "reads' p50 against `Ping`s",
        "reads' p99 against `Ping`s",
        "p50 µs",
        "p99 µs",
        "floods/s",
        "root's `status` busy",
    ];
    let mut section = Section::new(title, &head);
    if !Uid::effective().is_root() || bench.processors.count() < 2 {
        let why = "it takes root, for another user, and two processors";
        for key in FLOODS.iter().flat_map(|(_, keys, _)| keys).chain(&["i.busy"]) {
            bench.report.found_or(key, None, why);
        }
        section.note(format!("Not measured: {why}."));
        bench.report.add(Case::Floods, section);
        return Ok(());
    }
    let (world, daemon) = flooded(bench.settings.flooded_tenants)?;
    let get = |name, wait| {
        let get = Request::Get { name, min_ttl: Millis(0), wait };
        codec::encode_request(1, &get).expect("a name fits into a frame")
    };
    let exchange =
        Exchange::learn(TOKEND, &world.socket(), get(NAME, Millis(0)), is_whole, world.ctl().token(NAME).as_bytes())?;
    let _pinned = bench.processors.take(Layout::Two)?;
    bench.processors.give_to(daemon.pid())?;
    let mut flooder = Flooder::start(&bench.settings.program, &world.socket(), EMPTY)?;
    debug_assert!(flooder.pid().as_raw() > 0, "it stands on the load's processor, as it was started from there");
    let mut lines = Lines::open(&exchange, &world.socket(), 1)?;
    let span = bench.settings.slice * Settings::ON_TWO;
    let (mut asked, mut busy) = (0, 0);
    for (kind, [p50, p99], words) in FLOODS {
        let mut pairs: [Vec<Taken>; 2] = [Vec::new(), Vec::new()];
        for round in 0..=bench.settings.rounds {
            interrupt::check()?;
            let flooded = slice(&mut flooder, kind, span, &mut lines, &world)?;
            let as_often = Kind::Ping((flooded.rate as u64).max(1));
            let pinged = slice(&mut flooder, as_often, span, &mut lines, &world)?;
            // The first round warms up.
            if round > 0 {
                pairs[0].push(flooded);
                pairs[1].push(pinged);
            }
        }
        let each = |at: usize, of: fn(&Taken) -> f64| pairs[at].iter().map(of).collect::<Vec<f64>>();
        let against = |of: fn(&Taken) -> f64| Spread::ratio(&each(0, of), &each(1, of));
        let (middle, tail) = (against(|taken| taken.p50), against(|taken| taken.p99));
        bench.report.found_or(p50, middle, "no slice");
        bench.report.found_or(p99, tail, "no slice");
        let shown = |spread: Option<Spread>| spread.map_or_else(|| "–".to_owned(), |spread| spread.to_string());
        let micros = |of: fn(&Taken) -> f64| shown(Spread::of(each(0, of).into_iter().map(|nanos| nanos / 1_000.0)));
        let of_kind = |of: fn(&Taken) -> u64| pairs[0].iter().map(of).sum::<u64>();
        asked += of_kind(|taken| taken.asked);
        busy += of_kind(|taken| taken.busy);
        section.row([
            words.to_owned(),
            shown(middle),
            shown(tail),
            micros(|taken| taken.p50),
            micros(|taken| taken.p99),
            shown(Spread::of(each(0, |taken| taken.rate))),
            format!("{} of {}", of_kind(|taken| taken.busy), of_kind(|taken| taken.asked)),
        ]);
    }
    bench.report.found_or(
        "i.busy",
        (asked > 0).then(|| Spread::single(busy as f64 / asked as f64 * 100.0)),
        "root did not ask",
    );
    section.note(
        "The daemon stands alone on one processor; on the other one a user reads a token on one connection, one request \
         at a time, and a process of another user asks on 64 connections, 64 requests at a time on each. The ratios are \
         those of slices side by side: in the second one the same process sends as many `Ping`s as it got answers in \
         the first. Meanwhile root asks for the status of one name every 20 ms.",
    );
    bench.report.add(Case::Floods, section);
    Ok(())
}

/// A daemon that has so many tenants' tokens and whose provider is down, with one name that has none.
fn flooded(tenants: usize) -> Result<(World, Daemon), BenchError> {
    let world = peers::world();
    let ids: Vec<String> = {
        let mut provider = world.provider().provider();
        let workspace = &world.population.workspace;
        (0..tenants)
            .map(|at| provider.add_tenant(workspace, &format!("Tenant {at}")).expect("the workspace is there"))
            .collect()
    };
    let warm: Vec<&str> = ids.iter().map(String::as_str).collect();
    let more =
        "[providers]\nmax_requests_per_second = 5000\n[[access]]\nprofiles = [\"*\", \"msp/*\"]\nusers = [65534]";
    world.configure(more, &[world.central(NAME), world.glp(PROFILE, &warm), world.classic(EMPTY)]);
    let daemon = peers::start(&world);
    let open = |path: &std::path::Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(BenchError::file(path))
    };
    open(world.folder(), 0o755)?;
    open(&world.socket(), 0o666)?;
    let watch = Stopwatch::start();
    while world.provider().provider().log().count(Endpoint::TenantExchange) < tenants as u64 {
        if watch.elapsed() > PATIENCE {
            return Err(BenchError::program(TOKEND, "its tenants do not get their tokens"));
        }
        interrupt::sleep(Duration::from_millis(100))?;
    }
    let _ = world.ctl().token(NAME);
    let down = Fault::Status { status: 503, retry_after: None };
    world.provider().provider().add_fault(FaultRule::new(down).forever());
    Ok((world, daemon))
}

/// Reads for so long beside a flood.
fn slice(
    flooder: &mut Flooder,
    kind: Kind,
    span: Duration,
    lines: &mut Lines<'_>,
    world: &World,
) -> Result<Taken, BenchError> {
    let watch = Stopwatch::start();
    let socket = world.socket();
    let (answered, (read, (asked, busy))) = flooder.flood(kind, span, || {
        std::thread::scope(|scope| {
            let root = scope.spawn(|| ask_status(&socket, span));
            let read = lines.ask(ONE, span);
            let root = root.join().expect("it does not panic");
            Ok((read?, root?))
        })
    })?;
    let seconds = watch.elapsed().as_secs_f64();
    let mut sorted = read.latencies;
    sorted.sort_unstable();
    let at = |share| quantile(&sorted, share).map_or(0.0, f64::from);
    Ok(Taken { p50: at(0.5), p99: at(0.99), rate: answered as f64 / seconds, asked, busy })
}

/// Root's questions, and how many of them the daemon answers with `busy`.
fn ask_status(socket: &std::path::Path, span: Duration) -> Result<(u64, u64), BenchError> {
    use std::io::{Read as _, Write as _};
    let failed = BenchError::connection(TOKEND);
    let request = codec::encode_request(1, &Request::Status { name: Some(NAME), after: None }).expect("it fits");
    let mut stream = connect(TOKEND, socket)?;
    let watch = Stopwatch::start();
    let (mut asked, mut busy) = (0, 0);
    while watch.elapsed() < span {
        stream.write_all(&request).map_err(&failed)?;
        let mut prefix = [0; LENGTH_PREFIX];
        stream.read_exact(&mut prefix).map_err(&failed)?;
        let mut frame = vec![0; tokend_proto::frame_length(prefix).map_err(|_| BenchError::Odd { peer: TOKEND })?];
        stream.read_exact(&mut frame).map_err(&failed)?;
        let (_, value) = tokend_proto::Header::split(&frame).map_err(|_| BenchError::Odd { peer: TOKEND })?;
        match codec::decode_reply(value) {
            Ok(Reply::Error(error)) if error.code == ErrorCode::Busy => busy += 1,
            Ok(Reply::Status(_)) => {}
            _ => return Err(BenchError::Odd { peer: TOKEND }),
        }
        asked += 1;
        std::thread::sleep(ROOT_ASKS_EVERY);
    }
    Ok((asked, busy))
}
