//! `get`: prints one token in the format that the next program takes.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokend_client::Token;
use tokend_client::blocking::Client;
use tokend_proto::TokenRef;

use crate::args::TokenArgs;
use crate::binding::{Binding, DEFAULT_VARIABLE};
use crate::clock;
use crate::exit::Failure;
use crate::output::{Report, moment};
use crate::text::json_line;

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
    pub(crate) fn of(name: TokenRef) -> Self {
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

pub(crate) fn run(client: &Client, args: &GetArgs) -> Result<Report, Failure> {
    let variable = match (&args.var, args.output) {
        (None, _) => DEFAULT_VARIABLE,
        (Some(variable), TokenFormat::Env) => variable,
        (Some(_), _) => return Err(Failure::usage("--var needs --output env")),
    };
    let token = client.token_with(&args.name.to_string(), args.token.options())?;
    match args.token.falls_short(&token) {
        Some(failure) if !args.token.accept_short => Err(failure),
        failure => Ok(Report { failure, ..Report::new(formatted(&token, args.output, variable, clock::boot_ms())) }),
    }
}

/// The provider's own fields (RFC 6749, section 5.1) with the life that is left, and two fields of tokenctl's.
#[derive(Serialize)]
pub(super) struct Json<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expires_in: u64,
    expires_at: String,
    fingerprint: String,
}

fn formatted(token: &Token, format: TokenFormat, variable: &str, boot_ms: u64) -> String {
    let secret = token.secret();
    let scheme = token.scheme();
    match format {
        TokenFormat::Raw => format!("{secret}\n"),
        TokenFormat::Header => format!("Authorization: {scheme} {secret}\n"),
        TokenFormat::Env => format!("{variable}={secret}\n"),
        TokenFormat::Curl => format!("header = \"Authorization: {scheme} {secret}\"\n"),
        TokenFormat::Json => json_line(&json(token, boot_ms)) + "\n",
    }
}

pub(super) fn json(token: &Token, boot_ms: u64) -> Json<'_> {
    Json {
        access_token: token.secret(),
        token_type: token.token_type(),
        expires_in: token.remaining(boot_ms).as_secs(),
        expires_at: moment(token.expires_at()),
        fingerprint: token.fingerprint().to_string(),
    }
}
