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

use tokend_client::Builder;

use crate::cli::{Cli, Command};
use crate::exit::Failure;
use crate::output::{Report, finish};
use crate::runtime::block_on;
use crate::style::Style;

/// Runs the command and says how it ended. `exec` comes back only if it failed.
pub(crate) fn run(cli: &Cli) -> ExitCode {
    let result = match &cli.command {
        Command::Exec(args) => Err(exec::run(builder(cli), args)),
        Command::Wait(args) => {
            let client = builder(cli).wait(args.wait).wait_for_daemon(true).build();
            block_on(wait::run(&client, args))
        }
        Command::Status(args) if args.watch => {
            block_on(status_watch::run(&builder(cli).build(), args, Style::of_stdout()))
        }
        Command::Watch(args) => block_on(watch::run(&builder(cli).build(), args)),
        _ => dispatch(cli),
    };
    finish(result, cli.format()).into()
}

/// One question each, for which no runtime is started.
fn dispatch(cli: &Cli) -> Result<Report, Failure> {
    let client = builder(cli).build_blocking();
    let client = &client;
    match &cli.command {
        Command::Get(args) => get::run(client, args),
        Command::Status(args) => status::run(client, args, Style::of_stdout()),
        Command::Explain(args) => explain::run(client, args, Style::of_stdout()),
        Command::Reject(args) => renew::reject(client, args),
        Command::Refresh(args) => renew::refresh(client, args),
        Command::Import(args) => import::run(client, args),
        Command::Tenants(args) => tenants::run(client, args, Style::of_stdout()),
        Command::Whoami(args) => about::whoami(client, args.format, Style::of_stdout()),
        Command::Reload(args) => about::reload(client, args.format),
        Command::Ping(args) => about::ping(client, args.format),
        Command::Exec(_) | Command::Wait(_) | Command::Watch(_) => unreachable!("these have a client of their own"),
    }
}

fn builder(cli: &Cli) -> Builder {
    match &cli.global.socket {
        Some(path) => Builder::default().socket(path),
        None => Builder::default(),
    }
}
