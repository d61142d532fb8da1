//! `[server]`: the socket and the state folder.

use std::path::{Path, PathBuf};

use super::accounts::Account;
use super::context::Context;
use super::diagnostics::{Diagnostics, Place, Spanned};
use super::value::Section;

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
    pub(super) fn of(server: &Section<'_>, state: &Section<'_>) -> Self {
        Self {
            socket: server.said_at("socket"),
            group: server.said_at("group"),
            state_dir: server.said_at("state_dir"),
            max_connections: server.said_at("max_connections"),
            state_key: state.said_at("key"),
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
    /// [`USUAL_GROUP`], if it exists and can be set. Looked up when the socket is made: where systemd hands one over,
    /// it is not needed, and asking all services of the machine for a group that does not exist takes longer than all
    /// else at start.
    Usual,
}

/// The socket's group when the configuration names none.
pub const USUAL_GROUP: &str = "tokend-users";

const STATE_DIR: &str = "/var/lib/tokend";
const STATE_DIRECTORY: &str = "STATE_DIRECTORY";

/// Longest path of a socket in bytes: `sun_path` has 108 and ends with a zero byte (unix(7)).
const MAX_SOCKET_PATH: usize = 107;

/// `None` if anything is wrong.
pub(super) fn parse(mut section: Section<'_>, context: &Context<'_>) -> Option<Server> {
    let diagnostics = context.diagnostics;
    let socket = section.text("socket").and_then(|found| socket(&found, diagnostics));
    let state_dir = match section.has("state_dir") {
        true => section.text("state_dir").and_then(|found| absolute(&found, diagnostics)),
        false => Some(state_directory(context).unwrap_or_else(|| STATE_DIR.into())),
    };
    let group = match section.take("group") {
        Some(raw) => raw.text_or_number().map(group),
        None => Some(SocketGroup::Usual),
    };
    let max_connections = count(&mut section, "max_connections", diagnostics);
    let max_connections_per_uid = count(&mut section, "max_connections_per_uid", diagnostics);
    section.finish();
    Some(Server {
        socket: socket?,
        group: group?,
        state_dir: state_dir?,
        max_connections: max_connections?,
        max_connections_per_uid: max_connections_per_uid?,
    })
}

fn count(section: &mut Section<'_>, key: &'static str, diagnostics: &Diagnostics) -> Option<u32> {
    let Spanned { value, place } = section.whole_number(key)?;
    if value == 0 {
        diagnostics.error(&place, format!("is zero, which lets nobody in; expected {}", section.expected(key)));
        return None;
    }
    Some(value)
}

/// systemd names all folders of `StateDirectory=`, with colons between them (systemd.exec(5)).
fn state_directory(context: &Context<'_>) -> Option<PathBuf> {
    let folders = context.environment.process_env.variable(STATE_DIRECTORY)?;
    folders.to_str()?.split(':').next().map(PathBuf::from).filter(|folder| folder.is_absolute())
}

fn socket(found: &Spanned<String>, diagnostics: &Diagnostics) -> Option<PathBuf> {
    if found.value.len() > MAX_SOCKET_PATH {
        let expected = format!("at most {MAX_SOCKET_PATH}");
        diagnostics.error(&found.place, format!("is a path of {} bytes; expected {expected}", found.value.len()));
        return None;
    }
    absolute(found, diagnostics)
}

fn absolute(found: &Spanned<String>, diagnostics: &Diagnostics) -> Option<PathBuf> {
    let path = Path::new(&found.value);
    if !path.is_absolute() || found.value.contains('\0') {
        diagnostics.error(
            &found.place,
            format!("{:?} is not an absolute path; expected one that starts with '/'", found.value),
        );
        return None;
    }
    Some(path.to_owned())
}

fn group(found: Spanned<String>) -> SocketGroup {
    let number = found.value.parse().ok();
    let account = Account::Group(found.value.clone());
    match number.or_else(|| account.everywhere()) {
        Some(number) => SocketGroup::Asked(number),
        None => SocketGroup::Named(found.value),
    }
}
