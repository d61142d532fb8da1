//! How long a daemon takes to be there, and what it takes up then.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokend_proto::{Request, codec};

use super::super::peers::{self, Echo, TOKEND, TOKIO};
use super::super::serve::Kind;
use super::super::{Layout, rounds};
use super::tls::Front;
use super::{Bench, BenchError, Case, Section, Spread, number};
use crate::harness::{Binaries, Inside, PATIENCE, ProfileText};
use crate::load::Stopwatch;

/// Between two attempts to connect.
const LOOK: Duration = Duration::from_micros(50);

/// Daemons whose memory is looked at.
const DAEMONS: usize = 5;

/// For what begins by itself after a start, and after a token.
const SETTLE: Duration = Duration::from_secs(1);

pub(super) fn measure(bench: &mut Bench) -> Result<(), BenchError> {
    first_answer(bench)?;
    memory(bench)
}

/// From before exec to the first answer.
fn first_answer(bench: &mut Bench) -> Result<(), BenchError> {
    let world = peers::world();
    world.configure("", &[world.central(peers::NAME)]);
    let ping = codec::encode_request(1, &Request::Ping).expect("it is small");
    let echo = Echo { program: &bench.settings.program, folder: world.folder(), request: &ping, reply: &ping };
    let names = [TOKEND, TOKIO];
    let pinned = bench.processors.take(Layout::One)?;
    let took = rounds::rounds(bench.settings.rounds, names.len(), |at| {
        let socket = if at == 0 { world.socket() } else { world.path("tokio.sock") };
        let mut command = match at {
            0 => Command::new(&Binaries::built().tokend),
            _ => echo.command(Kind::Tokio, &socket)?,
        };
        if at == 0 {
            command.arg("--config").arg(world.config());
        }
        time_to_answer(names[at], &mut command, &socket, &ping)
    })?;
    drop(pinned);
    let found = Spread::ratio(&took[0], &took[1]);
    bench.report.found_or("f.start", found, "nothing answered");
    let mut section =
        Section::new("From exec to the first answer, one processor", &["server", "time against bare tokio", "ms"]);
    let cell = |spread: Option<Spread>| spread.map_or_else(String::new, |spread| spread.to_string());
    for (name, of_one) in names.iter().zip(&took) {
        let millis = Spread::of(of_one.iter().map(|nanos| nanos / 1e6));
        section.row([(*name).to_owned(), cell(Spread::ratio(of_one, &took[1])), cell(millis)]);
    }
    bench.report.add(Case::Idle, section);
    Ok(())
}

/// A child that is killed when this is dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn time_to_answer(name: &'static str, command: &mut Command, socket: &Path, ask: &[u8]) -> Result<f64, BenchError> {
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
    let answered = stream.write_all(ask).and_then(|()| stream.read_exact(&mut [0]));
    answered.map_err(BenchError::connection(name))?;
    Ok(watch.elapsed().as_nanos() as f64)
}

/// Resident memory before the first TLS request and after it.
fn memory(bench: &mut Bench) -> Result<(), BenchError> {
    let (mut before, mut after) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let look = |inside: Inside, at: &mut [Vec<f64>; 2]| {
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
        let profiles =
            [world.central(campus), world.central(branch), world.glp(msp, &[]), world.classic_with_login(legacy)];
        world.configure("", &profiles.map(over_tls));
        let daemon = peers::start(&world);
        let inside = Inside::of(daemon.pid());
        std::thread::sleep(SETTLE.min(bench.settings.idle));
        look(inside, &mut before);
        front.open(world.provider().addr())?;
        for name in names {
            let _ = world.ctl().token(name);
        }
        std::thread::sleep(SETTLE.min(bench.settings.idle));
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
        "Two of `central`, one of `glp`, one of `classic` with a login; the provider behind TLS 1.3 with an authority of \
         its own. At first nobody listens at its address. The program is {} MiB on disk, not stripped.",
        number(size as f64 / 1024.0 / 1024.0)
    ));
    bench.report.add(Case::Idle, section);
    Ok(())
}
