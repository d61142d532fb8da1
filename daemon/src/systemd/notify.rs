//! What the daemon says to the service manager, sd_notify(3).
//!
//! Not the crate `sd-notify`: 0.5.0 does not reach an abstract socket and waits without a limit for a manager that does
//! not read. Here nobody waits for the manager: what it does not take at once waits in order, and a thread that is
//! there only as long as something waits says it. What the manager need not hear any more is dropped: a status takes
//! the place of the one before, a reload that of another which the manager never heard of. Signs of life do not wait
//! behind other messages.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{env, thread};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg, setsockopt, sockopt};

use crate::os::clock;

/// How long an end waits for a manager that is busy.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Hardly anything is kept on the stack of the thread that waits for the manager.
const STACK: usize = 256 * 1024;

/// Bytes of a status: systemd takes messages of 4,096 and shows one line.
const MAX_STATUS: usize = 1024;

/// The way to the service manager. Cheap to clone; where there is no manager, nothing happens.
#[derive(Debug, Clone, Default)]
pub struct Notifier(Option<Arc<Target>>);

#[derive(Debug)]
struct Target {
    /// Takes only a few messages that the manager has not read.
    socket: UnixDatagram,
    /// Only for signs of life. The manager's queue is short, and one that was busy with other things for longer than
    /// its watchdog waits has to find some of them in it.
    alive: UnixDatagram,
    address: UnixAddr,
    waiting: Mutex<Waiting>,
    /// Nothing waits any more.
    said: Condvar,
}

/// What the manager did not take at once. At most one of each kind, and READY once more, before a reload.
#[derive(Debug, Default)]
struct Waiting {
    words: VecDeque<Words>,
    /// A thread waits for the manager. Only it says anything until it has said everything.
    is_busy: bool,
}

#[derive(Debug)]
struct Words {
    kind: Kind,
    text: String,
    descriptor: Option<OwnedFd>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ready,
    Reloading,
    Stopping,
    Status,
    Watchdog,
    /// Takes the descriptors of before away.
    Forget,
    Store,
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
            tracing::warn!("NOTIFY_SOCKET={}: {error}; nothing is said to the service manager", name.display());
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
        let (socket, alive) = (UnixDatagram::unbound()?, UnixDatagram::unbound()?);
        // The least that there is: a few messages that the manager has not read, and the next ones wait here.
        setsockopt(&socket, sockopt::SndBuf, &0)?;
        Ok(Self(Some(Arc::new(Target { socket, alive, address, waiting: Mutex::default(), said: Condvar::new() }))))
    }

    /// Whether there is a service manager.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Says something, at once or as soon as the manager listens; `false` where it is gone, which is in the log:
    /// nothing that the daemon does depends on it. Never waits.
    pub fn send(&self, message: Message<'_>) -> bool {
        let text = message.text();
        let words = Words { kind: message.kind(), text: text.clone(), descriptor: None };
        let said = match (message, &self.0) {
            (Message::Watchdog, Some(target)) => match target.transmit(&target.alive, &words, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EAGAIN) => Ok(()), // those before it are as good
                said => said.map_err(io::Error::from),
            },
            _ => self.say([words]),
        };
        if let Err(error) = &said {
            not_told(&text, error);
        }
        said.is_ok()
    }

    /// Has a descriptor kept under this name, in place of all others under it, and given back to the next start. Never
    /// waits.
    ///
    /// # Errors
    /// When the manager is gone. Whether it keeps the descriptor (`FileDescriptorStoreMax=`) is not known.
    pub fn store(&self, name: &str, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        let descriptor = Some(descriptor.try_clone_to_owned()?);
        let (forget, store) = (format!("FDSTOREREMOVE=1\nFDNAME={name}\n"), format!("FDSTORE=1\nFDNAME={name}\n"));
        self.say([
            Words { kind: Kind::Forget, text: forget, descriptor: None },
            Words { kind: Kind::Store, text: store, descriptor },
        ])
    }

    /// Waits until everything is said, but not for long: the process is about to end.
    pub fn finish(&self) {
        let Some(target) = &self.0 else { return };
        let waited = target.said.wait_timeout_while(target.waiting(), LAST_WORDS, |waiting| waiting.is_busy);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn say<const N: usize>(&self, words: [Words; N]) -> io::Result<()> {
        let Some(target) = &self.0 else { return Ok(()) };
        let mut waiting = target.waiting();
        for words in words {
            waiting.add(words);
        }
        if waiting.is_busy {
            return Ok(());
        }
        let mut said = Ok(());
        while let Some(words) = waiting.words.front() {
            match target.transmit(&target.socket, words, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EAGAIN) => {
                    let target = Arc::clone(target);
                    let thread = thread::Builder::new().name("notify".into()).stack_size(STACK);
                    // Without a thread it waits for the next message.
                    waiting.is_busy = thread.spawn(move || target.say_what_waits()).is_ok();
                    break;
                }
                result => said = result,
            }
            waiting.words.pop_front();
        }
        Ok(said?)
    }
}

impl Target {
    /// In order, and waits for the manager as long as it takes.
    fn say_what_waits(&self) {
        let mut waiting = self.waiting();
        while let Some(words) = waiting.words.pop_front() {
            drop(waiting);
            if let Err(error) = self.transmit(&self.socket, &words, MsgFlags::empty()) {
                not_told(&words.text, &error.into());
            }
            waiting = self.waiting();
        }
        waiting.is_busy = false;
        self.said.notify_all();
    }

    fn transmit(&self, socket: &UnixDatagram, words: &Words, flags: MsgFlags) -> Result<(), Errno> {
        let descriptors: Vec<i32> = words.descriptor.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let rights = if descriptors.is_empty() { &[][..] } else { &rights[..] };
        let text = [IoSlice::new(words.text.as_bytes())];
        loop {
            let flags = flags | MsgFlags::MSG_NOSIGNAL;
            match sendmsg(socket.as_raw_fd(), &text, rights, flags, Some(&self.address)) {
                Err(Errno::EINTR) => {}
                sent => return sent.map(drop),
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Behind what waits, less what this makes needless.
    fn add(&mut self, new: Words) {
        let is_state = |kind| matches!(kind, Kind::Ready | Kind::Reloading);
        match new.kind {
            // What was never heard of has neither begun nor ended.
            Kind::Reloading => {
                if let Some(begun) = self.words.iter().position(|words| words.kind == Kind::Reloading) {
                    let tail = self.words.split_off(begun);
                    self.words.extend(tail.into_iter().filter(|words| !is_state(words.kind)));
                }
            }
            Kind::Ready => {
                let last = self.words.iter().rposition(|words| is_state(words.kind));
                if let Some(last) = last.filter(|last| self.words[*last].kind == Kind::Ready) {
                    self.words.remove(last);
                }
            }
            kind => self.words.retain(|words| words.kind != kind),
        }
        if matches!(new.kind, Kind::Ready | Kind::Stopping) {
            self.words.retain(|words| words.kind != Kind::Status);
        }
        self.words.push_back(new);
    }
}

fn not_told(text: &str, error: &io::Error) {
    tracing::warn!("the service manager was not told {}: {error}", text.lines().next().unwrap_or_default());
}

impl Message<'_> {
    fn kind(self) -> Kind {
        match self {
            Self::Ready(_) => Kind::Ready,
            Self::Reloading => Kind::Reloading,
            Self::Stopping(..) => Kind::Stopping,
            Self::Status(_) => Kind::Status,
            Self::Watchdog => Kind::Watchdog,
        }
    }

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

/// A status as a single line, for each text that may be in it: a line break would let its words say something else.
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
    use std::os::fd::AsFd;
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

    /// A manager that has not read so many messages that it takes no more; what was said until then is not of interest.
    fn busy_manager() -> (tempfile::TempDir, UnixDatagram, Notifier) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(path.as_os_str()).unwrap();
        while !notifier.0.as_ref().unwrap().waiting().is_busy {
            assert!(notifier.send(Message::Status("before")));
        }
        (folder, manager, notifier)
    }

    #[test]
    fn nobody_waits_for_a_manager_that_does_not_read_and_it_hears_all_in_order_later() {
        let (_folder, manager, notifier) = busy_manager();
        let file = tempfile::tempfile().unwrap();
        let said_at = clock::monotonic();
        assert!(notifier.send(Message::Ready("begun")));
        for _ in 0..1_000 {
            assert!(notifier.send(Message::Watchdog));
            assert!(notifier.send(Message::Status("x")));
        }
        assert!(notifier.send(Message::Reloading));
        notifier.store("tokens", file.as_fd()).unwrap();
        assert!(notifier.send(Message::Ready("reloaded")));
        assert!(notifier.send(Message::Stopping("stopping", None)));
        let limit = clock::monotonic();

        let all = std::iter::from_fn(|| Some(received(&manager)).filter(|text| !text.starts_with("STOPPING=1")));
        let (alive, heard): (Vec<String>, Vec<String>) = all.partition(|text| text == "WATCHDOG=1\n");
        assert!(!alive.is_empty(), "what waits to be heard leaves room for signs of life");
        let mut heard: Vec<String> = heard.into_iter().skip_while(|text| text == "STATUS=before\n").collect();
        let stamp = heard[1].strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end().parse().unwrap();
        assert!((said_at.as_micros()..=limit.as_micros()).contains(&stamp), "when it was said, not when it was heard");
        heard.remove(1);
        let expected = [
            "READY=1\nSTATUS=begun\n",
            "FDSTOREREMOVE=1\nFDNAME=tokens\n",
            "FDSTORE=1\nFDNAME=tokens\n",
            "READY=1\nSTATUS=reloaded\n",
        ];
        assert_eq!(heard, expected);
        notifier.finish();
        assert!(!notifier.0.as_ref().unwrap().waiting().is_busy, "its thread has ended");
    }

    #[test]
    fn an_end_does_not_wait_long_for_a_manager_that_does_not_read() {
        let (_folder, _deaf, notifier) = busy_manager();
        assert!(notifier.send(Message::Stopping("x", None)));
        notifier.finish();
        assert!(notifier.0.as_ref().unwrap().waiting().is_busy);
    }

    #[test]
    fn nothing_waits_of_what_need_not_be_heard_any_more() {
        let mut waiting = Waiting::default();
        let mut kinds = |new: &[Kind]| {
            for kind in new {
                waiting.add(Words { kind: *kind, text: String::new(), descriptor: None });
            }
            waiting.words.iter().map(|words| words.kind).collect::<Vec<_>>()
        };
        use Kind::{Forget, Ready, Reloading, Status, Stopping, Store};
        assert_eq!(kinds(&[Status, Ready]), [Ready]);
        assert_eq!(kinds(&[Reloading, Forget, Store, Ready]), [Ready, Reloading, Forget, Store, Ready]);
        assert_eq!(kinds(&[Reloading, Reloading]), [Ready, Forget, Store, Reloading]);
        assert_eq!(kinds(&[Ready, Ready, Status]), [Ready, Forget, Store, Reloading, Ready, Status]);
        let last = [Ready, Reloading, Ready, Forget, Store, Stopping];
        assert_eq!(kinds(&[Forget, Store, Stopping]), last);
        assert_eq!(kinds(&[Reloading, Ready]).len(), last.len(), "it does not grow");
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
