//! The command line: its definition and its parser.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser};
use tokend_client::Builder;

use crate::commands::{Command, ExecArgs, GetArgs};
use crate::exit::{Exit, Failure};
use crate::output::print_failure;
use crate::text::Format;

const STATUSES: &str = "\
Exit status:
  0  done
  1  anything else
  2  usage
  3  the daemon cannot be reached
  4  denied
  5  no such name
  6  no good token now, try later (provider down, throttled, awaiting login)
  7  the provider refuses the credentials, or the chain is lost or empty: an operator is needed
  8  --min-ttl not met (stdout is empty, unless --accept-short)
  exec: the command's own; 125 tokenctl failed, 126 the command cannot be run, 127 it was not found";

/// Fresh tokens for HPE Aruba Networking Central, GreenLake and Classic Central, from the local tokend.
#[derive(Debug, Parser)]
#[command(name = "tokenctl", version, after_help = STATUSES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Arguments of every command.
#[derive(Debug, Args)]
pub(crate) struct GlobalArgs {
    /// The daemon's socket [default: $TOKEND_SOCKET, an existing $XDG_RUNTIME_DIR/tokend.sock,
    /// /run/tokend/tokend.sock]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
}

impl GlobalArgs {
    /// What makes a client.
    pub(crate) fn client(&self) -> Builder {
        self.socket.iter().fold(Builder::default(), |builder, path| builder.socket(path))
    }
}

/// The definition, for the manual page and the completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the command line. On `Err`, the help or the usage error is already printed.
pub(crate) fn parse() -> Result<Cli, Exit> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(cli) = parse_frequent(&arguments) {
        return Ok(cli);
    }
    Cli::try_parse_from(arguments).map_err(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            // A closed pipe is success here too.
            let _ = error.print();
            return Exit::Done;
        }
        let (exit, format) = usage_exit_and_format();
        match format {
            Format::Text => drop(error.print()),
            Format::Json => print_failure(&Failure { exit, ..Failure::usage(first_paragraph(&error)) }, format),
        }
        exit
    })
}

/// Parses the commands that scripts run most, without the definition of all the others, which would be most of the work
/// of such a process. `None` for anything unusual: the whole definition then parses it and reports its errors.
fn parse_frequent(arguments: &[OsString]) -> Option<Cli> {
    if let [_, command, name] = arguments
        && command == "get"
        && let Ok(name) = name.to_str()?.parse()
    {
        return Some(Cli { global: GlobalArgs { socket: None }, command: Command::Get(GetArgs::of(name)) });
    }
    let command = clap::Command::new("tokenctl").disable_help_subcommand(true);
    let command = match arguments.get(1)?.to_str()? {
        "get" => command.subcommand(GetArgs::augment_args(clap::Command::new("get"))),
        "exec" => command.subcommand(ExecArgs::augment_args(clap::Command::new("exec"))),
        _ => return None,
    };
    let matches = GlobalArgs::augment_args(command).try_get_matches_from(arguments).ok()?;
    Cli::from_arg_matches(&matches).ok()
}

/// The exit status and format of a usage error. A usage error of `exec` must not look like a status of its command, and
/// a reader of JSON wants the error as JSON.
fn usage_exit_and_format() -> (Exit, Format) {
    let matches = Cli::command().ignore_errors(true).try_get_matches();
    let is_exec = matches.is_ok_and(|matches| matches.subcommand_name() == Some("exec"));
    // The parser stops at the error. This reads the arguments behind it, up to the command of `exec`.
    let args: Vec<OsString> = std::env::args_os().skip(1).take_while(|arg| arg != "--").collect();
    let json = args.iter().any(|arg| arg == "--output=json")
        || args.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json");
    (if is_exec { Exit::ExecFailed } else { Exit::Usage }, if json { Format::Json } else { Format::Text })
}

fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    first.trim_start_matches("error: ").trim_end().to_owned()
}

#[cfg(test)]
mod tests;
