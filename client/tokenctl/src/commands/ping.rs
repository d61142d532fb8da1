//! `ping`: the daemon's version.

use tokend_client::blocking::Client;

use crate::args::OutputArgs;
use crate::exit::Failure;
use crate::output::Report;
use crate::text::{Format, escaped};

pub(crate) fn run(client: &Client, args: OutputArgs) -> Result<Report, Failure> {
    let version = client.ping()?;
    Ok(match args.format {
        Format::Text => Report::new(format!("tokend {}\n", escaped(&version))),
        Format::Json => Report::json(&serde_json::json!({ "version": version })),
    })
}
