//! `whoami`, `reload`, `ping`: about the daemon and its view of us.

use serde::Serialize;
use tokend_client::{Client, Peer};

use crate::accounts;
use crate::exit::Failure;
use crate::output::{Format, Report};
use crate::style::{Cell, Style, Tone, table};

pub(crate) async fn ping(client: &Client, format: Format) -> Result<Report, Failure> {
    let version = client.ping().await?;
    Ok(match format {
        Format::Text => Report::new(format!("tokend {}\n", crate::style::escaped(&version))),
        Format::Json => Report::json(&serde_json::json!({ "version": version })),
    })
}

pub(crate) async fn reload(client: &Client, format: Format) -> Result<Report, Failure> {
    let reloaded = client.reload().await?;
    Ok(match format {
        Format::Text => {
            Report { notes: reloaded.warnings, ..Report::new("the new configuration is in force\n".into()) }
        }
        Format::Json => Report::json(&serde_json::json!({ "warnings": reloaded.warnings })),
    })
}

pub(crate) async fn whoami(client: &Client, format: Format, style: Style) -> Result<Report, Failure> {
    let peer = client.whoami().await?;
    Ok(match format {
        Format::Text => Report::new(words(&peer, style)),
        Format::Json => Report::json(&Json::from(&peer)),
    })
}

#[derive(Serialize)]
struct Json<'a> {
    uid: u32,
    gid: u32,
    groups: &'a [u32],
    pid: i32,
    unit: Option<&'a str>,
    superuser: bool,
    may_read: &'a [String],
    may_admin: &'a [String],
}

impl<'a> From<&'a Peer> for Json<'a> {
    fn from(peer: &'a Peer) -> Self {
        let Peer { uid, gid, groups, pid, unit, superuser, may_read, may_admin } = peer;
        Self {
            uid: *uid,
            gid: *gid,
            groups,
            pid: *pid,
            unit: unit.as_deref(),
            superuser: *superuser,
            may_read,
            may_admin,
        }
    }
}

/// Numbers in a pipe; on a terminal the names beside them.
fn words(peer: &Peer, style: Style) -> String {
    let user = |uid: u32| named(uid, accounts::user(uid), style);
    let group = |gid: u32| named(gid, accounts::group(gid), style);
    let list = |items: &[String]| if items.is_empty() { "-".to_owned() } else { items.join(" ") };
    let groups: Vec<String> = peer.groups.iter().map(|&gid| group(gid)).collect();
    let rows = [
        ("uid", user(peer.uid)),
        ("gid", group(peer.gid)),
        ("groups", list(&groups)),
        ("pid", peer.pid.to_string()),
        ("unit", peer.unit.clone().unwrap_or_else(|| "-".to_owned())),
        ("superuser", if peer.superuser { "yes" } else { "no" }.to_owned()),
        ("may_read", list(&peer.may_read)),
        ("may_admin", list(&peer.may_admin)),
    ];
    let rows: Vec<Vec<Cell>> =
        rows.iter().map(|(key, value)| vec![Cell::new(key, Tone::Heading), value.as_str().into()]).collect();
    table(style, &[], &rows)
}

fn named(number: u32, name: Option<String>, style: Style) -> String {
    match name {
        Some(name) if style.table => format!("{number}({name})"),
        _ => number.to_string(),
    }
}
