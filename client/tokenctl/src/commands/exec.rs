//! `exec`: a command with tokens in its environment, in the place of this process.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::str::FromStr;

use tokend_client::{Builder, Client, Error, Token};
use tokend_proto::TokenRef;
use tokio::task::JoinSet;

use super::{block_on, get};
use crate::cli::ExecArgs;
use crate::exit::{Exit, Failure};

/// The variable of a name that is given none.
pub(super) const DEFAULT_VARIABLE: &str = "TOKEN";

/// A name and the variable that its token goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    name: TokenRef,
    variable: String,
}

impl Binding {
    /// A name that every shell takes for a variable's (POSIX, 3.216 Name).
    pub(crate) fn variable(text: &str) -> Result<String, String> {
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if starts_well && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            Ok(text.to_owned())
        } else {
            Err(format!("{text:?} is no variable: right would be letters, digits and '_', not starting with a digit"))
        }
    }
}

impl FromStr for Binding {
    type Err = String;

    /// Splits at the last `=`: a workspace name may hold one itself.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, variable) = text.rsplit_once('=').unwrap_or((text, DEFAULT_VARIABLE));
        let name = name.parse().map_err(|error: tokend_client::NameError| error.to_string())?;
        Ok(Self { name, variable: Self::variable(variable)? })
    }
}

/// Comes back only if the command could not be started.
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
            return Err(Failure::usage(format!("two names for one variable, {variable}: write NAME=VAR for each")));
        }
    }
    let [program, arguments @ ..] = args.command.as_slice() else {
        return Err(Failure::usage("there is no command after --"));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    // The connection, and a runtime where there was one, is gone before the command takes over.
    let tokens = match args.bindings.as_slice() {
        [one] => vec![client.build_blocking().token_with(&one.name.to_string(), get::options(&args.token))],
        _ => block_on(async { Ok(tokens(&client.build(), args).await) })?,
    };
    for (binding, token) in args.bindings.iter().zip(tokens) {
        let token = token?;
        if let Some(failure) = get::short(&token, &args.token).filter(|_| !args.token.accept_short) {
            return Err(failure);
        }
        command.env(&binding.variable, token.secret());
    }
    Ok(command)
}

/// All tokens, asked for together, so that they share one wait.
async fn tokens(client: &Client, args: &ExecArgs) -> Vec<Result<Token, Error>> {
    let options = get::options(&args.token);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Result<(String, String), String> {
        text.parse::<Binding>().map(|binding| (binding.name.to_string(), binding.variable))
    }

    #[test]
    fn a_name_and_its_variable_are_split_at_the_last_equals_sign() {
        let pair = |name: &str, variable: &str| Ok((name.to_owned(), variable.to_owned()));
        assert_eq!(split("campus"), pair("campus", "TOKEN"));
        assert_eq!(split("campus=CENTRAL_1"), pair("campus", "CENTRAL_1"));
        assert_eq!(split("msp/a=b=_T"), pair("msp/a=b", "_T"));
    }

    #[test]
    fn what_is_no_variable_or_no_name_is_refused() {
        for text in ["campus=", "campus=1A", "campus=a-b", "campus=é", "=TOKEN", "msp/=TOKEN"] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
