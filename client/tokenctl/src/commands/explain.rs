//! `explain`: why a name is in its state.

use clap::Args;
use serde::Serialize;
use tokend_client::Explanation;
use tokend_client::blocking::Client;
use tokend_proto::TokenRef;

use super::status::{self, word};
use crate::args::OutputArgs;
use crate::duration;
use crate::exit::Failure;
use crate::output::{Report, moment};
use crate::style::{Cell, Style, Tone, table};
use crate::text::Format;

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// PROFILE or PROFILE/TENANT
    pub(crate) name: TokenRef,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

pub(crate) fn run(client: &Client, args: &ExplainArgs, style: Style) -> Result<Report, Failure> {
    let explanation = client.explain(&args.name.to_string())?;
    Ok(match args.output.format {
        Format::Text => Report::new(words(&explanation, style)),
        Format::Json => Report::json(&Json::from(&explanation)),
    })
}

/// A line for each fact; a terminal shows only facts that have a value.
fn words(it: &Explanation, style: Style) -> String {
    let status = &it.status;
    let chain = status.chain.as_ref();
    let number = |number: u32| (number > 0).then(|| number.to_string());
    let logins = it.logins.map(|logins| {
        let at = logins.next_at.map_or_else(|| "now".to_owned(), moment);
        format!("{} attempts left, the next login is allowed {at}", logins.attempts_left)
    });
    let chain_state = chain.map(|chain| match &chain.why {
        Some(why) => format!("{}: {why}", chain.state),
        None => chain.state.clone(),
    });
    let facts = [
        ("name", Some(status.name.clone())),
        ("label", status.label.clone()),
        ("kind", Some(status.kind.clone())),
        ("health", Some(word(status.health).to_owned())),
        ("token", status.fingerprint.map(|fingerprint| fingerprint.to_string())),
        ("issued", it.issued_at.map(moment)),
        ("renewed_from", it.refresh_at.map(moment)),
        ("expires", status.expires_at.map(moment)),
        ("next", Some(it.next.clone())),
        ("next_at", status.next_at.map(moment)),
        ("last_error", status.last_error.clone()),
        ("failures", number(it.failures)),
        ("action", status.action.clone()),
        ("forced_again_at", it.forced_again_at.map(moment)),
        ("waiting", number(it.waiting)),
        ("watching", number(it.watching)),
        ("chain", chain_state),
        ("chain_age", it.chain_age.map(|age| duration::shown(age.into()))),
        ("chain_ends", chain.and_then(|chain| chain.ends_at).map(moment)),
        ("logins", logins),
    ];
    let row = |(key, value): &(&str, Option<String>)| -> Vec<Cell> {
        let value = match *key {
            "health" => Cell::new(word(status.health), status::tone(status.health)),
            _ => Cell::optional(value.as_deref()),
        };
        vec![Cell::new(key, Tone::Heading), value]
    };
    let rows: Vec<Vec<Cell>> = facts.iter().filter(|(_, value)| !style.table || value.is_some()).map(row).collect();
    table(style, &[], &rows)
}

#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    status: status::JsonName<'a>,
    issued_at: Option<String>,
    refresh_at: Option<String>,
    next: &'a str,
    failures: u32,
    forced_again_at: Option<String>,
    waiting: u32,
    watching: u32,
    /// Seconds.
    chain_age: Option<u64>,
    logins: Option<JsonLogins>,
}

#[derive(Serialize)]
struct JsonLogins {
    attempts_left: u32,
    next_at: Option<String>,
}

impl<'a> From<&'a Explanation> for Json<'a> {
    fn from(it: &'a Explanation) -> Self {
        Self {
            status: (&it.status).into(),
            issued_at: it.issued_at.map(moment),
            refresh_at: it.refresh_at.map(moment),
            next: &it.next,
            failures: it.failures,
            forced_again_at: it.forced_again_at.map(moment),
            waiting: it.waiting,
            watching: it.watching,
            chain_age: it.chain_age.map(|age| std::time::Duration::from(age).as_secs()),
            logins: it.logins.map(|it| JsonLogins { attempts_left: it.attempts_left, next_at: it.next_at.map(moment) }),
        }
    }
}
