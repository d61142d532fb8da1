//! One connection: it sends requests, reads replies in any order, and fails what is open when it breaks.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokend_proto::limits::{FRAME_TIME, MAX_FRAME, MAX_IN_FLIGHT};
use tokend_proto::{FrameError, LENGTH_PREFIX, Reply, Request, codec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::codec::{Decoder, LengthDelimitedCodec};
use zeroize::{Zeroize, Zeroizing};

use crate::ProtocolError;
use crate::mailbox::Mailbox;
use crate::outgoing::Outgoing;
use crate::wire::{Answer, Failure, IDLE_CLOSE, read_frame};

/// Room for a few tokens at once; grows up to a frame.
const INBOX: usize = 8 * 1024;

/// How often to check whether the connection is stuck or idle.
const CHECK: Duration = Duration::from_secs(5);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disconnect {
    /// It worked: the worker may connect again at once.
    Clean,
    /// It never worked, or the daemon broke the protocol.
    Faulty,
}

/// Who waits for the replies to a request.
enum Pending {
    Call {
        answer: oneshot::Sender<Result<Answer, Failure>>,
        deadline: Instant,
    },
    Watch(Arc<Mailbox>),
    /// Nobody waits: the watch is being ended.
    Ended,
    /// A request to end a watch waits for its reply.
    Unwatch {
        watch: u64,
        deadline: Instant,
    },
}

impl Pending {
    fn fail(self, failure: Failure) {
        match self {
            Self::Call { answer, .. } => drop(answer.send(Err(failure))),
            Self::Watch(mailbox) => mailbox.end(failure),
            Self::Ended | Self::Unwatch { .. } => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Call { deadline, .. } | Self::Unwatch { deadline, .. } => Some(*deadline),
            Self::Watch(_) | Self::Ended => None,
        }
    }
}

/// An open connection. Its map of open requests never holds more than [`MAX_IN_FLIGHT`].
pub(crate) struct Connection {
    stream: UnixStream,
    codec: LengthDelimitedCodec,
    inbox: BytesMut,
    outbox: VecDeque<(u64, Zeroizing<Vec<u8>>)>,
    /// How many bytes of the outbox's first frame are sent.
    sent: usize,
    pending: HashMap<u64, Pending>,
    active: Instant,
    answered: bool,
    /// The daemon reads nothing more. It may have said why, so the connection still reads to the end.
    write_closed: bool,
    /// The id of the last request that the connection itself made. These ids count down from the highest, those of
    /// calls up from 1.
    last_own_id: u64,
}

impl Connection {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            codec: LengthDelimitedCodec::builder()
                .length_field_length(LENGTH_PREFIX)
                .max_frame_length(MAX_FRAME)
                .new_codec(),
            inbox: BytesMut::with_capacity(INBOX),
            outbox: VecDeque::new(),
            sent: 0,
            pending: HashMap::new(),
            active: Instant::now(),
            answered: false,
            write_closed: false,
            last_own_id: u64::MAX,
        }
    }

    /// Carries calls until the connection ends. Every call gets an answer or a failure.
    pub(crate) async fn run(mut self, first: Outgoing, calls: &mut mpsc::Receiver<Outgoing>) -> Disconnect {
        self.take(first);
        let end = self.carry(calls).await;
        self.inbox.as_mut().zeroize();
        // The daemon acts on whole requests only: it has not acted on one that was not sent whole.
        for (id, _) in &self.outbox {
            if let Some(pending) = self.pending.remove(id) {
                pending.fail(if matches!(end, Failure::Broken) { Failure::NotSent } else { end.clone() });
            }
        }
        for (_, pending) in self.pending.drain() {
            pending.fail(end.clone());
        }
        if self.answered && matches!(end, Failure::Broken) { Disconnect::Clean } else { Disconnect::Faulty }
    }

    async fn carry(&mut self, calls: &mut mpsc::Receiver<Outgoing>) -> Failure {
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let write_closed = self.write_closed;
            let room = !write_closed && self.pending.len() < MAX_IN_FLIGHT;
            let (mut reader, mut writer) = self.stream.split();
            let unsent = self.outbox.front().map_or(&[][..], |(_, frame)| &frame[self.sent..]);
            // Read first: the connection notices its end before it sends more.
            tokio::select! {
                biased;
                read = reader.read_buf(&mut self.inbox) => match read {
                    Ok(0) | Err(_) => return Failure::Broken,
                    Ok(_) => if let Err(end) = self.read_frames() { return end },
                },
                written = writer.write(unsent), if !unsent.is_empty() && !write_closed => match written {
                    Ok(0) | Err(_) => self.write_closed = true,
                    Ok(count) => self.wrote(count),
                },
                call = calls.recv(), if room => match call {
                    Some(call) => self.take(call),
                    None => return Failure::Broken,
                },
                now = check.tick() => {
                    if self.is_stuck(now) || self.is_idle(now) { return Failure::Broken }
                    self.end_abandoned();
                },
            }
        }
    }

    fn take(&mut self, call: Outgoing) {
        if let Outgoing::Unwatch { watch } = call {
            return self.unwatch(watch);
        }
        if call.is_pointless() {
            return;
        }
        self.active = Instant::now();
        match call {
            Outgoing::Ask { id, frame, deadline, answer } => self.send(id, frame, Pending::Call { answer, deadline }),
            Outgoing::Watch { id, frame, mailbox } => self.send(id, frame, Pending::Watch(mailbox)),
            Outgoing::Unwatch { .. } => {}
        }
    }

    fn send(&mut self, id: u64, frame: Zeroizing<Vec<u8>>, pending: Pending) {
        self.pending.insert(id, pending);
        self.outbox.push_back((id, frame));
    }

    /// Ends a watch, if it still exists.
    fn unwatch(&mut self, watch: u64) {
        let Some(pending @ Pending::Watch(_)) = self.pending.get_mut(&watch) else { return };
        *pending = Pending::Ended;
        let id = self.last_own_id;
        self.last_own_id -= 1;
        let frame = codec::encode_request(id, &Request::Unwatch { watch }).expect("it has some 30 bytes");
        let deadline = Instant::now() + FRAME_TIME;
        self.send(id, Zeroizing::new(frame), Pending::Unwatch { watch, deadline });
    }

    /// Ends the watches that were dropped when the queue was full.
    fn end_abandoned(&mut self) {
        let is_abandoned = |pending: &Pending| matches!(pending, Pending::Watch(mailbox) if mailbox.is_abandoned());
        let abandoned: Vec<u64> =
            self.pending.iter().filter(|(_, pending)| is_abandoned(pending)).map(|(id, _)| *id).collect();
        abandoned.into_iter().for_each(|watch| self.unwatch(watch));
    }

    fn wrote(&mut self, count: usize) {
        self.sent += count;
        if self.outbox.front().is_some_and(|(_, frame)| self.sent == frame.len()) {
            self.outbox.pop_front();
            self.sent = 0;
        }
    }

    fn read_frames(&mut self) -> Result<(), Failure> {
        loop {
            let announced = self.inbox.first_chunk::<LENGTH_PREFIX>().map(|&prefix| u32::from_be_bytes(prefix));
            match self.codec.decode(&mut self.inbox) {
                Ok(None) => return Ok(()),
                Ok(Some(mut frame)) => {
                    let result = self.read_frame(&frame);
                    frame.as_mut().zeroize();
                    result?;
                }
                Err(_) => {
                    let length = announced.unwrap_or_default() as usize;
                    return Err(Failure::Protocol(FrameError::TooLong(length).into()));
                }
            }
        }
    }

    fn read_frame(&mut self, frame: &[u8]) -> Result<(), Failure> {
        let (id, result) = read_frame(frame)?;
        self.settle(id, result)
    }

    fn settle(&mut self, id: u64, result: Result<Answer, Failure>) -> Result<(), Failure> {
        let ends = match &result {
            Ok(answer) => matches!(answer.reply, Reply::Error(_) | Reply::Unsupported(_)),
            Err(_) => true,
        };
        let pending = match self.pending.get(&id) {
            Some(Pending::Watch(mailbox)) if !ends => Some(Pending::Watch(Arc::clone(mailbox))),
            Some(Pending::Ended) if !ends => Some(Pending::Ended),
            _ => self.pending.remove(&id),
        };
        let Some(pending) = pending else {
            return Err(Failure::Protocol(ProtocolError::UnknownRequest(id)));
        };
        self.active = Instant::now();
        self.answered = true;
        match (pending, result) {
            (Pending::Call { answer, .. }, result) => drop(answer.send(result)),
            (Pending::Watch(mailbox), Ok(answer)) => mailbox.put(answer),
            (Pending::Watch(mailbox), Err(failure)) => mailbox.end(failure),
            (Pending::Unwatch { watch, .. }, _) => drop(self.pending.remove(&watch)),
            (Pending::Ended, _) => {}
        }
        Ok(())
    }

    /// Whether the daemon has stopped answering. A call that its caller gave up keeps its place, because the daemon
    /// still counts it; but an answer is overdue only if the daemon does not answer any more.
    fn is_stuck(&self, now: Instant) -> bool {
        self.pending.values().filter_map(Pending::deadline).any(|deadline| deadline + FRAME_TIME < now)
    }

    fn is_idle(&self, now: Instant) -> bool {
        self.pending.is_empty() && self.active + IDLE_CLOSE < now
    }
}
