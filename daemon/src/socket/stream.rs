//! A peer's stream, which the kernel announces for reading alone as long as nothing waits to be written.
//!
//! tokio's own `UnixStream` wants to know of both. Whenever a peer takes a reply the kernel then finds that there is
//! room again, and wakes the thread for it: with every request, and for nothing.
//!
//! The system calls are rustix's: in a process of several threads each of the C library's first has to see to it that
//! the thread could be cancelled in it, which takes longer than decoding a request.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A stream that is polled.
pub(super) struct Stream {
    /// `None` once it could not be registered again: it is closed then.
    registered: Option<AsyncFd<UnixStream>>,
    /// For writing too: from the first time on that the peer does not keep up.
    both: bool,
    /// Nothing has been read yet. What has been sent by now is read without having been announced.
    fresh: bool,
}

impl Stream {
    /// Belongs to the runtime it is made in.
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        Ok(Self { registered: Some(register(stream, Interest::READABLE)?), both: false, fresh: true })
    }

    /// To ask the kernel about; `None` once it is closed.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.registered.as_ref().map(AsFd::as_fd)
    }

    /// Reads once, what there is; 0 is the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let stream = open(&self.registered)?;
        if std::mem::take(&mut self.fresh)
            && let Some(read) = receive(stream, room)
        {
            return Poll::Ready(read);
        }
        loop {
            let mut announced = ready!(stream.poll_read_ready(cx))?;
            let read = receive(stream, room);
            // epoll(7): a read that does not fill its room has drained the stream. What comes then is announced again.
            let drained = read.as_ref().is_none_or(|read| read.as_ref().is_ok_and(|&length| length < room.len()));
            if drained {
                announced.clear_ready();
            }
            if let Some(read) = read {
                return Poll::Ready(read);
            }
        }
    }

    /// Writes once, as much as the peer has room for.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(written) = transmit(open(&self.registered)?.get_ref(), bytes) {
            return Poll::Ready(written);
        }
        if !self.both {
            self.register_for_both()?;
        }
        let stream = open(&self.registered)?;
        loop {
            let mut announced = ready!(stream.poll_write_ready(cx))?;
            match transmit(stream.get_ref(), bytes) {
                Some(written) => return Poll::Ready(written),
                None => announced.clear_ready(),
            }
        }
    }

    /// epoll_ctl(2): what there is at that moment is announced once more.
    fn register_for_both(&mut self) -> io::Result<()> {
        if let Some(registered) = self.registered.take() {
            self.registered = Some(register(registered.into_inner(), Interest::READABLE | Interest::WRITABLE)?);
            self.both = true;
        }
        Ok(())
    }
}

fn open(registered: &Option<AsyncFd<UnixStream>>) -> io::Result<&AsyncFd<UnixStream>> {
    registered.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into())
}

/// Has the runtime announce a socket that is there for as long as what is returned.
#[expect(deprecated, reason = "its successor is unsafe; what it asks for, a descriptor of its own that stays, holds")]
pub(super) fn register<T: AsRawFd>(socket: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(socket, interest)
}

/// `None` if that would have to wait. Each call says so itself: the stream need not be in non-blocking mode.
fn receive(stream: &AsyncFd<UnixStream>, room: &mut [u8]) -> Option<io::Result<usize>> {
    unless_it_waits(recv(stream.get_ref(), room, RecvFlags::DONTWAIT).map(|(length, _)| length))
}

/// The same for writing.
pub(super) fn transmit(stream: impl AsFd, bytes: &[u8]) -> Option<io::Result<usize>> {
    unless_it_waits(send(stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL))
}

fn unless_it_waits(done: rustix::io::Result<usize>) -> Option<io::Result<usize>> {
    match done {
        Err(Errno::AGAIN) => None,
        done => Some(done.map_err(Into::into)),
    }
}

#[cfg(test)]
#[path = "tests/stream.rs"]
mod tests;
