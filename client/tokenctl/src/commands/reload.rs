//! `reload`: makes the daemon read its configuration again.

use tokend_client::Reloaded;
use tokend_client::blocking::Client;

use crate::args::OutputArgs;
use crate::exit::Failure;
use crate::output::Report;
use crate::text::{Format, escaped};

pub(crate) fn run(client: &Client, args: OutputArgs) -> Result<Report, Failure> {
    let reloaded = client.reload()?;
    let (changes, warnings) = reloaded.changes_and_warnings();
    Ok(match args.format {
        Format::Text => {
            let mut text = "the new configuration is in force\n".to_owned();
            for change in changes {
                text.push_str(&escaped(change));
                text.push('\n');
            }
            Report { notes: warnings.into_iter().map(str::to_owned).collect(), ..Report::new(text) }
        }
        Format::Json => {
            let changes: Vec<_> = changes.into_iter().filter(|change| *change != Reloaded::NOTHING).collect();
            Report::json(&serde_json::json!({ "changes": changes, "warnings": warnings }))
        }
    })
}
