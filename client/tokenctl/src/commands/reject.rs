//! `reject`: replaces a token that an API refused.

use std::io::Read;
use std::time::Duration;

use clap::Args;
use tokend_client::blocking::Client;
use tokend_client::{Fingerprint, Secret};
use tokend_proto::TokenRef;

use super::refresh::renewed;
use crate::args::OutputArgs;
use crate::exit::{Exit, Failure};
use crate::output::Report;

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

/// The longest token accepted from stdin: no frame can carry a longer one.
const MAX_TOKEN: u64 = tokend_proto::limits::MAX_FRAME as u64;

pub(crate) fn run(client: &Client, args: &RejectArgs) -> Result<Report, Failure> {
    let rejected = match args.token {
        TokenSelector { fingerprint: Some(fingerprint), .. } => fingerprint,
        TokenSelector { fingerprint: None, .. } => Fingerprint::of(&token_from(std::io::stdin().lock())?),
    };
    let name = args.name.to_string();
    let token = client.reject_fingerprint(&name, rejected, Duration::ZERO)?;
    Ok(renewed(&name, token.fingerprint(), token.expires_at(), args.output.format))
}

fn token_from(input: impl Read) -> Result<Secret, Failure> {
    let mut bytes = Vec::with_capacity(4096);
    let read = input.take(MAX_TOKEN + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::new(Exit::Other, "input", format!("cannot read the token from stdin: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::usage("stdin is not a token: expected UTF-8 text"))?;
    let whole = Secret::new(text);
    let token = Secret::from(whole.expose().trim());
    if token.is_empty() {
        return Err(Failure::usage("stdin is empty: expected a token"));
    }
    if whole.expose().len() as u64 > MAX_TOKEN || token.expose().contains(char::is_whitespace) {
        return Err(Failure::usage("stdin holds more than a token: expected one token without spaces"));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_on_stdin_may_end_its_line() {
        assert_eq!(token_from(&b"abc.def\r\n"[..]).unwrap(), Secret::from("abc.def"));
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_shown() {
        for bad in [&b""[..], b"\n\n", b"secret other", b"secret\nother\n", b"secret\xff", &[b'a'; 70_000]] {
            let failure = token_from(bad).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(!failure.message.contains("secret"), "{failure}");
        }
    }
}
