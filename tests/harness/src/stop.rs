//! What ends a program from outside, when it has to clear up.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for the signals that end a program, so that it can clear up.
#[derive(Debug)]
pub struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    quit: Signal,
}

/// The signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caught(SignalKind);

impl Stop {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// The next one: Ctrl-C, a polite kill, a terminal that was closed, Ctrl-\.
    pub async fn next(&mut self) -> Caught {
        Caught(tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hangup.recv() => SignalKind::hangup(),
            _ = self.quit.recv() => SignalKind::quit(),
        })
    }
}

impl Caught {
    /// Of a program that was cut short by it, as shells have it.
    #[must_use]
    pub fn exit_status(self) -> u8 {
        u8::try_from(128 + self.0.as_raw_value()).expect("the signals above are below 16")
    }
}
