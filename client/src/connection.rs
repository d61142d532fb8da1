//! One connection: requests out, replies in, in any order, and what becomes of both when it breaks.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::BytesMut;
use tokend_proto::limits::{FRAME_TIME, MAX_FRAME, MAX_IN_FLIGHT};
use tokend_proto::{FrameError, LENGTH_PREFIX};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::codec::{Decoder, LengthDelimitedCodec};
use zeroize::{Zeroize, Zeroizing};

use crate::ProtocolError;
use crate::driver::Call;
use crate::wire::{Answer, Failure, IDLE_CLOSE, read_frame};

/// Room for a few tokens at once; grows up to a frame.
const INBOX: usize = 8 * 1024;

/// How often the connection is looked at for being stuck or idle.
const CHECK: Duration = Duration::from_secs(5);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parting {
    /// It worked: the next one may be opened at once.
    Healthy,
    /// It never worked, or the daemon broke the protocol.
    Sour,
}

struct Pending {
    answer: oneshot::Sender<Result<Answer, Failure>>,
    deadline: Instant,
}

/// An open connection. Its map of unanswered requests never holds more than [`MAX_IN_FLIGHT`].
pub(crate) struct Connection {
    stream: UnixStream,
    codec: LengthDelimitedCodec,
    inbox: BytesMut,
    outbox: VecDeque<(u64, Zeroizing<Vec<u8>>)>,
    /// How much of the first frame of the outbox is out.
    sent: usize,
    pending: HashMap<u64, Pending>,
    active: Instant,
    answered: bool,
    /// The daemon takes nothing more. It may have said why: what it sent is read to the end first.
    deaf: bool,
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
            deaf: false,
        }
    }

    /// Carries calls until the connection ends, and answers every one of them.
    pub(crate) async fn run(mut self, first: Call, calls: &mut mpsc::Receiver<Call>) -> Parting {
        self.take(first);
        let end = self.carry(calls).await;
        self.inbox.as_mut().zeroize();
        // A request that is not whole at the daemon has done nothing there.
        for (id, _) in &self.outbox {
            if let Some(pending) = self.pending.remove(id) {
                let why = if matches!(end, Failure::Broken) { Failure::NotSent } else { end.clone() };
                let _gone = pending.answer.send(Err(why));
            }
        }
        for (_, pending) in self.pending.drain() {
            let _gone = pending.answer.send(Err(end.clone()));
        }
        if self.answered && matches!(end, Failure::Broken) { Parting::Healthy } else { Parting::Sour }
    }

    async fn carry(&mut self, calls: &mut mpsc::Receiver<Call>) -> Failure {
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let deaf = self.deaf;
            let room = !deaf && self.pending.len() < MAX_IN_FLIGHT;
            let (mut reader, mut writer) = self.stream.split();
            let unsent = self.outbox.front().map_or(&[][..], |(_, frame)| &frame[self.sent..]);
            // Reading first: what has ended is noticed before more is sent to it.
            tokio::select! {
                biased;
                read = reader.read_buf(&mut self.inbox) => match read {
                    Ok(0) | Err(_) => return Failure::Broken,
                    Ok(_) => if let Err(end) = self.read_frames() { return end },
                },
                written = writer.write(unsent), if !unsent.is_empty() && !deaf => match written {
                    Ok(0) | Err(_) => self.deaf = true,
                    Ok(count) => self.wrote(count),
                },
                call = calls.recv(), if room => match call {
                    Some(call) => self.take(call),
                    None => return Failure::Broken,
                },
                now = check.tick() => if self.is_stuck(now) || self.is_idle(now) { return Failure::Broken },
            }
        }
    }

    fn take(&mut self, call: Call) {
        if call.answer.is_closed() {
            return;
        }
        self.active = Instant::now();
        self.pending.insert(call.id, Pending { answer: call.answer, deadline: call.deadline });
        self.outbox.push_back((call.id, call.frame));
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
        let Some(pending) = self.pending.remove(&id) else {
            return Err(Failure::Protocol(ProtocolError::UnknownRequest(id)));
        };
        self.active = Instant::now();
        self.answered = true;
        let _given_up = pending.answer.send(result);
        Ok(())
    }

    /// A call that its caller gave up keeps its place, because the daemon still counts it; but a daemon that
    /// owes an answer for so long does not answer any more.
    fn is_stuck(&self, now: Instant) -> bool {
        self.pending.values().any(|pending| pending.deadline + FRAME_TIME < now)
    }

    fn is_idle(&self, now: Instant) -> bool {
        self.pending.is_empty() && self.active + IDLE_CLOSE < now
    }
}
