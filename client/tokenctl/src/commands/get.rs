//! `get`: prints one token in the format that the next program takes.

use serde::Serialize;
use tokend_client::Token;
use tokend_client::blocking::Client;

use crate::binding::DEFAULT_VARIABLE;
use crate::cli::{GetArgs, TokenFormat};
use crate::clock;
use crate::exit::Failure;
use crate::output::{Report, moment};
use crate::text::json_line;

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
