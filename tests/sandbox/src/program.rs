//! The sandbox provider as a program to play with.

use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::{Lives, Population, Provider, Quirks, RateLimits, Sandbox, catalog};
use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use serde::Serialize;
use tempfile::NamedTempFile;
use tokio::signal::unix::{SignalKind, signal};

/// An imitation of HPE's SSO, GreenLake and Classic Central on loopback.
///
/// Prints its address and credentials as JSON, then serves until it is interrupted. POST /sandbox/... switches
/// faults on and revokes tokens: see the documentation of sandbox::admin.
#[derive(Parser)]
struct Options {
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// What ids, secrets and tokens follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The life of every kind of access token, in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=MAX_LIFE))]
    life: Option<u64>,
    /// The life of central tokens.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=MAX_LIFE))]
    central_life: Option<u64>,
    /// The life of workspace tokens.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=MAX_LIFE))]
    glp_life: Option<u64>,
    /// The life of tenants' tokens.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=MAX_LIFE))]
    tenant_life: Option<u64>,
    /// The life of Classic access tokens.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=MAX_LIFE))]
    classic_life: Option<u64>,
    /// The life of Classic refresh tokens, from the last refresh.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=MAX_LIFE))]
    refresh_life: Option<u64>,
    /// The life of authorization codes.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=MAX_LIFE))]
    code_life: Option<u64>,
    /// The window in which a client_id may log in three times and get one token by it.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=MAX_LIFE))]
    quota_window: Option<u64>,
    /// Switches the documented rate limits on.
    #[arg(long)]
    rate_limits: bool,
    /// Writes a Download Token of the Classic application to this file.
    #[arg(long, value_name = "FILE")]
    download_token: Option<PathBuf>,
}

/// A hundred years: longer than anything lives, and far from overflowing.
const MAX_LIFE: u64 = 100 * 365 * 24 * 3600;

/// What is printed.
#[derive(Serialize)]
struct Card<'a> {
    base_url: &'a str,
    token_endpoint: String,
    #[serde(flatten)]
    population: &'a Population,
    download_token: Option<&'a Path>,
}

/// Runs it: reads the arguments, serves, and says how it ended.
#[must_use]
pub fn run() -> ExitCode {
    let command = Options::command().after_long_help(switches());
    let options = Options::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut message = format!("sandbox: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                message += &format!(": {error}");
                cause = error.source();
            }
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// What can be switched on while it runs, for `--help`.
fn switches() -> String {
    let mut text = "Faults, as the value of \"fault\" in a rule for POST /sandbox/faults:\n".to_owned();
    let faults = catalog();
    let width = faults.iter().map(|(fault, _)| fault.len()).max().unwrap_or_default();
    for (fault, is) in faults {
        text += &format!("  {fault:width$}  {is}\n");
    }
    let quirks = serde_json::to_value(Quirks::default()).unwrap_or_default();
    text += "\nHabits, as members for POST /sandbox/quirks, and how they are without it:\n";
    for (name, value) in quirks.as_object().into_iter().flatten() {
        text += &format!("  {name}: {value}\n");
    }
    text + "\nA rule: {\"fault\": {\"odd\": \"gzip\"}, \"endpoints\": [\"classic-refresh\"], \"times\": {\"count\": 3}}\n\
            \"stage\": \"after\" carries the request out first; \"odd\" always does."
}

fn serve(options: &Options) -> Result<(), Box<dyn Error>> {
    let (mut provider, population) = Population::settle(options.seed);
    settings(options, &mut provider);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        // Before anything is printed: whoever reads the card may end us at once.
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let sandbox = Sandbox::start_on(options.listen, provider)?;
        if let Some(path) = &options.download_token {
            let token = sandbox.provider().download_token(sandbox.now(), &population.classic.client_id)?;
            write(path, &serde_json::to_vec_pretty(&token)?)?;
        }
        let card = Card {
            base_url: sandbox.base_url(),
            token_endpoint: sandbox.url("/as/token.oauth2"),
            population: &population,
            download_token: options.download_token.as_deref(),
        };
        writeln!(io::stdout().lock(), "{}", serde_json::to_string_pretty(&card)?)?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}

fn settings(options: &Options, provider: &mut Provider) {
    let lives = options.life.map_or_else(Lives::default, |life| Lives::default().access_tokens(life));
    provider.set_lives(Lives {
        central: options.central_life.unwrap_or(lives.central),
        glp: options.glp_life.unwrap_or(lives.glp),
        tenant: options.tenant_life.unwrap_or(lives.tenant),
        classic: options.classic_life.unwrap_or(lives.classic),
        refresh: options.refresh_life.unwrap_or(lives.refresh),
        code: options.code_life.unwrap_or(lives.code),
        quota_window: options.quota_window.unwrap_or(lives.quota_window),
        ..lives
    });
    if options.rate_limits {
        provider.set_rate_limits(RateLimits::documented());
    }
}

/// Replaces a file by one that its owner alone can read.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(text)?;
    file.persist(path)?;
    Ok(())
}
