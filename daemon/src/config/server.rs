//! `[server]`: the socket and the state folder.

use std::path::{Path, PathBuf};

use super::accounts::Account;
use super::context::Context;
use super::findings::{Findings, Found, Place};
use super::raw::Section;

/// The socket and the state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where to listen when systemd hands over no socket. Absolute, and short enough for an address.
    pub socket: PathBuf,
    /// The socket's group.
    pub group: SocketGroup,
    /// Where chains are kept. Absolute.
    pub state_dir: PathBuf,
    /// Of all peers together.
    pub max_connections: u32,
    /// Of one user.
    pub max_connections_per_uid: u32,
}

impl Server {
    /// The group whose number has to be looked up for an own socket.
    pub(crate) fn named_group(&self) -> Option<Account> {
        match &self.group {
            SocketGroup::Named(name) => Some(Account::Group(name.clone())),
            SocketGroup::Asked(_) | SocketGroup::Usual => None,
        }
    }
}

/// Where the keys stand that are looked at again later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) socket: Place,
    pub(crate) group: Place,
    pub(crate) state_dir: Place,
    pub(crate) max_connections: Place,
    pub(crate) state_key: Place,
}

impl Places {
    pub(super) fn of(server: Option<&Section<'_>>, state: Option<&Section<'_>>) -> Self {
        let of = |section: Option<&Section<'_>>, name: &str, key: &str| match section {
            Some(section) if section.names(key) => section.place_of(key),
            // What is not said stands nowhere.
            _ => Place { line: None, key: Some(format!("{name}.{key}")) },
        };
        let of_server = |key| of(server, "server", key);
        Self {
            socket: of_server("socket"),
            group: of_server("group"),
            state_dir: of_server("state_dir"),
            max_connections: of_server("max_connections"),
            state_key: of(state, "state", "key"),
        }
    }
}

/// Which group the socket is to belong to, when tokend makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketGroup {
    /// The configuration says its number: not to be able to set it is a failure.
    Asked(u32),
    /// The configuration says its name. As long as its number is not known, the socket is the daemon's user's alone.
    Named(String),
    /// [`USUAL_GROUP`], if it exists and can be set. Looked up when the socket is made: where systemd hands one over, it
    /// is not needed, and asking all services of the machine for a group that does not exist takes longer than all else
    /// at start.
    Usual,
}

/// The socket's group when the configuration names none.
pub const USUAL_GROUP: &str = "tokend-users";

const SOCKET: &str = "/run/tokend/tokend.sock";
const STATE_DIR: &str = "/var/lib/tokend";
const STATE_DIRECTORY: &str = "STATE_DIRECTORY";
const MAX_CONNECTIONS: u32 = 4096;
const MAX_CONNECTIONS_PER_UID: u32 = 256;

/// Longest path of a socket in bytes: `sun_path` has 108 and ends with a zero byte (unix(7)).
const MAX_SOCKET_PATH: usize = 107;

/// `None` if anything is wrong.
pub(super) fn parse(section: Option<Section<'_>>, context: &Context<'_>) -> Option<Server> {
    let Some(mut section) = section else { return Some(defaults(context)) };
    let findings = context.findings;
    let usual = defaults(context);
    let socket = match section.text("socket", "an absolute path in quotes") {
        Some(found) => socket(&found, findings),
        None => Some(usual.socket),
    };
    let state_dir = match section.text("state_dir", "an absolute path in quotes") {
        Some(found) => absolute(&found, findings),
        None => Some(usual.state_dir),
    };
    let group = match section.take("group").map(|raw| raw.text_or_number("a group's name in quotes")) {
        Some(Some(found)) => Some(group(found)),
        Some(None) => None,
        None => Some(usual.group),
    };
    let mut count = |key, usual| match section.whole_number(key, "a whole number such as 256") {
        Some(Found { value: 0, place }) => {
            findings.error(&place, "is zero, which lets nobody in; expected a whole number such as 256");
            None
        }
        Some(found) => Some(found.value),
        None => Some(usual),
    };
    let max_connections = count("max_connections", usual.max_connections);
    let max_connections_per_uid = count("max_connections_per_uid", usual.max_connections_per_uid);
    section.finish();
    Some(Server {
        socket: socket?,
        group: group?,
        state_dir: state_dir?,
        max_connections: max_connections?,
        max_connections_per_uid: max_connections_per_uid?,
    })
}

fn defaults(context: &Context<'_>) -> Server {
    Server {
        socket: SOCKET.into(),
        group: SocketGroup::Usual,
        state_dir: state_directory(context).unwrap_or_else(|| STATE_DIR.into()),
        max_connections: MAX_CONNECTIONS,
        max_connections_per_uid: MAX_CONNECTIONS_PER_UID,
    }
}

/// systemd names all folders of `StateDirectory=`, with colons between them (systemd.exec(5)).
fn state_directory(context: &Context<'_>) -> Option<PathBuf> {
    let folders = context.environment.surroundings.variable(STATE_DIRECTORY)?;
    folders.to_str()?.split(':').next().map(PathBuf::from).filter(|folder| folder.is_absolute())
}

fn socket(found: &Found<String>, findings: &Findings) -> Option<PathBuf> {
    if found.value.len() > MAX_SOCKET_PATH {
        let expected = format!("at most {MAX_SOCKET_PATH}");
        findings.error(&found.place, format!("is a path of {} bytes; expected {expected}", found.value.len()));
        return None;
    }
    absolute(found, findings)
}

fn absolute(found: &Found<String>, findings: &Findings) -> Option<PathBuf> {
    let path = Path::new(&found.value);
    if !path.is_absolute() || found.value.contains('\0') {
        findings.error(
            &found.place,
            format!("{:?} is not an absolute path; expected one that starts with '/'", found.value),
        );
        return None;
    }
    Some(path.to_owned())
}

fn group(found: Found<String>) -> SocketGroup {
    let number = found.value.parse().ok();
    let account = Account::Group(found.value.clone());
    match number.or_else(|| account.everywhere()) {
        Some(number) => SocketGroup::Asked(number),
        None => SocketGroup::Named(found.value),
    }
}
