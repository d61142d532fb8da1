//! Connections that are stuck, and come back whenever the daemon has had enough of them.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::line::request;

/// Requests of a peer that never reads: their replies are far more than a socket's buffers take.
const UNREAD_REQUESTS: usize = 4_096;

/// Between two looks at the whole peers.
const LOOK: Duration = Duration::from_millis(20);

/// In which way a connection is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Half a frame, and no more.
    HalfAFrame,
    /// Asks and asks, and never reads an answer.
    NeverReads,
    /// Connects, and nothing.
    Silent,
}

impl Manner {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::HalfAFrame, Self::NeverReads, Self::Silent];
}

/// How often connections had to be opened again, by manner; in the order of [`Manner::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reopened(pub [usize; 3]);

/// A number of stuck connections, of each manner as many, kept at that number by a thread of its own. They are closed
/// when it is dropped.
#[derive(Debug)]
pub struct StuckPeers {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    enough: AtomicBool,
    settled: AtomicBool,
    reopened: [AtomicUsize; 3],
}

struct Stuck {
    manner: Manner,
    /// None while the daemon does not let it in.
    stream: Option<UnixStream>,
    /// Of what it has to say.
    said: usize,
}

impl StuckPeers {
    /// Opens them, and returns when each is as stuck as it gets.
    #[must_use]
    pub fn gather(socket: &Path, name: &str, number: usize, manners: &'static [Manner]) -> Self {
        let shared = Arc::new(Shared::default());
        let (work, socket, name) = (Arc::clone(&shared), socket.to_owned(), name.to_owned());
        let thread = std::thread::spawn(move || keep(&work, &socket, &name, number, manners));
        let peers = Self { shared, thread: Some(thread) };
        harness::until("a crowd is stuck", || peers.shared.settled.load(Ordering::Acquire).then_some(()));
        peers
    }

    /// How often its connections were opened again so far.
    #[must_use]
    pub fn reopened(&self) -> Reopened {
        Reopened(std::array::from_fn(|at| self.shared.reopened[at].load(Ordering::Relaxed)))
    }
}

impl Drop for StuckPeers {
    fn drop(&mut self) {
        self.shared.enough.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed.
            let _ = thread.join();
        }
    }
}

fn keep(shared: &Shared, socket: &Path, name: &str, number: usize, manners: &[Manner]) {
    let words = Words::new(name);
    let mut peers: Vec<Stuck> =
        (0..number).map(|at| Stuck { manner: manners[at % manners.len()], stream: None, said: 0 }).collect();
    let socket = PathBuf::from(socket);
    while !shared.enough.load(Ordering::Acquire) {
        let mut moved = 0;
        for stuck in &mut peers {
            if stuck.stream.is_none() {
                let first = !shared.settled.load(Ordering::Relaxed);
                stuck.open(&socket);
                if !first && stuck.stream.is_some() {
                    let at = Manner::ALL.iter().position(|manner| *manner == stuck.manner).expect("it has them all");
                    shared.reopened[at].fetch_add(1, Ordering::Relaxed);
                }
            }
            moved += stuck.push(&words);
        }
        if moved == 0 {
            if peers.iter().all(|stuck| stuck.stream.is_some()) {
                shared.settled.store(true, Ordering::Release);
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// What each manner has to say.
struct Words {
    half: Vec<u8>,
    asks: Vec<u8>,
}

impl Words {
    fn new(name: &str) -> Self {
        let frame = request(1, name);
        Self { half: frame[..frame.len() / 2].to_vec(), asks: frame.repeat(UNREAD_REQUESTS) }
    }

    fn of(&self, manner: Manner) -> &[u8] {
        match manner {
            Manner::HalfAFrame => &self.half,
            Manner::NeverReads => &self.asks,
            Manner::Silent => &[],
        }
    }
}

impl Stuck {
    fn open(&mut self, socket: &Path) {
        self.said = 0;
        // A full backlog makes this wait, a daemon that is gone is somebody else's failure.
        self.stream = UnixStream::connect(socket).ok();
        if let Some(stream) = &self.stream {
            stream.set_nonblocking(true).expect("a socket of ours");
        }
    }

    /// Says what can be said and finds out whether the daemon has closed; says how many bytes went out.
    fn push(&mut self, words: &Words) -> usize {
        let Some(stream) = &mut self.stream else { return 0 };
        let mut moved = 0;
        let words = words.of(self.manner);
        if self.manner == Manner::NeverReads && self.said == words.len() {
            // It goes on until nothing more is taken; and who never reads finds out only by writing.
            self.said = 0;
        }
        if self.said < words.len() {
            match stream.write(&words[self.said..]) {
                Ok(written) => {
                    moved = written;
                    self.said += written;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.stream = None,
            }
        }
        if self.manner != Manner::NeverReads && self.is_closed() {
            self.stream = None;
        }
        moved
    }

    fn is_closed(&mut self) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        let mut bytes = [0; 512];
        loop {
            match stream.read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }
}
