//! `cargo demo`: all four kinds of token, kept fresh and handed to local processes, for somebody who sees it for the
//! first time.
//!
//! A [`Stage`] is a sandbox, a running daemon and a peer; [`Stage::rows`] takes a token of each name with `tokenctl`
//! and calls the provider's API with it; [`Live`] goes on doing so and shows the renewals. [`run`] plays it all and
//! clears up, whatever ends it: the end, an error, a panic, Ctrl-C, a closed terminal.
//!
//! What is *not* here: the sandbox, and how programs are built and started ([`harness`]).

mod error;
mod live;
mod names;
mod out;
mod stage;
mod table;

use std::process::ExitCode;

use clap::Parser;

use harness::stop::Stop;
use harness::{Binaries, World};
use sandbox::Lives;

pub use error::DemoError;
pub use live::{Live, Tally};
pub use names::{Shown, cast};
pub use out::Out;
pub use stage::Stage;
pub use table::{Answer, Row, exit_status, table};

/// The seed of the demo's sandbox.
const SEED: u64 = 1;

/// The life of a token when renewals are shown: long enough to read a line, short enough not to be bored.
const SHOWN_LIFE: u64 = 15;

/// Shows tokend at work: starts an imitation of HPE's token services and a real daemon on loopback, fetches a token
/// of each kind with tokenctl, calls an API with it, and shows the renewals until Ctrl-C. Nothing leaves this machine,
/// and nothing is left behind.
#[derive(Debug, Clone, Parser)]
#[command(name = "cargo demo", bin_name = "cargo demo")]
pub struct Options {
    /// Stop after the table; the status is 1 when any call was refused.
    #[arg(long)]
    pub once: bool,
    /// How long the provider's tokens live: from 6 seconds to an hour. 15 when renewals are shown, else as in reality.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(6..=3600))]
    pub life: Option<u64>,
    /// What the daemon writes to its log, for example `debug`.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// Plays the demo on stdout; the exit status says how it went. A signal before the table is complete is 128 and its
/// number, as shells have it.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let mut out = Out::stdout();
    let played = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DemoError::System)
        .and_then(|runtime| runtime.block_on(play(options, &mut out)));
    match played {
        Ok(status) => ExitCode::from(status),
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            error.tell();
            ExitCode::FAILURE
        }
    }
}

/// What is there by now, so that it can be put away whenever the play is cut short.
#[derive(Default)]
struct Played {
    stage: Option<Stage>,
    rows: Option<Vec<Row>>,
    tally: Option<Tally>,
}

async fn play(options: &Options, out: &mut Out) -> Result<u8, DemoError> {
    let mut stop = Stop::listen().map_err(DemoError::System)?;
    let mut played = Played::default();
    let ended = tokio::select! {
        biased;
        caught = stop.next() => Ok(Some(caught)),
        acted = act(options, out, &mut played) => acted.map(|()| None),
    };
    let struck = match played.stage.take() {
        Some(stage) => stage.strike(&mut stop).await,
        None => Ok(()),
    };
    // What went wrong first says more.
    let caught = ended?;
    if let Some(tally) = played.tally {
        // Where the terminal was closed there is nobody to be told.
        let _ = out.line(&format!("\n{tally}"));
    }
    struck?;
    if played.tally.is_some() {
        let _ = out.line("The daemon has ended, and its folder is gone.");
    }
    let failed = played.tally.is_some_and(|tally| tally.refused > 0);
    Ok(match (caught, played.rows) {
        (_, Some(rows)) => exit_status(&rows).max(u8::from(failed)),
        (Some(caught), None) => caught.exit_status(),
        (None, None) => 1,
    })
}

async fn act(options: &Options, out: &mut Out, played: &mut Played) -> Result<(), DemoError> {
    out.line("Building tokend and tokenctl …")?;
    let binaries = Binaries::build().await?;
    let world = World::new(SEED);
    let life = options.life.or((!options.once).then_some(SHOWN_LIFE));
    if let Some(life) = life {
        world.provider().provider().set_lives(Lives::default().access_tokens(life));
    }
    out.line(&format!("Starting a sandbox provider on {} and the daemon on it:", world.base_url()))?;
    out.line(&format!("    {} --config {}", binaries.tokend.display(), world.config().display()))?;
    out.line(&format!("    its log: {}\n", world.log().display()))?;
    let stage = played.stage.insert(Stage::new(world, &options.log)?);
    stage.listening().await?;
    let rows = stage.rows(out).await?;
    out.line("")?;
    out.text(&table(&rows, out.colour()))?;
    played.rows = Some(rows);
    if options.once {
        return Ok(());
    }
    out.line("")?;
    out.text(&invitation(stage, binaries, life.unwrap_or(SHOWN_LIFE)))?;
    let tally = played.tally.insert(Tally::default());
    Live::new(stage).watch(out, tally).await
}

/// What a reader can try while it runs.
fn invitation(stage: &Stage, binaries: &Binaries, life: u64) -> String {
    let (tokenctl, world) = (binaries.tokenctl.display(), stage.world());
    let socket = world.socket();
    format!(
        "Try it in another terminal while this runs:\n    export TOKEND_SOCKET={}\n    {tokenctl} status\n    {tokenctl} \
         get campus --output curl | curl -sK - {}\n\nTokens live for {life} s here. A peer now calls the API with each of \
         them all the time; Ctrl-C ends it.\n\n",
        socket.display(),
        world.provider().url(names::CENTRAL_API),
    )
}
