//! The commands, each in a file of its own with its arguments. A new one is declared, listed and run here.

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

use clap::Subcommand;
use tokend_client::Builder;

pub(crate) use self::exec::ExecArgs;
use self::explain::ExplainArgs;
pub(crate) use self::get::{GetArgs, TokenFormat};
use self::import::ImportArgs;
use self::refresh::RefreshArgs;
use self::reject::RejectArgs;
use self::status::StatusArgs;
use self::tenants::TenantsArgs;
use self::wait::WaitArgs;
use self::watch::{WatchArgs, WatchFormat};
use crate::args::OutputArgs;
use crate::output::finish;
use crate::runtime::block_on;
use crate::style::Style;
use crate::text::Format;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the newest token of a name
    Get(GetArgs),
    /// Show the state of each name
    Status(StatusArgs),
    /// Show why a name is as it is: what it holds, when it is renewed and why then
    Explain(ExplainArgs),
    /// Print a line for each new token of a name, and for each change of its health
    Watch(WatchArgs),
    /// Run a command with tokens in its environment
    Exec(ExecArgs),
    /// Report that an API answered 401 to a token, and get another one
    Reject(RejectArgs),
    /// Renew a name now (needs admin)
    Refresh(RefreshArgs),
    /// Start a Classic chain from the web UI's Download Token (needs admin)
    Import(ImportArgs),
    /// List the tenants of a GreenLake MSP workspace
    Tenants(TenantsArgs),
    /// Wait until names have a good token
    Wait(WaitArgs),
    /// Show what the daemon sees of you, and what you may do
    Whoami(OutputArgs),
    /// Make the daemon read its configuration again (root and the daemon's user)
    Reload(OutputArgs),
    /// Check that the daemon answers
    Ping(OutputArgs),
}

/// Runs the command and returns its exit status. `exec` returns only if it failed.
pub(crate) fn run(command: &Command, builder: Builder) -> ExitCode {
    // A command that asks once has a blocking client, and starts no runtime.
    let result = match command {
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
    finish(result, command.format()).into()
}

impl Command {
    /// The format of errors, for the whole run.
    pub(crate) fn format(&self) -> Format {
        match self {
            Command::Get(args) if args.output == TokenFormat::Json => Format::Json,
            Command::Watch(args) if args.output == WatchFormat::Json => Format::Json,
            Command::Get(_) | Command::Watch(_) => Format::Text,
            Command::Status(StatusArgs { output, .. })
            | Command::Explain(ExplainArgs { output, .. })
            | Command::Exec(ExecArgs { output, .. })
            | Command::Reject(RejectArgs { output, .. })
            | Command::Refresh(RefreshArgs { output, .. })
            | Command::Import(ImportArgs { output, .. })
            | Command::Tenants(TenantsArgs { output, .. })
            | Command::Wait(WaitArgs { output, .. })
            | Command::Whoami(output)
            | Command::Reload(output)
            | Command::Ping(output) => output.format,
        }
    }
}
