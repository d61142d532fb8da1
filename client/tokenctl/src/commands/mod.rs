//! What the commands do: each file has one family of them.

mod about;
mod exec;
mod explain;
mod get;
mod import;
mod renew;
mod status;
mod status_watch;
mod tenants;
mod wait;
mod watch;

use std::process::ExitCode;

use tokend_client::Client;

use crate::cli::{Cli, Command};
use crate::exit::{Exit, Failure};
use crate::output::{Report, finish};
use crate::style::Style;

pub(crate) use exec::Binding;

/// Runs the command and says how it ended. `exec` comes back only if it failed.
pub(crate) fn run(cli: &Cli) -> ExitCode {
    let result = match &cli.command {
        Command::Exec(args) => Err(exec::run(&client(cli), args)),
        Command::Wait(args) => block_on(wait::run(&client_that_waits(cli, args.wait), args)),
        _ => block_on(dispatch(cli)),
    };
    finish(result, cli.format()).into()
}

async fn dispatch(cli: &Cli) -> Result<Report, Failure> {
    let client = client(cli);
    let style = Style::of_stdout();
    match &cli.command {
        Command::Get(args) => get::run(&client, args).await,
        Command::Status(args) if args.watch => status_watch::run(&client, args, style).await,
        Command::Explain(args) => explain::run(&client, args, style).await,
        Command::Watch(args) => watch::run(&client, args).await,
        Command::Status(args) => status::run(&client, args, style).await,
        Command::Reject(args) => renew::reject(&client, args).await,
        Command::Refresh(args) => renew::refresh(&client, args).await,
        Command::Import(args) => import::run(&client, args).await,
        Command::Tenants(args) => tenants::run(&client, args, style).await,
        Command::Whoami(args) => about::whoami(&client, args.output, style).await,
        Command::Reload(args) => about::reload(&client, args.output).await,
        Command::Ping(args) => about::ping(&client, args.output).await,
        Command::Exec(_) | Command::Wait(_) => unreachable!("these two have a client of their own"),
    }
}

fn client(cli: &Cli) -> Client {
    builder(cli).build()
}

fn client_that_waits(cli: &Cli, wait: std::time::Duration) -> Client {
    builder(cli).wait(wait).wait_for_daemon(true).build()
}

fn builder(cli: &Cli) -> tokend_client::Builder {
    match &cli.socket {
        Some(path) => Client::builder().socket(path),
        None => Client::builder(),
    }
}

/// On a runtime of this thread: one process asks one question.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(Failure::new(Exit::Other, "system", format!("cannot start: {error}"))),
    }
}
