//! Where peers connect: a socket handed over by systemd, or one of our own.
//!
//! An own socket is bound under a temporary name, gets its mode and group, begins to listen, and only then is
//! linked to its path: nobody can connect to it before it is as it should be, and a peer that finds something at the
//! path finds a socket that is listening or one that is dead. link(2) does not replace what is there, so that
//! of two daemons that start at once one gets the path and the other one an error.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, lchown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, getsockopt, listen, socket, sockopt,
};

/// Mode of an own socket: its owner and its group may connect.
const SOCKET_MODE: u32 = 0o660;

/// Mode of an own socket whose group is not known yet.
const NARROW_MODE: u32 = 0o600;

/// Who may connect to an own socket, beside the daemon's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// This group. Not to be able to set it is a failure.
    Group(u32),
    /// This group, if it can be set; else the daemon's own.
    GroupIfPossible(u32),
    /// The daemon's own group.
    OwnGroup,
    /// Nobody, until it is known which group it is.
    NobodyYet,
}

/// How often the path is tried, when stale sockets come up there as fast as they are removed.
const LINK_ATTEMPTS: u32 = 5;

/// A listening socket. An own one is removed from its path on drop.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    own: Option<OwnPath>,
}

/// Why there is no socket to serve.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// LISTEN_FDS hands over what cannot be served.
    #[error(
        "LISTEN_FDS: one listening Unix stream socket is expected, {found}; see ListenStream= in systemd.socket(5)"
    )]
    HandedOver {
        /// What there is instead.
        found: String,
    },
    /// The folder of the socket is missing.
    #[error("the folder {} for the socket does not exist: create it, or let systemd do so (RuntimeDirectory=)", .0.display())]
    NoFolder(PathBuf),
    /// Somebody listens there.
    #[error("another daemon serves {}; stop it, or give this one another [server] socket", .0.display())]
    Served(PathBuf),
    /// A file of another type is at the path.
    #[error("{} exists and is no socket; move it away, or choose another [server] socket", .0.display())]
    NoSocket(PathBuf),
    /// The socket cannot be given to the group.
    #[error("the socket cannot be given to the group {group}: the daemon has to be root or a member of it")]
    Group {
        /// As configured, by number.
        group: u32,
        /// From the system.
        source: io::Error,
    },
    /// Anything else.
    #[error("the socket {} cannot be {doing}", .path.display())]
    System {
        /// As configured.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// From the system.
        source: io::Error,
    },
}

impl Listener {
    /// Takes the socket that systemd hands over (sd_listen_fds(3)), if it does. Its path is not ours: it stays.
    ///
    /// # Errors
    /// When what is handed over is not one listening Unix stream socket.
    pub fn from_systemd(mut sockets: Vec<io::Result<UnixListener>>) -> Result<Option<Self>, ListenError> {
        let Some(socket) = sockets.pop() else { return Ok(None) };
        if !sockets.is_empty() {
            let found = format!("there are {} sockets", sockets.len() + 1);
            return Err(ListenError::HandedOver { found });
        }
        let found = |error: io::Error| ListenError::HandedOver { found: error.to_string() };
        Self::handed_over(socket.map_err(found)?).map(Some)
    }

    fn handed_over(socket: UnixListener) -> Result<Self, ListenError> {
        match getsockopt(&socket, sockopt::AcceptConn) {
            Ok(true) => Ok(Self { socket, own: None }),
            Ok(false) => Err(ListenError::HandedOver { found: "this one does not listen".into() }),
            Err(errno) => Err(ListenError::HandedOver { found: errno.to_string() }),
        }
    }

    /// Makes a socket at `path`, mode 0660, or 0600 as long as there is no group for it.
    ///
    /// # Errors
    /// When the folder is missing, the path is taken by a live socket or by something else, or the group that was asked
    /// for is not the daemon's to give to.
    pub fn bind(path: &Path, admitted: Admitted) -> Result<Self, ListenError> {
        let failed = |doing| move |source: io::Error| ListenError::System { path: path.to_owned(), doing, source };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary = TemporaryPath::in_folder(folder);
        let socket = bind_unreachable(&temporary.0).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ListenError::NoFolder(folder.to_owned()),
            _ => failed("made")(error),
        })?;
        let mode = if admitted == Admitted::NobodyYet { NARROW_MODE } else { SOCKET_MODE };
        fs::set_permissions(&temporary.0, fs::Permissions::from_mode(mode)).map_err(failed("given its mode"))?;
        match admitted {
            Admitted::Group(group) => {
                chown(&temporary.0, None, Some(group)).map_err(|source| ListenError::Group { group, source })?
            }
            Admitted::GroupIfPossible(group) => {
                let _ = chown(&temporary.0, None, Some(group));
            }
            Admitted::OwnGroup | Admitted::NobodyYet => {}
        }
        listen(&socket, Backlog::MAXCONN).map_err(|errno| failed("listened on")(errno.into()))?;
        let inode = Inode::of(&temporary.0).map_err(failed("looked at"))?;
        link(&temporary.0, path, folder)?;
        let is_narrow = admitted == Admitted::NobodyYet;
        Ok(Self { socket: socket.into(), own: Some(OwnPath { path: path.to_owned(), is_narrow, inode }) })
    }

    /// To let a group in later; `None` of a socket that has its group, or was handed over.
    #[must_use]
    pub fn narrow_door(&self) -> Option<Door> {
        let own = self.own.as_ref().filter(|own| own.is_narrow)?;
        Some(Door { path: own.path.clone(), inode: own.inode })
    }

    /// The socket, to be served, and its path, to be held for as long.
    pub(super) fn into_parts(self) -> (UnixListener, Option<OwnPath>) {
        (self.socket, self.own)
    }
}

/// The path of an own socket, as long as it is that socket's.
#[derive(Debug, Clone)]
pub struct Door {
    path: PathBuf,
    inode: Inode,
}

impl Door {
    /// Lets a group connect.
    ///
    /// # Errors
    /// When the group is not the daemon's to give to, or the socket is not there any more.
    pub fn open_to(&self, group: u32) -> io::Result<()> {
        if Inode::of(&self.path)? != self.inode {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        lchown(&self.path, None, Some(group))?;
        fs::set_permissions(&self.path, fs::Permissions::from_mode(SOCKET_MODE))
    }
}

/// A socket's path, removed on drop if it still is that socket's.
#[derive(Debug)]
pub(super) struct OwnPath {
    path: PathBuf,
    is_narrow: bool,
    inode: Inode,
}

impl Drop for OwnPath {
    fn drop(&mut self) {
        if Inode::of(&self.path).is_ok_and(|found| found == self.inode)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket could not be removed");
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { device: metadata.dev(), number: metadata.ino() })
    }
}

/// A name beside the socket's, removed on drop.
struct TemporaryPath(PathBuf);

impl TemporaryPath {
    /// No other process has this name: it holds our process id, and what a dead one left behind is removed.
    fn in_folder(folder: &Path) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = folder.join(format!(".t{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let _ = fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for TemporaryPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A bound socket that does not listen yet: connecting to it is refused.
fn bind_unreachable(path: &Path) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket)
}

/// Gives the listening socket its path, in place of a stale one but of nothing else.
fn link(temporary: &Path, path: &Path, folder: &Path) -> Result<(), ListenError> {
    let failed = |doing| move |source: io::Error| ListenError::System { path: path.to_owned(), doing, source };
    for _ in 0..LINK_ATTEMPTS {
        match fs::hard_link(temporary, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => remove_stale(path, folder)?,
            other => return other.map_err(failed("put in its place")),
        }
    }
    Err(failed("put in its place")(Errno::EEXIST.into()))
}

/// Removes a socket that nobody listens on. It is moved aside first and asked again there, so that a daemon
/// that has put its live socket there in between is not robbed of it.
fn remove_stale(path: &Path, folder: &Path) -> Result<(), ListenError> {
    let failed = |doing| move |source: io::Error| ListenError::System { path: path.to_owned(), doing, source };
    match state_of(path).map_err(failed("asked whether it is live"))? {
        State::Gone => return Ok(()),
        State::Other => return Err(ListenError::NoSocket(path.to_owned())),
        State::Live => return Err(ListenError::Served(path.to_owned())),
        State::Stale => {}
    }
    let aside = TemporaryPath::in_folder(folder);
    match fs::rename(path, &aside.0) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed("replaced"))?,
    }
    match state_of(&aside.0).map_err(failed("asked whether it is live"))? {
        State::Stale | State::Gone => Ok(()),
        State::Live | State::Other => {
            fs::rename(&aside.0, path).map_err(failed("put back"))?;
            Err(ListenError::Served(path.to_owned()))
        }
    }
}

enum State {
    Gone,
    Stale,
    Live,
    Other,
}

fn state_of(path: &Path) -> io::Result<State> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Gone),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => return Ok(State::Other),
        Ok(_) => {}
    }
    match connect(path) {
        Ok(()) => Ok(State::Live),
        Err(Errno::ECONNREFUSED) => Ok(State::Stale),
        Err(Errno::ENOENT) => Ok(State::Gone),
        // EAGAIN: listening, with a full backlog. EACCES, EPROTOTYPE: not ours to judge dead.
        Err(Errno::EAGAIN | Errno::EACCES | Errno::EPERM | Errno::EPROTOTYPE) => Ok(State::Live),
        Err(errno) => Err(errno.into()),
    }
}

/// Without waiting: a daemon whose backlog is full must not hold up this one.
fn connect(path: &Path) -> nix::Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    nix::sys::socket::connect(socket.as_raw_fd(), &UnixAddr::new(path)?)
}

#[cfg(test)]
#[path = "tests/listener.rs"]
mod tests;
