//! `refresh`: renews a token now.

use clap::Args;
use serde::Serialize;
use tokend_client::blocking::Client;
use tokend_client::{Fingerprint, Stamp};
use tokend_proto::TokenRef;

use crate::args::OutputArgs;
use crate::exit::Failure;
use crate::output::{Report, moment};
use crate::text::{Format, escaped};

#[derive(Debug, Args)]
pub(crate) struct RefreshArgs {
    /// PROFILE or PROFILE/TENANT
    pub(crate) name: TokenRef,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

pub(crate) fn run(client: &Client, args: &RefreshArgs) -> Result<Report, Failure> {
    let name = args.name.to_string();
    let token = client.refresh(&name)?;
    Ok(renewed(&name, token.fingerprint, token.expires_at, args.output.format))
}

/// Reports the new token by its fingerprint; `get` prints the token itself.
pub(super) fn renewed(name: &str, fingerprint: Fingerprint, expires_at: Stamp, format: Format) -> Report {
    #[derive(Serialize)]
    struct Json<'a> {
        name: &'a str,
        fingerprint: String,
        expires_at: String,
    }
    let (fingerprint, expires_at) = (fingerprint.to_string(), moment(expires_at));
    match format {
        Format::Text => Report::new(format!("{}\t{fingerprint}\t{expires_at}\n", escaped(name))),
        Format::Json => Report::json(&Json { name, fingerprint, expires_at }),
    }
}
