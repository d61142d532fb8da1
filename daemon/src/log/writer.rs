//! The one thread that waits for the log: for stderr, or for journald. It writes what others left in the queue, and the
//! audit records.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tracing::Dispatch;

use super::queue::{Line, Queue};
use crate::audit::Records;
use crate::os::clock;

/// How long an end waits for what was logged and is not written yet.
const LAST_LINES: Duration = Duration::from_secs(1);

thread_local! {
    static WRITES: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread may wait for the log.
pub(super) fn is_this_thread() -> bool {
    WRITES.get()
}

/// The log of the process, as long as it is kept. When it is dropped, what was logged is written, if that can be done
/// within a second.
#[derive(Debug)]
#[must_use]
pub struct Running(pub(super) Arc<Queue>);

impl Running {
    /// Starts the thread, which logs to `log` what it has to say itself.
    pub(super) fn start(
        queue: Arc<Queue>,
        records: Records,
        stream: impl Write + Send + 'static,
        log: Dispatch,
    ) -> io::Result<Self> {
        let of_thread = Arc::clone(&queue);
        let thread = thread::Builder::new().name("log".into()).spawn(move || {
            WRITES.set(true);
            records.are_written_here();
            tracing::dispatcher::with_default(&log, || write(&of_thread, &records, stream));
            of_thread.ended();
        })?;
        queue.set_writer(thread.thread().clone());
        Ok(Self(queue))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.end(LAST_LINES);
    }
}

/// Until everything is written that there was when the end began.
fn write(queue: &Queue, records: &Records, mut stream: impl Write) {
    loop {
        // In turn: neither keeps the other from being written.
        let line = queue.take();
        let is_idle = line.is_none();
        match line {
            // Where stderr is closed nobody is there to read it.
            Some(Line::Text(text)) => drop(stream.write_all(&text)),
            Some(Line::Event(event)) => event.dispatch(),
            Some(Line::LeftOut(count)) => {
                tracing::warn!(left_out = count, "{count} lines of the log were left out: the log was too slow");
            }
            None => {}
        }
        if records.write_next(clock::boot()) || !is_idle {
            continue;
        }
        if queue.is_ending() {
            return records.write_rest(clock::boot());
        }
        match records.next_end() {
            Some(at) => thread::park_timeout(at.since(clock::boot())),
            None => thread::park(),
        }
    }
}
