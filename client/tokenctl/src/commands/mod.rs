//! The commands, each in a file of its own.

mod exec;
mod explain;
mod get;
mod import;
mod ping;
mod refresh;
mod reject;
mod reload;
mod status;
mod status_watch;
mod tenants;
mod wait;
mod watch;
mod whoami;

use std::process::ExitCode;

use tokend_client::Builder;

use crate::cli::{Cli, Command};
use crate::output::finish;
use crate::runtime::block_on;
use crate::style::Style;

/// Runs the command and returns its exit status. `exec` returns only if it failed.
pub(crate) fn run(cli: &Cli) -> ExitCode {
    let builder = builder(cli);
    // A command that asks once has a blocking client, and starts no runtime.
    let result = match &cli.command {
        Command::Get(args) => get::run(&builder.build_blocking(), args),
        Command::Status(args) if args.watch => block_on(status_watch::run(&builder.build(), args, Style::of_stdout())),
        Command::Status(args) => status::run(&builder.build_blocking(), args, Style::of_stdout()),
        Command::Explain(args) => explain::run(&builder.build_blocking(), args, Style::of_stdout()),
        Command::Watch(args) => block_on(watch::run(&builder.build(), args)),
        Command::Exec(args) => Err(exec::run(builder, args)),
        Command::Reject(args) => reject::run(&builder.build_blocking(), args),
        Command::Refresh(args) => refresh::run(&builder.build_blocking(), args),
        Command::Import(args) => import::run(&builder.build_blocking(), args),
        Command::Tenants(args) => tenants::run(&builder.build_blocking(), args, Style::of_stdout()),
        Command::Wait(args) => {
            let client = builder.wait(args.wait).wait_for_daemon(true).build();
            block_on(wait::run(&client, args))
        }
        Command::Whoami(args) => whoami::run(&builder.build_blocking(), *args, Style::of_stdout()),
        Command::Reload(args) => reload::run(&builder.build_blocking(), *args),
        Command::Ping(args) => ping::run(&builder.build_blocking(), *args),
    };
    finish(result, cli.format()).into()
}

fn builder(cli: &Cli) -> Builder {
    match &cli.global.socket {
        Some(path) => Builder::default().socket(path),
        None => Builder::default(),
    }
}
