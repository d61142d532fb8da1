//! `status`: the state of names.

use clap::Args;
use serde::Serialize;
use tokend_client::blocking::Client;
use tokend_client::{ChainStatus, Health, NameStatus, Status};
use tokend_proto::TokenRef;

use crate::args::OutputArgs;
use crate::exit::Failure;
use crate::output::{Report, moment};
use crate::style::{Cell, Style, Tone, table};
use crate::text::{Format, escaped};

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

pub(crate) fn run(client: &Client, args: &StatusArgs, style: Style) -> Result<Report, Failure> {
    let name = args.name.as_ref().map(ToString::to_string);
    let status = client.status(name.as_deref())?;
    Ok(match args.output.format {
        Format::Text => {
            let text = words(&status, style);
            Report { notes: status.notes, ..Report::new(text) }
        }
        Format::Json => Report::json(&Json::from(&status)),
    })
}

/// The health as a stable word.
pub(super) fn word(health: Health) -> &'static str {
    match health {
        Health::Good => "good",
        Health::Failing => "failing",
        Health::Unavailable => "unavailable",
        Health::Rejected => "rejected",
        Health::AwaitingLogin => "awaiting_login",
        Health::ChainLost => "chain_lost",
        Health::ChainEmpty => "chain_empty",
    }
}

pub(super) fn tone(health: Health) -> Tone {
    match health {
        Health::Good => Tone::Good,
        Health::Failing | Health::Unavailable | Health::AwaitingLogin => Tone::Passing,
        Health::Rejected | Health::ChainLost | Health::ChainEmpty => Tone::Bad,
    }
}

const HEADER: [&str; 8] = ["NAME", "KIND", "HEALTH", "EXPIRES", "NEXT", "LABEL", "CHAIN", "ERROR"];

/// The number of fields in a name's line in a pipe.
pub(super) const FIELDS: usize = HEADER.len() + 1;

/// A terminal shows what a person has to do under the table; a pipe gets it as one more field.
pub(super) fn words(status: &Status, style: Style) -> String {
    let rows: Vec<Vec<Cell>> = status.names.iter().map(|name| row(name, style)).collect();
    let mut text = table(style, &HEADER, &rows);
    if style.table {
        for name in &status.names {
            if let Some(action) = &name.action {
                text.push_str(&format!("\n{}: {}\n", escaped(&name.name), escaped(action)));
            }
        }
    }
    text
}

/// A name's line: [`FIELDS`] fields in a pipe.
pub(super) fn row(name: &NameStatus, style: Style) -> Vec<Cell> {
    let at = |stamp: Option<_>| Cell::optional(stamp.map(moment).as_deref());
    let mut row = vec![
        name.name.as_str().into(),
        name.kind.as_str().into(),
        Cell::new(word(name.health), tone(name.health)),
        at(name.expires_at),
        at(name.next_at),
        Cell::optional(name.label.as_deref()),
        Cell::optional(name.chain.as_ref().map(|chain| chain.state.as_str())),
        Cell::optional(name.last_error.as_deref()),
    ];
    if !style.table {
        row.push(Cell::optional(name.action.as_deref()));
    }
    row
}

#[derive(Serialize)]
pub(super) struct Json<'a> {
    version: &'a str,
    notes: &'a [String],
    names: Vec<JsonName<'a>>,
}

#[derive(Serialize)]
pub(super) struct JsonName<'a> {
    name: &'a str,
    label: Option<&'a str>,
    kind: &'a str,
    health: &'static str,
    fingerprint: Option<String>,
    expires_at: Option<String>,
    next_at: Option<String>,
    last_error: Option<&'a str>,
    action: Option<&'a str>,
    chain: Option<JsonChain<'a>>,
}

#[derive(Serialize)]
struct JsonChain<'a> {
    state: &'a str,
    rotated_at: Option<String>,
    ends_at: Option<String>,
    why: Option<&'a str>,
}

impl<'a> From<&'a Status> for Json<'a> {
    fn from(status: &'a Status) -> Self {
        let names = status.names.iter().map(JsonName::from).collect();
        Self { version: &status.version, notes: &status.notes, names }
    }
}

impl<'a> From<&'a NameStatus> for JsonName<'a> {
    fn from(it: &'a NameStatus) -> Self {
        Self {
            name: &it.name,
            label: it.label.as_deref(),
            kind: &it.kind,
            health: word(it.health),
            fingerprint: it.fingerprint.map(|fingerprint| fingerprint.to_string()),
            expires_at: it.expires_at.map(moment),
            next_at: it.next_at.map(moment),
            last_error: it.last_error.as_deref(),
            action: it.action.as_deref(),
            chain: it.chain.as_ref().map(JsonChain::from),
        }
    }
}

impl<'a> From<&'a ChainStatus> for JsonChain<'a> {
    fn from(it: &'a ChainStatus) -> Self {
        Self {
            state: &it.state,
            rotated_at: it.rotated_at.map(moment),
            ends_at: it.ends_at.map(moment),
            why: it.why.as_deref(),
        }
    }
}
