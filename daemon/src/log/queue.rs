//! Between those who log and the one thread that writes: bounded in bytes, and nobody waits for room in it.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use super::stored_event::StoredEvent;

/// What may wait to be written, with what it takes to keep it: some thousand lines. What comes when there is no room is
/// left out, and counted.
const MAX_BYTES: usize = 1024 * 1024;

/// Places that an empty queue keeps.
const USUAL_LINES: usize = 64;

/// What is to be written.
#[derive(Debug)]
pub(super) enum Line {
    /// As it is.
    Text(Vec<u8>),
    /// Whose form is made by who writes it.
    Event(StoredEvent),
    /// How many lines are missing at this place.
    LeftOut(u64),
}

impl Line {
    fn size(&self) -> usize {
        let text = match self {
            Self::Text(text) => text.capacity(),
            Self::Event(event) => event.size(),
            Self::LeftOut(_) => 0,
        };
        text + size_of::<Self>()
    }
}

/// Lines in the order in which they were logged.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// The writer has nothing to do, or has ended.
    rests: Condvar,
    writer: OnceLock<Thread>,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Line>,
    bytes: usize,
    left_out: u64,
    is_writing: bool,
    ending: bool,
    ended: bool,
}

impl Queue {
    /// Who is woken for each line.
    pub(super) fn set_writer(&self, writer: Thread) {
        let _ = self.writer.set(writer);
    }

    /// Leaves a line to be written. Never waits for the writer.
    pub(super) fn push(&self, line: Line) {
        let size = line.size();
        let mut state = self.state();
        // Once something is missing, there has to be room for more than the next line: a gap is logged once.
        let limit = if state.left_out == 0 { MAX_BYTES } else { MAX_BYTES / 2 };
        if state.bytes + size > limit {
            state.left_out += 1;
            return;
        }
        if state.left_out > 0 {
            let gap = Line::LeftOut(std::mem::take(&mut state.left_out));
            state.bytes += gap.size();
            state.lines.push_back(gap);
        }
        state.bytes += size;
        state.lines.push_back(line);
        drop(state);
        self.wake();
    }

    /// The next line, if there is one. What was taken before is written.
    pub(super) fn take(&self) -> Option<Line> {
        let mut state = self.state();
        let line = state.lines.pop_front();
        let line = match line {
            Some(line) => {
                state.bytes -= line.size();
                Some(line)
            }
            None if state.left_out > 0 => Some(Line::LeftOut(std::mem::take(&mut state.left_out))),
            None => None,
        };
        state.is_writing = line.is_some();
        if state.lines.is_empty() {
            // What a log that stood still made of it is given back.
            state.lines.shrink_to(USUAL_LINES);
        }
        if line.is_none() {
            self.rests.notify_all();
        }
        line
    }

    /// Whether the writer is to end once everything is written.
    pub(super) fn is_ending(&self) -> bool {
        self.state().ending
    }

    /// The writer writes nothing any more.
    pub(super) fn ended(&self) {
        self.state().ended = true;
        self.rests.notify_all();
    }

    /// Waits until everything is written, but not longer than this.
    pub(super) fn flush(&self, patience: Duration) {
        self.wait(patience, |state| state.is_writing || !state.lines.is_empty());
    }

    /// Has the writer write what there is and end. It is not waited for any longer than this.
    pub(super) fn end(&self, patience: Duration) {
        self.state().ending = true;
        self.wake();
        self.wait(patience, |state| !state.ended);
    }

    fn wait(&self, patience: Duration, is_busy: impl FnMut(&mut State) -> bool) {
        let waited = self.rests.wait_timeout_while(self.state(), patience, is_busy);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts each write, which is a whole line, into the queue.
#[derive(Debug)]
pub(super) struct IntoQueue<'q>(pub(super) &'q Queue);

impl io::Write for IntoQueue<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(Line::Text(line.to_vec()));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
