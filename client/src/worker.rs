//! The task behind a client: it connects when there is a call, and again when the connection breaks.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::backoff::Backoff;
use crate::connection::{Connection, Disconnect};
use crate::outgoing::Outgoing;
use crate::wire::Failure;

/// Room for calls that wait for the worker; further ones wait in their callers.
pub(crate) const QUEUE: usize = 64;

/// A Unix socket connects at once or not at all; this limit is for a file system that hangs.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Runs until the last client is gone.
pub(crate) async fn run_worker(path: PathBuf, mut calls: mpsc::Receiver<Outgoing>, was_connected: Arc<AtomicBool>) {
    let mut backoff = Backoff::new();
    let mut not_before = None;
    while let Some(call) = calls.recv().await {
        // Only if there is something to wait for: even a timer that is due takes up to a millisecond.
        if let Some(not_before) = not_before.take() {
            sleep_until(not_before).await;
        }
        if call.is_pointless() {
            continue;
        }
        match connect(&path).await {
            Err(error) => {
                not_before = Some(Instant::now() + backoff.next());
                refuse(call, &mut calls, &Arc::new(error));
            }
            Ok(stream) => {
                was_connected.store(true, Ordering::Relaxed);
                match Connection::new(stream).run(call, &mut calls).await {
                    Disconnect::Clean => backoff.reset(),
                    // It may fail again: pause, so that a daemon in trouble does not get a storm of connections.
                    Disconnect::Faulty => not_before = Some(Instant::now() + backoff.next()),
                }
            }
        }
    }
}

async fn connect(path: &PathBuf) -> io::Result<UnixStream> {
    match timeout(CONNECT_TIME, UnixStream::connect(path)).await {
        Ok(result) => result,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Fails this call and all that wait behind it. Those that may wait longer come again.
fn refuse(call: Outgoing, calls: &mut mpsc::Receiver<Outgoing>, error: &Arc<io::Error>) {
    let mut next = Some(call);
    while let Some(call) = next {
        call.fail(Failure::Connect(Arc::clone(error)));
        next = calls.try_recv().ok();
    }
}
