//! One connection: bytes in, bytes out, and how long each may take.
//!
//! A state machine polled by hand: an idle connection is this struct and an alarm. It works in the thread's
//! buffers while it has its turn and keeps only what it must: the bytes of a frame that is not whole yet, and
//! replies that the peer has not taken. All replies of a turn go out in one write; while the peer does not take
//! them nothing more is read.
//!
//! Bytes that cannot be a request end the connection, after an error under the request's id (0 where there is
//! none). A frame of another version, or an unknown request in a whole frame, is answered `Unsupported` and the
//! connection goes on: that is how newer peers find out. A peer that closes its writing side is gone.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokend_proto::codec::{self, DecodeError};
use tokend_proto::{Flags, Header, LENGTH_PREFIX, Reply, Unsupported, VERSION, frame_length};
use zeroize::Zeroizing;

use super::admission::Place;
use super::buffers::{Buffers, Output};
use super::deadlines::Alarm;
use super::session::Session;
use super::shared::Shared;
use super::stream::Stream;
use super::{buffers, errors};
use crate::access::policy::PeerIdentity;
use crate::core::time::BootTime;

/// How often one turn reads and writes before the other connections get theirs.
const ROUNDS: usize = 2;

/// How many costly requests and answers the connections of one user handle before each other connection has had its
/// turn. They share it: a user gets no more of the thread by opening more connections.
pub(super) const COSTLY: usize = 512;

/// A future that is ready once the connection has ended and the core knows.
pub(super) struct Connection {
    session: Session,
    /// Received and not handled yet: at most one frame that is not whole, and one read.
    input: Zeroizing<Vec<u8>>,
    /// Encoded, and not taken by the peer yet.
    unsent: Zeroizing<Vec<u8>>,
    /// How much of `unsent` is gone.
    sent: usize,
    /// Nothing more is read; it ends when the peer has taken the replies.
    closing: bool,
    /// When something was last asked or answered.
    active: BootTime,
    /// Since when `input` has waited for the rest of a frame.
    frame_since: Option<BootTime>,
    /// Since when the peer has not taken all of `unsent`.
    stalled_since: BootTime,
    /// For whatever takes too long.
    alarm: Alarm,
    registered: bool,
}

/// What reading brought.
enum Received {
    /// Nothing yet; the task is woken when there is.
    Nothing,
    /// Something, and there may be more.
    Something,
    /// The peer is gone.
    End,
}

/// What to do when there is nothing to do.
enum Rest {
    Asleep,
    Again,
    End,
}

impl Connection {
    pub(super) fn new(stream: Stream, peer: PeerIdentity, place: Place, shared: Arc<Shared>) -> Self {
        let now = shared.context.clock.boot();
        let alarm = Alarm::new(&shared.alarms);
        Self {
            session: Session::new(shared, stream, peer, place),
            input: Zeroizing::default(),
            unsent: Zeroizing::default(),
            sent: 0,
            closing: false,
            active: now,
            frame_since: None,
            stalled_since: now,
            alarm,
            registered: false,
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>, buffers: &mut Buffers) -> Poll<()> {
        let now = self.session.shared().context.clock.boot();
        buffers.output.begin_turn((COSTLY / self.session.place().connections_of_user()).max(1));
        for _ in 0..ROUNDS {
            match self.flush(cx, now) {
                Poll::Ready(Ok(())) if self.closing => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => match self.rest(cx, now, &mut buffers.output) {
                    Rest::Asleep => return Poll::Pending,
                    Rest::Again => continue,
                    Rest::End => return Poll::Ready(()),
                },
            }
            self.session.collect(cx, &mut buffers.output);
            let received = self.receive(cx, now, buffers);
            if self.send(cx, now, &mut buffers.output).is_err() {
                return Poll::Ready(());
            }
            match received {
                Received::End => return Poll::Ready(()),
                Received::Nothing if self.unsent.is_empty() => match self.rest(cx, now, &mut buffers.output) {
                    Rest::Asleep => return Poll::Pending,
                    Rest::Again => {}
                    Rest::End => return Poll::Ready(()),
                },
                Received::Nothing | Received::Something => {}
            }
        }
        // The others first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once and handles the whole frames.
    fn receive(&mut self, cx: &mut Context<'_>, now: BootTime, buffers: &mut Buffers) -> Received {
        if !self.input.is_empty() && self.take_kept(now, &mut buffers.output) > 0 {
            return Received::Something;
        }
        if self.closing || buffers.output.is_enough() {
            return Received::Something;
        }
        let bytes = match buffers.input.fill(|room| self.session.stream().poll_read(cx, room)) {
            Poll::Pending => return Received::Nothing,
            Poll::Ready(Ok([]) | Err(_)) => return Received::End,
            Poll::Ready(Ok(bytes)) => bytes,
        };
        self.active = now;
        if self.input.is_empty() {
            let used = self.take_frames(now, bytes, &mut buffers.output);
            self.keep(now, used > 0, &bytes[used..]);
        } else {
            buffers::append(&mut self.input, bytes);
            self.take_kept(now, &mut buffers.output);
        }
        Received::Something
    }

    /// Handles the whole frames of what was kept; says how many bytes those were.
    fn take_kept(&mut self, now: BootTime, out: &mut Output) -> usize {
        let mut kept = mem::take(&mut self.input);
        let used = self.take_frames(now, &kept, out);
        if used == kept.len() {
            self.keep(now, true, &[]);
        } else {
            kept.drain(..used);
            self.input = kept;
            self.keep(now, used > 0, &[]);
        }
        used
    }

    /// Keeps the beginning of a frame. `fresh`: it is another frame than before.
    fn keep(&mut self, now: BootTime, fresh: bool, rest: &[u8]) {
        if !rest.is_empty() {
            buffers::append(&mut self.input, rest);
        }
        self.frame_since = match self.frame_since {
            _ if self.input.is_empty() => None,
            Some(since) if !fresh => Some(since),
            _ => Some(now),
        };
    }

    /// Handles whole frames as long as there is room for replies; says how many bytes those were.
    fn take_frames(&mut self, now: BootTime, bytes: &[u8], out: &mut Output) -> usize {
        let mut used = 0;
        while !self.closing && !out.is_enough() {
            let Some(prefix) = bytes[used..].first_chunk::<LENGTH_PREFIX>() else { break };
            let length = match frame_length(*prefix) {
                Ok(length) => length,
                Err(why) => {
                    self.refuse_and_close(0, errors::frame(why), out);
                    break;
                }
            };
            let start = used + LENGTH_PREFIX;
            let Some(frame) = bytes.get(start..start + length) else { break };
            self.take_frame(now, frame, out);
            used = start + length;
        }
        used
    }

    fn take_frame(&mut self, now: BootTime, frame: &[u8], out: &mut Output) {
        let (header, value) = match Header::split(frame) {
            Ok(split) => split,
            Err(why) => return self.refuse_and_close(0, errors::frame(why), out),
        };
        let id = header.request_id;
        if header.version != VERSION {
            return self.unsupported(id, format!("protocol version {} is not spoken here", header.version), out);
        }
        match codec::decode_request(value) {
            Ok(request) => self.session.request(now, id, request, out),
            Err(why @ DecodeError::UnknownRequest(_)) => self.unsupported(id, why.to_string(), out),
            Err(why) => self.refuse_and_close(id, errors::malformed(&why), out),
        }
    }

    fn unsupported(&self, request_id: u64, message: String, out: &mut Output) {
        let reply = Reply::Unsupported(Unsupported { versions: vec![VERSION], message });
        self.session.send(out, request_id, Flags::NONE, &reply);
    }

    fn refuse_and_close(&mut self, request_id: u64, error: tokend_proto::ErrorReply, out: &mut Output) {
        self.session.send(out, request_id, Flags::NONE, &Reply::Error(error));
        self.closing = true;
    }

    /// Writes the replies of this round at once, and keeps what the peer does not take.
    fn send(&mut self, cx: &mut Context<'_>, now: BootTime, out: &mut Output) -> std::io::Result<()> {
        if out.bytes().is_empty() {
            return Ok(());
        }
        self.active = now;
        let written = match self.session.stream().poll_write(cx, out.bytes()) {
            Poll::Ready(written) => written?,
            Poll::Pending => 0,
        };
        if written < out.bytes().len() {
            buffers::append(&mut self.unsent, &out.bytes()[written..]);
            self.stalled_since = now;
        }
        out.clear();
        Ok(())
    }

    /// Writes what was kept.
    fn flush(&mut self, cx: &mut Context<'_>, now: BootTime) -> Poll<std::io::Result<()>> {
        while self.sent < self.unsent.len() {
            match self.session.stream().poll_write(cx, &self.unsent[self.sent..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => self.sent += written,
                other => return other.map_ok(|_| ()),
            }
        }
        if self.sent > 0 {
            self.unsent = Zeroizing::default();
            self.sent = 0;
            self.active = now;
            // Nothing was read meanwhile: the rest of the frame could not arrive.
            self.frame_since = self.frame_since.map(|_| now);
        }
        Poll::Ready(Ok(()))
    }

    /// Ends what took too long, else sets the alarm.
    fn rest(&mut self, cx: &mut Context<'_>, now: BootTime, out: &mut Output) -> Rest {
        let shared = self.session.shared();
        let limits = &shared.context.limits;
        let stalled = !self.unsent.is_empty();
        if !stalled && shared.is_draining() && !self.session.is_waiting() {
            return Rest::End;
        }
        let frame_time = limits.frame_time;
        let deadline = if stalled {
            Some(self.stalled_since + frame_time)
        } else {
            let frame = self.frame_since.map(|since| since + frame_time);
            let idle = (!self.session.is_waiting()).then(|| self.active + limits.idle_time);
            [frame, idle, self.session.deadline()].into_iter().flatten().min()
        };
        let Some(deadline) = deadline else { return Rest::Asleep };
        if deadline > now {
            self.alarm.set(cx.waker(), now, deadline);
            return Rest::Asleep;
        }
        if stalled {
            return Rest::End;
        }
        if self.frame_since.is_some_and(|since| since + frame_time <= now) {
            self.refuse_and_close(0, errors::frame_time(frame_time), out);
        } else if self.session.is_waiting() {
            self.session.give_up_overdue(now, out);
        } else {
            return Rest::End;
        }
        match self.send(cx, now, out) {
            Ok(()) => Rest::Again,
            Err(_) => Rest::End,
        }
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let connection = &mut *self;
        if !connection.registered {
            connection.session.place().set_waker(cx.waker().clone());
            connection.registered = true;
        }
        let turn = buffers::with_buffers(|buffers| {
            let turn = connection.turn(cx, buffers);
            buffers.output.clear();
            turn
        });
        if turn.is_ready() {
            connection.session.leave();
        }
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        // Beside it stand its timer, the peer's groups, and what tokio keeps of a task and a socket: 1 KB in all.
        assert!(size_of::<Connection>() <= 320, "{}", size_of::<Connection>());
    }
}
