//! A well-behaved peer that reads all the time, to see whether it notices anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use harness::{World, until};
use tokend_client::Client;

/// Reads until it is dropped.
pub(crate) struct Reader {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    reads: AtomicU64,
    failures: AtomicU64,
}

impl Reader {
    /// Reads this name on one connection as fast as it can, which has to work by now.
    pub(crate) fn of(world: &World, name: &'static str) -> Self {
        let shared = Arc::new(Shared::default());
        let (socket, seen) = (world.socket(), Arc::clone(&shared));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = Client::connect(socket).await.unwrap();
                while !seen.stop.load(Ordering::Relaxed) {
                    match client.token(name).await {
                        Ok(_) => seen.reads.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            println!("the reader was told: {error}");
                            seen.failures.fetch_add(1, Ordering::Relaxed)
                        }
                    };
                    // It shares two processors with what it watches.
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            });
        });
        let reader = Self { shared, thread: Some(thread) };
        reader.reads_on();
        reader
    }

    /// Waits until it has read once more.
    pub(crate) fn reads_on(&self) {
        let before = self.shared.reads.load(Ordering::Relaxed);
        until("the reader reads on", || (self.shared.reads.load(Ordering::Relaxed) > before).then_some(()));
    }

    /// It has noticed nothing so far, and goes on.
    pub(crate) fn is_unaffected(&self) {
        self.reads_on();
        assert_eq!(self.shared.failures.load(Ordering::Relaxed), 0);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        println!("reads: {}", self.shared.reads.load(Ordering::Relaxed));
        if !thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}
