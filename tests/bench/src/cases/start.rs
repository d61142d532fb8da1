//! How long a daemon takes to be there, and what it takes up then.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::prctl::set_timerslack;
use tokend_proto::{Request, codec};

use super::super::peers::{self, Echo, TOKEND, TOKIO};
use super::super::serve::Kind;
use super::super::{Layout, rounds};
use super::tls::Front;
use super::{Bench, BenchError, Case, Cost, Section, Spread, number};
use harness::{Binaries, PATIENCE, Procfs, ProfileText, Stopwatch, until};

/// Between two attempts to connect: times are no finer than this.
const LOOK: Duration = Duration::from_micros(20);

/// What the kernel may add to that, in ns. Its own habit is 50 µs, timer slack in prctl(2).
const SLACK: u64 = 1;

/// Longer than threads that have nothing to do are kept.
const IDLE_THREADS: Duration = Duration::from_secs(2);

/// Daemons whose memory is looked at.
const DAEMONS: usize = 5;

pub(super) fn measure(bench: &mut Bench) -> Result<(), BenchError> {
    start(bench)?;
    memory(bench)
}

/// A daemon whose socket's group nobody knows.
const NO_GROUP: &str = "tokend, no such group";

/// From before exec to the first connection, and to the first answer.
fn start(bench: &mut Bench) -> Result<(), BenchError> {
    let (world, without) = (peers::world(), peers::world());
    world.configure(&peers::known_group(), &[world.central(peers::NAME)]);
    without.configure("group = \"tokend-of-nobody\"", &[without.central(peers::NAME)]);
    let ping = codec::encode_request(1, &Request::Ping).expect("it is small");
    let echo = Echo { program: &bench.settings.program, folder: world.folder(), request: &ping, reply: &ping };
    let names = [TOKEND, NO_GROUP, TOKIO];
    let last = names.len() - 1;
    let pinned = bench.processors.take(Layout::One)?;
    set_timerslack(SLACK).map_err(BenchError::system("setting the timer slack"))?;
    let took = rounds::rounds(bench.settings.rounds, names.len(), |at| {
        let world = if at == 1 { &without } else { &world };
        let socket = if at == last { world.path("tokio.sock") } else { world.socket() };
        let mut command = match at {
            _ if at == last => echo.command(Kind::Tokio, &socket)?,
            _ => Command::new(&Binaries::built().tokend),
        };
        if at != last {
            command.arg("--config").arg(world.config());
        }
        time_to_serve(names[at], &mut command, &socket, &ping)
    })?;
    drop(pinned);
    let part = |at: usize, which: Moment| took[at].iter().map(which).collect::<Vec<_>>();
    let (listening, answered): (Moment, Moment) = (|took| took.listening, |took| took.answered);
    let ratio = |at, which| Spread::ratio(&part(at, which), &part(last, which));
    bench.report.found_or("f.start", ratio(0, listening), "nothing listened");
    let head = ["server", "to the first connection, against bare tokio", "ms", "to the first answer, against it", "ms"];
    let mut section = Section::new("From exec to a connection and to an answer, one processor", &head);
    let cell = |spread: Option<Spread>| spread.map_or_else(String::new, |spread| spread.to_string());
    for (at, name) in names.iter().enumerate() {
        let millis = |which| cell(Spread::of(part(at, which).iter().map(|nanos| nanos / 1e6)));
        let [first, then] = [listening, answered].map(|which| [cell(ratio(at, which)), millis(which)]);
        section.row([vec![(*name).to_owned()], first.to_vec(), then.to_vec()].concat());
    }
    section.note(
        "A connection can be made once the server listens; it waits until it is accepted. The socket's group stands in \
         `/etc/group`, as where tokend is installed. In the second row it does not, and all services of \
         `nsswitch.conf` are asked for it in vain.",
    );
    bench.report.add(Case::Idle, section);
    Ok(())
}

/// Since before exec, in ns.
struct Took {
    listening: f64,
    answered: f64,
}

/// One of the two.
type Moment = fn(&Took) -> f64;

/// A child that is killed when this is dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn time_to_serve(name: &'static str, command: &mut Command, socket: &Path, ask: &[u8]) -> Result<Took, BenchError> {
    // The one before was killed and has left it behind.
    let _ = std::fs::remove_file(socket);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let watch = Stopwatch::start();
    let mut started = Started(command.spawn().map_err(|error| BenchError::program(name, error))?);
    let mut stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break stream,
            Err(_) if watch.elapsed() > PATIENCE => return Err(BenchError::program(name, "it does not listen")),
            Err(error) => match started.0.try_wait() {
                Ok(None) => std::thread::sleep(LOOK),
                _ => return Err(BenchError::connection(name)(error)),
            },
        }
    };
    let listening = watch.elapsed();
    let answered = stream.write_all(ask).and_then(|()| stream.read_exact(&mut [0]));
    answered.map_err(BenchError::connection(name))?;
    Ok(Took { listening: listening.as_nanos() as f64, answered: watch.elapsed().as_nanos() as f64 })
}

/// Resident memory before the first TLS request and after it.
fn memory(bench: &mut Bench) -> Result<(), BenchError> {
    let (mut before, mut after) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let look = |inside: Procfs, at: &mut [Vec<f64>; 2]| {
        at[0].push(inside.resident_kib() as f64 / 1024.0);
        at[1].push(inside.anonymous_kib() as f64 / 1024.0);
    };
    for _ in 0..bench.settings.rounds.min(DAEMONS) {
        let world = peers::world();
        let mut front = Front::reserve(&world.path("authority.pem"))?;
        let over_tls = |profile: ProfileText| {
            let trust = format!("ca_file = \"{}\"", world.path("authority.pem").display());
            ProfileText(profile.0.replace(world.base_url(), front.url()).replace("allow_plain_http = true", &trust))
        };
        let names = ["campus", "branch", "msp", "legacy"];
        let [campus, branch, msp, legacy] = names;
        let profiles = [world.central(campus), world.central(branch), world.glp(msp, &[]), world.classic(legacy)];
        world.configure(&peers::known_group(), &profiles.map(over_tls));
        let daemon = peers::start(&world);
        let inside = Procfs::of(daemon.pid());
        // By then the client that they share was made. A chain that is empty asks nobody.
        until("each name but the chain's has asked in vain", || {
            let log = daemon.log();
            names[..3].iter().all(|name| log.contains(&format!(" {name}: "))).then_some(())
        });
        look(inside, &mut before);
        front.open(world.provider().addr())?;
        // By an import and not by a login: of those there are three in half an hour, and in vain they would have been.
        let file = world.download_token("token.json");
        let imported = world.ctl().run(&["import", legacy, &file.to_string_lossy()]);
        if imported.status != 0 {
            return Err(BenchError::program("tokenctl import", imported.stderr));
        }
        for name in names {
            let _ = world.ctl().token(name);
        }
        Cost::at_rest(daemon.pid(), IDLE_THREADS.min(bench.settings.idle))?;
        look(inside, &mut after);
    }
    let mut section = Section::new(
        "Resident memory of a daemon with four profiles",
        &["", "MiB", "of that its own, and no page of a file, MiB"],
    );
    for (key, when, found) in
        [("f.before", "before its first TLS request", before), ("f.after", "after one for each profile", after)]
    {
        let [found, own] = found.map(Spread::of);
        let cell = |spread: Option<Spread>| spread.map_or_else(String::new, |spread| spread.to_string());
        section.row([when.to_owned(), cell(found), cell(own)]);
        bench.report.found_or(key, found, "no daemon was started");
    }
    let size = std::fs::metadata(&Binaries::built().tokend).map_or(0, |file| file.len());
    section.note(format!(
        "Two of `central`, one of `glp`, one of `classic`; the provider behind TLS 1.3 with an authority of \
         its own. At first nobody listens at its address. The program is {} MiB on disk, not stripped.",
        number(size as f64 / 1024.0 / 1024.0)
    ));
    bench.report.add(Case::Idle, section);
    Ok(())
}
