//! The provider behind HTTP/1.1 on loopback.
//!
//! It runs on a thread and a runtime of its own, so that tests with and without a runtime can use it, and a test's
//! runtime that is busy does not slow the provider down. Time is real: milliseconds since the Unix epoch, read once at
//! the start and monotonic from there, so that a stepped wall clock does not expire anything.

mod clock;
mod connection;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use self::clock::Clock;
use super::{Now, Provider};

/// Connections at once; more are closed as they come.
const MAX_CONNECTIONS: usize = 1024;

/// How long to wait when a connection cannot be accepted, say for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A provider that listens. Dropping it ends the server and every connection at once, as a crash would.
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
    addr: SocketAddr,
    base_url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It gives its tokens to anybody who asks.
    #[error("the sandbox listens on loopback only, not on {0}; use 127.0.0.1 or ::1")]
    NotLoopback(SocketAddr),
    /// The address is taken, say.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// No thread or no runtime.
    #[error("cannot start the server's thread")]
    Thread(#[source] io::Error),
}

/// What the server's thread and its owner share.
#[derive(Debug)]
struct Shared {
    provider: Mutex<Provider>,
    clock: Clock,
    /// Something happened: for those who wait with and without a runtime.
    happened: Condvar,
    changes: watch::Sender<()>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Provider> {
        self.provider.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something on the provider and tells those who wait.
    fn change<T>(&self, act: impl FnOnce(&mut Provider, Now) -> T) -> T {
        let mut provider = self.lock();
        let result = act(&mut provider, self.clock.now());
        drop(provider);
        self.happened.notify_all();
        self.changes.send_replace(());
        result
    }
}

impl Sandbox {
    /// Serves a provider on a free port of 127.0.0.1.
    pub fn start(provider: Provider) -> Result<Self, StartError> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), provider)
    }

    /// Serves a provider on this address, which must be loopback.
    pub fn start_on(addr: SocketAddr, provider: Provider) -> Result<Self, StartError> {
        if !addr.ip().is_loopback() {
            return Err(StartError::NotLoopback(addr));
        }
        let listen = |addr| {
            let listener = TcpListener::bind(addr)?;
            listener.set_nonblocking(true)?;
            let addr = listener.local_addr()?;
            Ok((listener, addr))
        };
        let (listener, addr) = listen(addr).map_err(|error| StartError::Listen(addr, error))?;
        let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(StartError::Thread)?;
        let shared = Arc::new(Shared {
            provider: Mutex::new(provider),
            clock: Clock::start(),
            happened: Condvar::new(),
            changes: watch::Sender::new(()),
        });
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || runtime.block_on(serve(listener, serving, stopped)))
            .map_err(StartError::Thread)?;
        let base_url = format!("http://{addr}");
        Ok(Self { shared, addr, base_url, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The URL of a path that begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// The provider itself. No request is handled while this is held: let it go before the next await or request.
    pub fn provider(&self) -> MutexGuard<'_, Provider> {
        self.shared.lock()
    }

    /// The provider's time.
    #[must_use]
    pub fn now(&self) -> Now {
        self.shared.clock.now()
    }

    /// Sets the provider's clock forward: what has been issued ages by that much.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
    }

    /// Waits on this thread until something holds of the provider; false when it did not in that time.
    #[must_use]
    pub fn wait_until(&self, timeout: Duration, mut holds: impl FnMut(&Provider) -> bool) -> bool {
        let waited = self.shared.happened.wait_timeout_while(self.shared.lock(), timeout, |provider| !holds(provider));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Waits in a runtime until something holds of the provider; false when it did not in that time.
    pub async fn until(&self, timeout: Duration, mut holds: impl FnMut(&Provider) -> bool) -> bool {
        let mut changes = self.shared.changes.subscribe();
        let holding = async {
            while !holds(&self.shared.lock()) {
                changes.changed().await.expect("this sandbox holds the sender");
            }
        };
        tokio::time::timeout(timeout, holding).await.is_ok()
    }

    /// Ends the server and gives the provider back, to be served again on the same address later.
    #[must_use]
    pub fn stop(mut self) -> Provider {
        self.end();
        self.shared.lock().clone()
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server's thread has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.end();
    }
}

/// Accepts until the other end of `stopped` is gone; the connections' tasks end with this one.
async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => panic!("the sandbox cannot register its socket: {error}"),
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                    connections.spawn(connection::serve(stream, Arc::clone(&shared)));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

#[cfg(test)]
mod odd_tests;
#[cfg(test)]
mod tests;
