//! What the service manager is told, sd_notify(3).
//!
//! Not the crate `sd-notify`: 0.5.0 does not reach an abstract socket and waits without a limit for a manager that does
//! not read. Here a message that may be lost is lost then, and one that may not waits a few seconds.

use std::env;
use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};

use super::clock;

/// How long a message that must arrive waits for a manager that is busy. It stands still with all that its sender does.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of a status: systemd takes messages of 4,096 and shows one line.
const MAX_STATUS: usize = 1024;

/// The way to the service manager. Cheap to clone; where there is no manager, nothing happens.
#[derive(Debug, Clone, Default)]
pub struct Notifier(Option<Arc<Target>>);

#[derive(Debug)]
struct Target {
    socket: UnixDatagram,
    address: UnixAddr,
}

/// One thing to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// The socket is served, or a reload has ended; with a status.
    Ready(&'a str),
    /// A reload begins.
    Reloading,
    /// The daemon is ending; with a status, and how long that may take if it is longer than usual.
    Stopping(&'a str, Option<Duration>),
    /// How it is doing.
    Status(&'a str),
    /// It is alive.
    Watchdog,
}

impl Notifier {
    /// To the manager that `NOTIFY_SOCKET` names, if it does. An address that cannot be used is a warning.
    #[must_use]
    pub fn from_environment() -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Self::default() };
        Self::to(&name).unwrap_or_else(|error| {
            tracing::warn!("NOTIFY_SOCKET={}: {error}; the service manager is not told anything", name.display());
            Self::default()
        })
    }

    /// To a path, or an abstract name after an `@`.
    ///
    /// # Errors
    /// When it is neither, or the system gives no socket.
    pub fn to(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', rest @ ..] => UnixAddr::new_abstract(rest)?,
            [b'/', ..] => UnixAddr::new(name)?,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract socket")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(Some(Arc::new(Target { socket, address }))))
    }

    /// Whether there is a service manager.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Says something; whether that could be done. If not, it is in the log: nothing that the daemon does depends on it.
    pub fn send(&self, message: Message<'_>) -> bool {
        let text = message.text();
        let flags = match message {
            Message::Status(_) | Message::Watchdog => MsgFlags::MSG_DONTWAIT,
            Message::Ready(_) | Message::Reloading | Message::Stopping(..) => MsgFlags::empty(),
        };
        let told = self.transmit(&text, &[], flags);
        if let Err(error) = &told {
            tracing::warn!("the service manager was not told {}: {error}", text.lines().next().unwrap_or_default());
        }
        told.is_ok()
    }

    /// Has a descriptor kept under this name, in place of all others under it, and given back to the next start.
    ///
    /// # Errors
    /// When the manager does not take the message. Whether it keeps the descriptor (`FileDescriptorStoreMax=`) is not
    /// known.
    pub fn store(&self, name: &str, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        self.transmit(&format!("FDSTOREREMOVE=1\nFDNAME={name}\n"), &[], MsgFlags::empty())?;
        self.transmit(&format!("FDSTORE=1\nFDNAME={name}\n"), &[descriptor.as_raw_fd()], MsgFlags::empty())
    }

    fn transmit(&self, text: &str, descriptors: &[i32], flags: MsgFlags) -> io::Result<()> {
        let Some(target) = &self.0 else { return Ok(()) };
        let rights = [ControlMessage::ScmRights(descriptors)];
        let rights = if descriptors.is_empty() { &[][..] } else { &rights[..] };
        let text = [IoSlice::new(text.as_bytes())];
        let flags = flags | MsgFlags::MSG_NOSIGNAL;
        sendmsg(target.socket.as_raw_fd(), &text, rights, flags, Some(&target.address))?;
        Ok(())
    }
}

impl Message<'_> {
    fn text(self) -> String {
        match self {
            Self::Ready(status) => format!("READY=1\n{}", field(status)),
            Self::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}\n", clock::monotonic().as_micros()),
            Self::Stopping(status, None) => format!("STOPPING=1\n{}", field(status)),
            Self::Stopping(status, Some(time)) => {
                format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}\n{}", time.as_micros(), field(status))
            }
            Self::Status(status) => field(status),
            Self::Watchdog => "WATCHDOG=1\n".to_owned(),
        }
    }
}

/// A status as a line of its own, whatever is in it: a line break would let its words say something else.
fn field(status: &str) -> String {
    let mut line = String::from("STATUS=");
    for character in status.chars().map(|character| if character.is_control() { ' ' } else { character }) {
        if line.len() + character.len_utf8() > MAX_STATUS {
            line.push('…');
            break;
        }
        line.push(character);
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_manager_at_a_path_or_under_an_abstract_name_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let at_path = UnixDatagram::bind(&path).unwrap();
        Notifier::to(path.as_os_str()).unwrap().send(Message::Ready("all is well"));
        assert_eq!(received(&at_path), "READY=1\nSTATUS=all is well\n");

        let name = format!("tokend-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let abstractly = UnixDatagram::bind_addr(&address).unwrap();
        Notifier::to(OsStr::new(&format!("@{name}"))).unwrap().send(Message::Watchdog);
        assert_eq!(received(&abstractly), "WATCHDOG=1\n");
    }

    #[test]
    fn nothing_happens_where_there_is_no_manager_and_nothing_breaks_where_it_is_gone() {
        assert!(!Notifier::default().is_there());
        Notifier::default().send(Message::Ready(""));
        let gone = Notifier::to(OsStr::new("/nonexistent/notify")).unwrap();
        gone.send(Message::Ready(""));
        assert!(Notifier::to(OsStr::new("vsock:2:1234")).is_err());
    }

    #[test]
    fn what_may_be_lost_does_not_wait_for_a_manager_that_does_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _deaf = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(path.as_os_str()).unwrap();
        // More than any queue of datagrams has room for, net.unix.max_dgram_qlen: it would wait for ever.
        for _ in 0..5_000 {
            notifier.send(Message::Status("x"));
        }
    }

    #[test]
    fn words_stay_in_their_line_and_in_their_length() {
        let text = Message::Status("broken\nMAINPID=1\r\u{1b}[31m").text();
        assert_eq!(text, "STATUS=broken MAINPID=1  [31m\n");
        let long = Message::Status(&"é".repeat(4000)).text();
        assert!(long.len() < MAX_STATUS + 10 && long.ends_with("…\n"), "{}", long.len());
        assert_eq!(Message::Stopping("x", None).text(), "STOPPING=1\nSTATUS=x\n");
        let extended = Message::Stopping("x", Some(Duration::from_secs(60))).text();
        assert_eq!(extended, "STOPPING=1\nEXTEND_TIMEOUT_USEC=60000000\nSTATUS=x\n");
        let reloading = Message::Reloading.text();
        let stamp = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
        assert!(stamp.parse::<u64>().unwrap() > 0);
    }
}
