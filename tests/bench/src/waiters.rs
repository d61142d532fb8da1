//! Very many connections that wait for the same: one thread that knows when each of them has it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::BenchError;
use super::exchange::connect;
use super::generator::Slice;
use harness::Stopwatch;

/// Ready connections that are handled before the system is asked again.
const EVENTS: usize = 256;

/// Room for one read.
const ROOM: usize = 16 * 1024;

/// How long nothing may come before that is an error, in ms.
const PATIENCE_MS: u16 = 30_000;

/// The length of the whole message that these bytes begin with, and whether it is what all wait for.
pub(super) type Message = dyn Fn(&[u8]) -> Option<(usize, bool)>;

/// How a client asks for news, and what it gets.
pub(super) struct Manner {
    /// Of whom, for messages.
    pub(super) peer: &'static str,
    /// What each connection sends once.
    pub(super) request: Vec<u8>,
    /// Where a message ends.
    pub(super) message: Box<Message>,
}

/// Connections that have been greeted.
pub(super) struct Waiters {
    manner: Manner,
    lines: Vec<Line>,
    epoll: Epoll,
}

struct Line {
    stream: UnixStream,
    /// Not a whole message yet.
    begun: Vec<u8>,
    /// What all wait for.
    news: Option<Vec<u8>>,
}

impl Waiters {
    /// Opens them; each has got one message then.
    ///
    /// # Errors
    /// When the server does not take them.
    pub(super) fn open(manner: Manner, socket: &Path, size: usize) -> Result<Self, BenchError> {
        let failed = BenchError::connection(manner.peer);
        let refused = BenchError::system("waiting for connections");
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(&refused)?;
        let mut lines = Vec::with_capacity(size);
        let mut room = vec![0; ROOM];
        for at in 0..size {
            let mut line = Line { stream: connect(manner.peer, socket)?, begun: Vec::new(), news: None };
            line.stream.write_all(&manner.request).map_err(&failed)?;
            while line.receive(&mut room, &manner).map_err(&failed)? == 0 {}
            line.news = None;
            epoll.add(&line.stream, EpollEvent::new(EpollFlags::EPOLLIN, at as u64)).map_err(&refused)?;
            lines.push(line);
        }
        Ok(Self { manner, lines, epoll })
    }

    /// Waits until all of them have what they wait for, in which this text has to be.
    ///
    /// # Errors
    /// When one of them does not get it.
    pub(super) fn hear(&mut self, since: Stopwatch, text: &[u8]) -> Result<Slice, BenchError> {
        let mut room = vec![0; ROOM];
        let mut events = [EpollEvent::empty(); EVENTS];
        let mut slice = Slice::default();
        while slice.latencies.len() < self.lines.len() {
            let ready = self.epoll.wait(&mut events, EpollTimeout::from(PATIENCE_MS));
            let ready = ready.map_err(BenchError::system("waiting for what is new"))?;
            if ready == 0 {
                return Err(BenchError::Odd { peer: self.manner.peer });
            }
            for event in &events[..ready] {
                let line = &mut self.lines[event.data() as usize];
                let waited = line.news.is_none();
                line.receive(&mut room, &self.manner).map_err(BenchError::connection(self.manner.peer))?;
                if waited && line.news.is_some() {
                    slice.latencies.push(since.elapsed().as_nanos().min(u32::MAX.into()) as u32);
                }
            }
        }
        slice.nanos = since.elapsed().as_nanos() as u64;
        slice.answered = self.lines.len();
        let holds = |news: Vec<u8>| news.windows(text.len()).any(|piece| piece == text);
        match self.lines.iter_mut().all(|line| line.news.take().is_some_and(holds)) {
            true => Ok(slice),
            false => Err(BenchError::Odd { peer: self.manner.peer }),
        }
    }
}

impl Line {
    /// Reads once; says how many messages are whole by that.
    fn receive(&mut self, room: &mut [u8], manner: &Manner) -> std::io::Result<usize> {
        let length = self.stream.read(room)?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.begun.extend_from_slice(&room[..length]);
        let mut whole = 0;
        while let Some((length, is_news)) = (manner.message)(&self.begun) {
            let rest = self.begun.split_off(length);
            let message = std::mem::replace(&mut self.begun, rest);
            if is_news {
                self.news = Some(message);
            }
            whole += 1;
        }
        Ok(whole)
    }
}
