//! A process for each request, from before it is started until it has ended.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use super::super::peers::{ACCOUNT, Echo, NAME, OIDC_AGENT, Peers, REDIS, TOKEND};
use super::super::plot::{Plot, Shape};
use super::super::serve::Kind;
use super::super::{Layout, rounds};
use super::{Bench, BenchError, Case, NOT_THERE, Section, Spread, note_missing, number};
use harness::{Binaries, Stopwatch};

/// Processes of each program in the time of one round of the other cases: one is soon over.
const TIMES: usize = 4;

const TOKENCTL: &str = "tokenctl get";
const MINIMAL: &str = "minimal static program";
const OIDC_TOKEN: &str = "oidc-token";
const REDIS_CLI: &str = "redis-cli -s … get";
const CURL: &str = "curl --unix-socket";

/// A command line that prints the token.
struct Program {
    name: &'static str,
    command: Vec<PathBuf>,
    environment: Option<(&'static str, PathBuf)>,
}

pub(super) fn measure(bench: &mut Bench) -> Result<(), BenchError> {
    let peers = bench.take_peers()?;
    let token = peers.tokend.token.clone();
    let mut missing = without_server(&peers);
    // It serves curl for as long as this case takes.
    let folder = peers.tokend.world.folder();
    let echo = Echo { program: &bench.settings.program, folder, request: &[], reply: token.as_bytes() };
    let http = echo.start(Kind::Http, CURL)?;
    bench.processors.give_to(http.pid())?;
    let mut programs = programs(bench, &peers, &http.socket)?;
    programs.retain(|program| match once(program, &token) {
        Ok(_) => true,
        Err(error) => {
            missing.push((program.name, tokend::error::chain(&error)));
            false
        }
    });
    for peer in &peers.all {
        bench.processors.give_to(peer.pid())?;
    }
    let pinned = bench.processors.take(Layout::One)?;
    let took = rounds::rounds(bench.settings.rounds * TIMES, programs.len(), |at| once(&programs[at], &token))?;
    drop(pinned);

    let part = |name, which: fn(&Took) -> f64| {
        let at = programs.iter().position(|program| program.name == name)?;
        Some(took[at].iter().map(which).collect::<Vec<f64>>())
    };
    let ratio_of = |which, of, to| Spread::ratio(&part(of, which)?, &part(to, which)?);
    let ratio = |of, to| ratio_of(|took| took.time, of, to);
    for (key, to) in [("d.minimal", MINIMAL), ("d.oidc", OIDC_TOKEN), ("d.redis", REDIS_CLI)] {
        match bench.settings.packaged {
            true => bench.report.found_or(key, ratio(TOKENCTL, to), NOT_THERE),
            false => bench.report.found(key, Err("this is not the packaged `tokenctl`".to_owned())),
        }
    }
    let mut section = Section::new(
        "One processor",
        &["program", "time against the minimal program", "the same by processor time", "µs", "its processor time, µs"],
    );
    let mut bars = Vec::new();
    for (program, took) in programs.iter().zip(&took) {
        let against = ratio(program.name, MINIMAL);
        let text = |spread: Option<Spread>| spread.map_or_else(String::new, |spread| spread.to_string());
        section.row([
            program.name.to_owned(),
            text(against),
            text(ratio_of(|took| took.processor, program.name, MINIMAL)),
            text(Spread::of(took.iter().map(|took| took.time / 1_000.0))),
            text(Spread::of(took.iter().map(|took| took.processor / 1_000.0))),
        ]);
        bars.extend(against.map(|against| (program.name.to_owned(), against)));
    }
    let how = if bench.settings.packaged { "as it is packaged: static" } else { "**not the packaged one**: dynamic" };
    let size_of = |name| {
        let program = programs.iter().find(|program| program.name == name)?;
        Some(std::fs::metadata(&program.command[0]).ok()?.len() as f64 / 1024.0 / 1024.0)
    };
    let size = |name| size_of(name).map_or_else(String::new, |size| format!(", {} MiB on disk", number(size)));
    let (own, minimal) = (size(TOKENCTL), size(MINIMAL));
    section.note(format!(
        "`tokenctl` is {how}{own}; the minimal program is static too{minimal}. curl asks an HTTP server of ours that does nothing else. \
         Processor time is the program's own, from its start to its end; what it waits for is not in it."
    ));
    note_missing(&mut section, &missing);
    let title = "A process for each request: time against the minimal program".to_owned();
    section.plots.push(Plot { name: "d-one-shot".to_owned(), title, shape: Shape::Bars { bars, mark: Some(1.0) } });
    bench.report.add(Case::OneShot, section);
    bench.peers = Some(peers);
    Ok(())
}

/// Programs that cannot be asked because the server that they ask is missing.
fn without_server(peers: &Peers) -> Vec<(&'static str, String)> {
    let of = |server: &str| match server {
        REDIS => Some(REDIS_CLI),
        OIDC_AGENT => Some(OIDC_TOKEN),
        _ => None,
    };
    peers
        .missing
        .iter()
        .filter_map(|(server, why)| Some((of(server)?, format!("{server} is missing ({why})"))))
        .collect()
}

fn programs(bench: &Bench, peers: &Peers, http: &Path) -> Result<Vec<Program>, BenchError> {
    let socket = |name: &str| peers.named(&[name]).first().map(|peer| peer.socket.clone());
    let tokend = socket(TOKEND).expect("it is always there");
    let tokenctl = match bench.settings.packaged {
        true => package::static_tokenctl(package::Profile::Release)?,
        false => Binaries::built().tokenctl.clone(),
    };
    let minimal = compile_minimal(peers.tokend.world.folder())?;
    let words = |words: &[&str]| words.iter().map(PathBuf::from).collect::<Vec<_>>();
    let mut programs = vec![
        Program {
            name: TOKENCTL,
            command: [vec![tokenctl], words(&["get", NAME])].concat(),
            environment: Some(("TOKEND_SOCKET", tokend.clone())),
        },
        Program { name: MINIMAL, command: vec![minimal, tokend, NAME.into()], environment: None },
        Program {
            name: CURL,
            command: [words(&["curl", "-s", "--unix-socket"]), vec![http.to_owned()], words(&["http://localhost/"])]
                .concat(),
            environment: None,
        },
    ];
    if let Some(socket) = socket(REDIS) {
        let command = [words(&["redis-cli", "-s"]), vec![socket], words(&["get", "campus"])].concat();
        programs.push(Program { name: REDIS_CLI, command, environment: None });
    }
    if let Some(socket) = socket(OIDC_AGENT) {
        let command = words(&["oidc-token", ACCOUNT]);
        programs.push(Program { name: OIDC_TOKEN, command, environment: Some(("OIDC_SOCK", socket)) });
    }
    Ok(programs)
}

/// What a process took from its start to its end, in ns.
struct Took {
    time: f64,
    /// Its own processor time.
    processor: f64,
}

/// Runs a program to its end.
fn once(program: &Program, token: &str) -> Result<Took, BenchError> {
    let failed = |problem: String| BenchError::program(program.name, problem);
    let mut command = Command::new(&program.command[0]);
    // What else stands in the environment is nothing that they should have to read.
    command.args(&program.command[1..]).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.envs(program.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut printed = Vec::with_capacity(4096);
    let before = of_children()?;
    let watch = Stopwatch::start();
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let read = child.stdout.take().expect("it is piped").read_to_end(&mut printed);
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    let time = watch.elapsed().as_nanos() as f64;
    read.map_err(|error| failed(error.to_string()))?;
    if !status.success() || printed.trim_ascii() != token.as_bytes() {
        return Err(failed(format!("it ended with {status} and did not print the token")));
    }
    Ok(Took { time, processor: of_children()? - before })
}

/// Processor time of all children that have ended, in ns: getrusage(2). Nobody else starts any.
fn of_children() -> Result<f64, BenchError> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(BenchError::system("reading the time of processes"))?;
    Ok([usage.user_time(), usage.system_time()].iter().map(|time| time.num_microseconds() as f64 * 1_000.0).sum())
}

/// rustc alone, as the package's programs are compiled: optimised, static, stripped.
fn compile_minimal(folder: &Path) -> Result<PathBuf, BenchError> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/minimal_get.rs");
    let program = folder.join("minimal-get");
    let mut command = Command::new(rustc);
    command.args(["--edition", "2024", "-C", "opt-level=3", "-C", "lto=fat", "-C", "codegen-units=1"]);
    command.args(["-C", "target-feature=+crt-static", "-C", "strip=symbols", "-o"]).arg(&program).arg(source);
    let output = command.output().map_err(|error| BenchError::program("rustc", error))?;
    match output.status.success() {
        true => Ok(program),
        false => Err(BenchError::program("rustc", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
