//! The socket's thread: its runtime, accepting, and coming to an end.

use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fmt, io};

use nix::errno::Errno;
use tokend_proto::{ErrorReply, Flags, Reply, codec};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime;
use tokio::sync::watch;

use super::admission::Place;
use super::connection::Connection;
use super::deadlines::Alarms;
use super::listener::Listener;
use super::shared::Shared;
use super::stream::{Stream, register, transmit};
use super::{Context, buffers, deadlines};
use crate::access::peer;
use crate::access::policy::PeerIdentity;
use crate::systemd::watchdog::{Thread, Watchdog};

/// First and longest pause after accepting failed, as it does when descriptors run out.
const ACCEPT_BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How many turns the thread takes before it looks who else has sent something.
const EVENT_INTERVAL: u32 = 8;

/// The thread that serves the socket. Dropping it ends it at once; [`SocketThread::drain`] is the polite way.
pub struct SocketThread {
    shared: Arc<Shared>,
    stop: watch::Sender<Stop>,
    runtime: runtime::Handle,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Stop {
    NotYet,
    /// When all peers have what they are owed.
    Drained,
    Now,
}

impl SocketThread {
    /// Starts to serve.
    ///
    /// # Errors
    /// When the system has no thread, no epoll descriptor, or does not take the listener into it.
    pub fn spawn(listener: Listener, context: Context) -> io::Result<Self> {
        Self::spawn_with(listener, context, peer::identify)
    }

    /// With another way to know peers, for tests, all of whose peers have one user.
    pub(super) fn spawn_with(
        listener: Listener,
        context: Context,
        identify: impl Fn(&UnixStream) -> io::Result<PeerIdentity> + Send + 'static,
    ) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .event_interval(EVENT_INTERVAL)
            .on_thread_park(buffers::put_away)
            .build()?;
        let (socket, own_path) = listener.into_parts();
        socket.set_nonblocking(true)?;
        let (socket, shared) = {
            let _entered = runtime.enter();
            (register(socket, Interest::READABLE)?, Arc::new(Shared::new(context)?))
        };
        let (stop, stopped) = watch::channel(Stop::NotYet);
        let serving = Arc::clone(&shared);
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new().name("socket".into()).spawn(move || {
            crate::os::process::contain_panics();
            runtime.block_on(async move {
                let token_cache = Arc::clone(&serving.context.token_cache);
                tokio::spawn(async move { token_cache.wake_watchers().await });
                let alarms = Arc::clone(&serving.alarms);
                tokio::spawn(async move { alarms.ring().await });
                accept_until(&socket, &serving, identify, stopped.clone()).await;
                // The path goes first: a peer that comes now hears at once that nobody is here.
                drop(own_path);
                drop(socket);
                drain(&serving, stopped).await;
            });
        })?;
        Ok(Self { shared, stop, runtime: handle, thread: Some(thread) })
    }

    /// Answers this watchdog from now on, as one of the thread's own tasks: if another one holds the thread up, it
    /// does not.
    pub fn answer(&self, watchdog: Arc<Watchdog>) {
        self.runtime.spawn(watchdog.answer_for(Thread::Socket));
    }

    /// Changes how many connections there may be, for those that come from now on.
    pub fn set_connection_limits(&self, max_connections: usize, max_connections_per_uid: usize) {
        self.shared.admission.set_limits(max_connections, max_connections_per_uid);
    }

    /// Other rules are in force: watches that they do not allow end.
    pub fn rules_changed(&self) {
        self.shared.admission.wake_all();
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.admission.count()
    }

    /// Stops accepting, removes an own socket's path, closes idle connections, lets the others have the
    /// answers to what they asked (the core has to go on until this returns), and ends after
    /// [`super::Limits::drain_time`] at the latest.
    pub async fn drain(mut self) {
        self.stop.send_replace(Stop::Drained);
        // Closed when the thread has dropped its end, as its last act.
        self.stop.closed().await;
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the socket's thread panicked");
        }
    }
}

impl fmt::Debug for SocketThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketThread").field("connections", &self.connections()).finish_non_exhaustive()
    }
}

impl Drop for SocketThread {
    fn drop(&mut self) {
        self.stop.send_replace(Stop::Now);
        self.join();
    }
}

async fn accept_until(
    socket: &AsyncFd<UnixListener>,
    shared: &Arc<Shared>,
    identify: impl Fn(&UnixStream) -> io::Result<PeerIdentity>,
    mut stop: watch::Receiver<Stop>,
) {
    let stopped = stop.wait_for(|stop| *stop > Stop::NotYet);
    tokio::select! {
        biased;
        _ = stopped => {}
        () = accept(socket, &shared.alarms, |stream| admit(stream, shared, &identify)) => {}
    }
}

async fn accept(socket: &AsyncFd<UnixListener>, alarms: &Arc<Alarms>, admit: impl Fn(UnixStream) -> io::Result<()>) {
    let mut pause = ACCEPT_BACKOFF.0;
    loop {
        let accepted = socket.async_io(Interest::READABLE, UnixListener::accept).await;
        match accepted.and_then(|(stream, _)| admit(stream)) {
            Ok(()) => {
                if pause > ACCEPT_BACKOFF.0 {
                    tracing::info!("connections are accepted again");
                    pause = ACCEPT_BACKOFF.0;
                }
            }
            // accept(2): the peer was gone before it was its turn.
            Err(error) if error.raw_os_error() == Some(Errno::ECONNABORTED as i32) => {}
            Err(error) => {
                if pause == ACCEPT_BACKOFF.0 {
                    tracing::warn!(%error, "connections cannot be accepted for now");
                }
                deadlines::sleep(alarms, pause).await;
                pause = (pause * 2).min(ACCEPT_BACKOFF.1);
            }
        }
    }
}

/// Finds out who it is and whether there is room.
///
/// # Errors
/// When the system has no room to wait for it.
fn admit(
    stream: UnixStream,
    shared: &Arc<Shared>,
    identify: impl Fn(&UnixStream) -> io::Result<PeerIdentity>,
) -> io::Result<()> {
    let identity = match identify(&stream) {
        Ok(identity) => identity,
        Err(error) => {
            tracing::warn!(%error, "a peer cannot be identified and is not served");
            return Ok(());
        }
    };
    let superuser = shared.context.access.load().is_superuser(&identity);
    match Place::take(&shared.admission, identity.uid, superuser) {
        Ok(place) => {
            tokio::spawn(Connection::new(Stream::new(stream)?, identity, place, Arc::clone(shared)));
        }
        Err(refusal) => {
            tracing::debug!(uid = identity.uid, pid = identity.pid, reason = %refusal.message, "connection refused");
            turn_away(&stream, refusal);
        }
    }
    Ok(())
}

/// Says why, if that can be done without waiting: the buffer of a new socket has room.
fn turn_away(stream: &UnixStream, refusal: ErrorReply) {
    if let Ok(frame) = codec::encode_reply(0, Flags::NONE, &Reply::Error(refusal)) {
        let _ = transmit(stream, &frame);
    }
}

async fn drain(shared: &Arc<Shared>, mut stop: watch::Receiver<Stop>) {
    shared.draining.store(true, Ordering::Relaxed);
    shared.admission.wake_all();
    let limit = shared.context.limits.drain_time;
    tokio::select! {
        () = shared.admission.emptied() => {}
        _ = stop.wait_for(|stop| *stop == Stop::Now) => {}
        () = deadlines::sleep(&shared.alarms, limit) => {
            tracing::warn!(connections = shared.admission.count(), ?limit, "peers did not take their answers in time");
        }
    }
}
