//! `tenants`: the tenants of an MSP workspace.

use clap::Args;
use serde::Serialize;
use tokend_client::blocking::Client;
use tokend_proto::ProfileName;

use crate::args::OutputArgs;
use crate::exit::Failure;
use crate::output::Report;
use crate::style::{Cell, Style, table};
use crate::text::Format;

#[derive(Debug, Args)]
pub(crate) struct TenantsArgs {
    /// The profile, one of GreenLake for which tenants are configured
    pub(crate) profile: ProfileName,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

pub(crate) fn run(client: &Client, args: &TenantsArgs, style: Style) -> Result<Report, Failure> {
    let tenants = client.tenants(args.profile.as_str())?;
    Ok(match args.output.format {
        Format::Text => {
            let rows: Vec<Vec<Cell>> =
                tenants.iter().map(|it| vec![it.id.as_str().into(), it.workspace_name.as_str().into()]).collect();
            Report::new(table(style, &["ID", "WORKSPACE"], &rows))
        }
        Format::Json => {
            let tenants =
                tenants.iter().map(|it| JsonTenant { id: &it.id, workspace_name: &it.workspace_name }).collect();
            Report::json(&Json { tenants })
        }
    })
}

#[derive(Serialize)]
struct Json<'a> {
    tenants: Vec<JsonTenant<'a>>,
}

#[derive(Serialize)]
struct JsonTenant<'a> {
    id: &'a str,
    workspace_name: &'a str,
}
