//! The load: one thread, the same for all servers.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::exchange::connect;
use super::{BenchError, Exchange};
use harness::Stopwatch;

/// Ready connections that are handled before the system is asked again.
const EVENTS: usize = 256;

/// Room for one read: several replies that wait in a socket.
const ROOM: usize = 256 * 1024;

/// When a connection asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// So many requests in one write, and the next ones when all of them are answered.
    Burst(usize),
    /// Always so many unanswered: each reply makes room for one request.
    Sliding(usize),
}

impl Window {
    fn depth(self) -> usize {
        match self {
            Self::Burst(depth) | Self::Sliding(depth) => depth,
        }
    }
}

/// What came of a slice of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Slice {
    /// Requests that were answered.
    pub(super) answered: usize,
    /// How long it took, in ns.
    pub(super) nanos: u64,
    /// From each request's write to its reply's last byte, in ns, in no order.
    pub(super) latencies: Vec<u32>,
}

impl Slice {
    /// Requests answered in a second.
    #[must_use]
    pub(super) fn rate(&self) -> f64 {
        self.answered as f64 * 1e9 / self.nanos.max(1) as f64
    }
}

/// Connections to one server that stay.
pub(super) struct Lines<'a> {
    exchange: &'a Exchange,
    lines: Vec<Line>,
    epoll: Epoll,
    room: Vec<u8>,
}

struct Line {
    stream: UnixStream,
    /// When each unanswered request was sent.
    sent: VecDeque<u64>,
    /// Bytes of a reply that is not whole yet.
    begun: usize,
}

impl<'a> Lines<'a> {
    /// Opens them, and asks once on each: a server has accepted whom it has answered.
    ///
    /// # Errors
    /// When the server does not take them.
    pub(super) fn open(exchange: &'a Exchange, socket: &Path, connections: usize) -> Result<Self, BenchError> {
        let refused = BenchError::system("waiting for connections");
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(&refused)?;
        let mut lines = Vec::with_capacity(connections);
        for at in 0..connections {
            let mut stream = connect(exchange.peer, socket)?;
            exchange.check(&mut stream)?;
            epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, at as u64)).map_err(&refused)?;
            lines.push(Line { stream, sent: VecDeque::new(), begun: 0 });
        }
        Ok(Self { exchange, lines, epoll, room: vec![0; ROOM] })
    }

    /// Asks for so long on all of them, and waits for what is unanswered then.
    ///
    /// # Errors
    /// When the server closes a connection, or answers something else at the end.
    pub(super) fn ask(&mut self, window: Window, span: Duration) -> Result<Slice, BenchError> {
        let burst = self.exchange.request.repeat(window.depth());
        let peer = self.exchange.peer;
        let span = span.as_nanos() as u64;
        let watch = Stopwatch::start();
        let now = || watch.elapsed().as_nanos() as u64;
        let mut slice = Slice::default();
        for line in &mut self.lines {
            line.send(&burst, window.depth(), now()).map_err(BenchError::connection(peer))?;
        }
        let mut unanswered = self.lines.len() * window.depth();
        let mut events = [EpollEvent::empty(); EVENTS];
        while unanswered > 0 {
            // One connection is read blocking: that is the shortest way there is.
            let ready = match self.lines.len() {
                1 => 1,
                _ => self
                    .epoll
                    .wait(&mut events, EpollTimeout::NONE)
                    .map_err(BenchError::system("waiting for replies"))?,
            };
            for event in &events[..ready] {
                let line = &mut self.lines[event.data() as usize];
                let answered = line.receive(&mut self.room, self.exchange).map_err(BenchError::connection(peer))?;
                let time = now();
                slice
                    .latencies
                    .extend(line.sent.drain(..answered).map(|sent| (time - sent).min(u32::MAX.into()) as u32));
                unanswered -= answered;
                let more = match window {
                    _ if time >= span => 0,
                    Window::Sliding(_) => answered,
                    Window::Burst(depth) if line.sent.is_empty() => depth,
                    Window::Burst(_) => 0,
                };
                if more > 0 {
                    let bytes = &burst[..more * self.exchange.request.len()];
                    line.send(bytes, more, time).map_err(BenchError::connection(peer))?;
                    unanswered += more;
                }
            }
        }
        slice.nanos = now();
        slice.answered = slice.latencies.len();
        self.exchange.check(&mut self.lines[0].stream)?;
        Ok(slice)
    }
}

impl Line {
    fn send(&mut self, requests: &[u8], number: usize, now: u64) -> std::io::Result<()> {
        self.stream.write_all(requests)?;
        self.sent.extend(std::iter::repeat_n(now, number));
        Ok(())
    }

    /// Reads once; says how many replies are whole by that.
    fn receive(&mut self, room: &mut [u8], exchange: &Exchange) -> std::io::Result<usize> {
        let length = self.stream.read(room)?;
        let bytes = self.begun + length;
        let whole = bytes / exchange.reply.len();
        if length == 0 || whole > self.sent.len() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.begun = bytes % exchange.reply.len();
        Ok(whole)
    }
}

/// Asks for so long, each time on a new connection.
///
/// # Errors
/// When the server does not answer as it did the first time.
pub(super) fn ask_on_a_new_connection(exchange: &Exchange, socket: &Path, span: Duration) -> Result<Slice, BenchError> {
    let watch = Stopwatch::start();
    let mut slice = Slice::default();
    let mut reply = vec![0; exchange.reply.len()];
    let mut before = Duration::ZERO;
    while before < span {
        let failed = BenchError::connection(exchange.peer);
        let mut stream = UnixStream::connect(socket).map_err(&failed)?;
        stream.write_all(&exchange.request).map_err(&failed)?;
        stream.read_exact(&mut reply).map_err(&failed)?;
        drop(stream);
        if reply != exchange.reply {
            return Err(BenchError::Odd { peer: exchange.peer });
        }
        let now = watch.elapsed();
        slice.latencies.push((now - before).as_nanos().min(u32::MAX.into()) as u32);
        before = now;
    }
    slice.nanos = before.as_nanos() as u64;
    slice.answered = slice.latencies.len();
    Ok(slice)
}
