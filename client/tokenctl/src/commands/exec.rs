//! `exec`: replaces this process by a command with tokens in its environment.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::Args;
use tokend_client::{Builder, Client, Error, Token};
use tokio::task::JoinSet;

use crate::args::{OutputArgs, TokenArgs};
use crate::binding::Binding;
use crate::exit::{Exit, Failure};
use crate::runtime::block_on;

#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// Names, each with the variable for its token (TOKEN if there is none); split at the last '='
    #[arg(required = true, value_name = "NAME[=VAR]")]
    pub(crate) bindings: Vec<Binding>,
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// The command, which replaces tokenctl
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// Returns only if the command could not be started.
pub(crate) fn run(client: Builder, args: &ExecArgs) -> Failure {
    match prepare(client, args) {
        // Replaces this process, and gives the command the default SIGPIPE back.
        Ok(mut command) => not_started(args, &command.exec()),
        Err(failure) => failure.in_exec(),
    }
}

fn prepare(client: Builder, args: &ExecArgs) -> Result<Command, Failure> {
    for (index, binding) in args.bindings.iter().enumerate() {
        if args.bindings[..index].iter().any(|earlier| earlier.variable == binding.variable) {
            let variable = &binding.variable;
            return Err(Failure::usage(format!(
                "two names for the variable {variable}: expected NAME=VAR for each, each with its own variable"
            )));
        }
    }
    let [program, arguments @ ..] = args.command.as_slice() else {
        return Err(Failure::usage("expected a command after --"));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    // The connection and any runtime are closed before the command starts.
    let tokens = match args.bindings.as_slice() {
        [one] => vec![client.build_blocking().token_with(&one.name.to_string(), args.token.options())],
        _ => block_on(async { Ok(tokens(&client.build(), args).await) })?,
    };
    for (binding, token) in args.bindings.iter().zip(tokens) {
        let token = token?;
        if let Some(failure) = args.token.falls_short(&token).filter(|_| !args.token.accept_short) {
            return Err(failure);
        }
        command.env(&binding.variable, token.secret());
    }
    Ok(command)
}

/// Asks for all tokens at the same time, so that they share one wait.
async fn tokens(client: &Client, args: &ExecArgs) -> Vec<Result<Token, Error>> {
    let options = args.token.options();
    let mut asked = JoinSet::new();
    for (index, binding) in args.bindings.iter().enumerate() {
        let (client, name) = (client.clone(), binding.name.to_string());
        asked.spawn(async move { (index, client.token_with(&name, options).await) });
    }
    let mut tokens = asked.join_all().await;
    tokens.sort_by_key(|(index, _)| *index);
    tokens.into_iter().map(|(_, token)| token).collect()
}

fn not_started(args: &ExecArgs, error: &io::Error) -> Failure {
    let program = args.command.first().map(|it| it.to_string_lossy()).unwrap_or_default();
    let (exit, code) = match error.kind() {
        io::ErrorKind::NotFound => (Exit::NotFound, "command_not_found"),
        _ => (Exit::CannotRun, "command_cannot_run"),
    };
    Failure::new(exit, code, format!("cannot run {program}: {error}"))
}
