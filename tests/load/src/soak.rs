//! Very many connections and requests, and what they leave behind in the daemon's memory.

use std::path::Path;

use super::{Line, LineError};
use harness::{Procfs, Stopwatch};

/// Connections open at the same time.
const AT_ONCE: usize = 64;

/// Requests in one write.
const BURST: usize = 64;

/// Peers that send them, on a thread each.
const PEERS: usize = 4;

/// Looks at the daemon's memory after the warm-up.
const LOOKS: usize = 10;

/// The daemon's resident memory in the course of a soak.
#[derive(Debug)]
pub struct Soak {
    /// In KiB: after the warm-up, and then at equal distances to the end.
    pub resident_kib: Vec<u64>,
    /// Connections made, warm-up included.
    pub connections: usize,
    /// Requests answered with a token, warm-up included.
    pub requests: usize,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Soak {
    /// Makes so many connections, each of which asks once, and so many requests on connections that stay. A tenth of
    /// that goes before, for buffers to grow to their size.
    ///
    /// # Errors
    /// The first failure of any peer.
    pub fn run(
        socket: &Path,
        name: &str,
        inside: Procfs,
        connections: usize,
        requests: usize,
    ) -> Result<Self, LineError> {
        let watch = Stopwatch::start();
        let mut soak = Self { resident_kib: Vec::new(), connections: 0, requests: 0, seconds: 0.0 };
        for _ in 0..=LOOKS {
            soak.come_and_go(socket, name, connections / LOOKS)?;
            soak.ask(socket, name, requests / LOOKS)?;
            soak.resident_kib.push(inside.resident_kib());
        }
        soak.seconds = watch.elapsed().as_secs_f64();
        Ok(soak)
    }

    /// How much more memory there is at the end than after the warm-up, in KiB.
    #[must_use]
    pub fn growth_kib(&self) -> i64 {
        let at = |look: Option<&u64>| look.and_then(|kib| i64::try_from(*kib).ok()).unwrap_or_default();
        at(self.resident_kib.last()) - at(self.resident_kib.first())
    }

    fn come_and_go(&mut self, socket: &Path, name: &str, connections: usize) -> Result<(), LineError> {
        for _ in 0..connections.div_ceil(AT_ONCE) {
            let mut lines = Vec::with_capacity(AT_ONCE);
            for _ in 0..AT_ONCE {
                lines.push(Line::open(socket, name)?);
            }
            lines.iter_mut().try_for_each(Line::ask)?;
            self.connections += AT_ONCE;
            self.requests += AT_ONCE;
        }
        Ok(())
    }

    fn ask(&mut self, socket: &Path, name: &str, requests: usize) -> Result<(), LineError> {
        let bursts = requests.div_ceil(BURST * PEERS);
        std::thread::scope(|scope| {
            let one = || {
                let mut line = Line::open(socket, name)?;
                (0..bursts).try_for_each(|_| line.ask_many(BURST))
            };
            let peers: Vec<_> = (0..PEERS).map(|_| scope.spawn(one)).collect();
            peers.into_iter().try_for_each(|peer| peer.join().expect("a peer does not panic"))
        })?;
        self.connections += PEERS;
        self.requests += bursts * BURST * PEERS;
        Ok(())
    }
}
