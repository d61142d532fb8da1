//! `whoami`: what the daemon sees of this process, and what it may do.

use serde::Serialize;
use tokend_client::blocking::Client;
use tokend_client::{Error, NameRights, Peer, Rights};

use crate::accounts;
use crate::args::OutputArgs;
use crate::exit::Failure;
use crate::output::Report;
use crate::style::{Cell, Style, Tone, table};
use crate::text::Format;

pub(crate) fn run(client: &Client, args: OutputArgs, style: Style) -> Result<Report, Failure> {
    let (identity, notes) = match client.rights() {
        Ok(Rights { peer, slices, no_unit, names }) => (Identity { peer, slices, no_unit, names: Some(names) }, vec![]),
        Err(Error::Unsupported(_)) => {
            let peer = client.whoami()?;
            let note = "this tokend is older than tokenctl and does not say which names you may have";
            (Identity { peer, slices: Vec::new(), no_unit: None, names: None }, vec![note.to_owned()])
        }
        Err(error) => return Err(error.into()),
    };
    let report = match args.format {
        Format::Text => Report::new(words(&identity, style)),
        Format::Json => Report::json(&Json::from(&identity)),
    };
    Ok(Report { notes, ..report })
}

/// What the daemon sees of this process.
struct Identity {
    peer: Peer,
    slices: Vec<String>,
    no_unit: Option<String>,
    /// `None` if the daemon does not say.
    names: Option<Vec<NameRights>>,
}

#[derive(Serialize)]
struct Json<'a> {
    uid: u32,
    gid: u32,
    groups: &'a [u32],
    pid: i32,
    unit: Option<&'a str>,
    slices: &'a [String],
    no_unit: Option<&'a str>,
    superuser: bool,
    may_read: &'a [String],
    may_admin: &'a [String],
    names: Option<Vec<JsonName<'a>>>,
}

#[derive(Serialize)]
struct JsonName<'a> {
    name: &'a str,
    label: Option<&'a str>,
    admin: bool,
}

impl<'a> From<&'a Identity> for Json<'a> {
    fn from(identity: &'a Identity) -> Self {
        let Peer { uid, gid, groups, pid, unit, superuser, may_read, may_admin } = &identity.peer;
        let name = |it: &'a NameRights| JsonName { name: &it.name, label: it.label.as_deref(), admin: it.admin };
        Self {
            uid: *uid,
            gid: *gid,
            groups,
            pid: *pid,
            unit: unit.as_deref(),
            slices: &identity.slices,
            no_unit: identity.no_unit.as_deref(),
            superuser: *superuser,
            may_read,
            may_admin,
            names: identity.names.as_ref().map(|names| names.iter().map(name).collect()),
        }
    }
}

/// A pipe gets numbers, and a line for each name. A terminal also shows the names of users and groups, and a table of
/// tokens' names.
fn words(identity: &Identity, style: Style) -> String {
    let peer = &identity.peer;
    let user = |uid: u32| named(uid, accounts::user(uid), style);
    let group = |gid: u32| named(gid, accounts::group(gid), style);
    let list = |items: &[String]| items.join(" ");
    let groups: Vec<String> = peer.groups.iter().map(|&gid| group(gid)).collect();
    let facts = [
        ("uid", user(peer.uid)),
        ("gid", group(peer.gid)),
        ("groups", list(&groups)),
        ("pid", peer.pid.to_string()),
        ("unit", peer.unit.clone().unwrap_or_default()),
        ("slices", list(&identity.slices)),
        ("no_unit", identity.no_unit.clone().unwrap_or_default()),
        ("superuser", if peer.superuser { "yes" } else { "no" }.to_owned()),
        ("may_read", list(&peer.may_read)),
        ("may_admin", list(&peer.may_admin)),
    ];
    let facts = facts.iter().filter(|(_, value)| !style.table || !value.is_empty());
    let facts: Vec<Vec<Cell>> =
        facts.map(|(key, value)| vec![Cell::new(key, Tone::Heading), Cell::optional(Some(value))]).collect();
    let mut text = table(style, &[], &facts);
    let names = identity.names.as_deref().unwrap_or_default();
    let row = |name: &NameRights| -> Vec<Cell> {
        let may = if name.admin { "admin" } else { "read" };
        let cells = [name.name.as_str().into(), may.into(), Cell::optional(name.label.as_deref())];
        let key = (!style.table).then(|| Cell::new("name", Tone::Heading));
        key.into_iter().chain(cells).collect()
    };
    let names: Vec<Vec<Cell>> = names.iter().map(row).collect();
    if !names.is_empty() {
        text.push_str(if style.table { "\n" } else { "" });
        text.push_str(&table(style, &["NAME", "MAY", "LABEL"], &names));
    }
    text
}

fn named(number: u32, name: Option<String>, style: Style) -> String {
    match name {
        Some(name) if style.table => format!("{number}({name})"),
        _ => number.to_string(),
    }
}
