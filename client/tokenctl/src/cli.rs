//! The command line: its definition and its parser.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use tokend_client::{Fingerprint, Token, TokenOptions};
use tokend_proto::{ProfileName, TokenRef};

use crate::binding::Binding;
use crate::clock;
use crate::duration;
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

/// How to show the result.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputArgs {
    /// How the result is shown; with json, errors are JSON on stderr
    #[arg(long = "output", value_name = "OUTPUT", value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// What kind of token the command wants.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct TokenArgs {
    /// Life that the token should have left, as in 90s or 20m
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "0s", hide_default_value = true)]
    pub(crate) min_ttl: Duration,
    /// How long to wait for a token, 10m at most
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "10s")]
    pub(crate) wait: Duration,
    /// Accept a token that has less life than --min-ttl (get still ends with status 8)
    #[arg(long)]
    pub(crate) accept_short: bool,
}

impl TokenArgs {
    pub(crate) fn options(&self) -> TokenOptions {
        TokenOptions { min_ttl: self.min_ttl, wait: Some(self.wait) }
    }

    /// The failure of a token that has less life than `--min-ttl`.
    pub(crate) fn falls_short(&self, token: &Token) -> Option<Failure> {
        token.falls_short().then(|| {
            let left = token.remaining(clock::boot_ms()).as_secs();
            let wanted = self.min_ttl.as_secs();
            let message =
                format!("the newest token of {} expires in {left} s: expected {wanted} s or more", token.name());
            Failure::new(Exit::FallsShort, "falls_short", message)
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// PROFILE or PROFILE/TENANT
    pub(crate) name: TokenRef,
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    /// How the token is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: TokenFormat,
    /// The variable that `--output env` sets [default: TOKEN]
    #[arg(long, value_name = "VAR", value_parser = Binding::variable)]
    pub(crate) var: Option<String>,
}

impl GetArgs {
    /// The arguments when only a name is given.
    fn of(name: TokenRef) -> Self {
        let token = TokenArgs { min_ttl: Duration::ZERO, wait: Duration::from_secs(10), accept_short: false };
        Self { name, token, output: TokenFormat::Raw, var: None }
    }
}

/// How a token is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum TokenFormat {
    /// The token
    #[default]
    Raw,
    /// The provider's own JSON with the remaining expires_in, plus expires_at and fingerprint
    Json,
    /// Authorization: Bearer …
    Header,
    /// TOKEN=…
    Env,
    /// Configuration for curl -K -
    Curl,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// PROFILE or PROFILE/TENANT [default: all that you may read]
    pub(crate) name: Option<TokenRef>,
    /// Keep running: redraw on a terminal; in a pipe, print a line for each name that has changed
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// PROFILE or PROFILE/TENANT
    pub(crate) name: TokenRef,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// PROFILE or PROFILE/TENANT
    pub(crate) name: TokenRef,
    /// What a line holds
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: WatchFormat,
}

/// What a line of `watch` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum WatchFormat {
    /// Fields between tabs: token, its fingerprint, expiry and renewal; or health, the word, error and what to do
    #[default]
    Text,
    /// Each new token alone; health goes to stderr
    Raw,
    /// A JSON object, tokens in it
    Json,
}

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

#[derive(Debug, Args)]
pub(crate) struct RejectArgs {
    /// PROFILE or PROFILE/TENANT
    pub(crate) name: TokenRef,
    #[command(flatten)]
    pub(crate) token: TokenSelector,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The token that an API refused. A token is never an argument, because any user can read the arguments of a process.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TokenSelector {
    /// The token's fingerprint, as `get --output json` shows it
    #[arg(long, value_name = "HEX")]
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Read the token from stdin
    #[arg(long)]
    pub(crate) token_stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RefreshArgs {
    /// PROFILE or PROFILE/TENANT
    pub(crate) name: TokenRef,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The profile, one of Classic Central
    pub(crate) name: ProfileName,
    /// Download Token JSON, or any JSON object with a refresh_token; - is stdin
    #[arg(default_value = "-", hide_default_value = true)]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TenantsArgs {
    /// The profile, one of GreenLake for which tenants are configured
    pub(crate) profile: ProfileName,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// PROFILE or PROFILE/TENANT [default: all that you may read]
    pub(crate) names: Vec<TokenRef>,
    /// How long to wait, 10m at most, also for the daemon itself
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "10s")]
    pub(crate) wait: Duration,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Cli {
    /// The format of errors, for the whole run.
    pub(crate) fn format(&self) -> Format {
        match &self.command {
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
