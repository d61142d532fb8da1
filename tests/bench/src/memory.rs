//! Ways to read a token in this process that somebody may replace at any time: the client's cache, and what a program
//! would build in its place.

use std::hint::black_box;
use std::pin::pin;
use std::sync::{Arc, RwLock};
use std::task::{Context, Waker};
use std::time::Duration;

use arc_swap::ArcSwap;
use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};
use tokend_client::{Cached, Client};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

use super::BenchError;
use super::peers::{self, NAME};
use harness::{Daemon, World, boot_ms};

/// The client's handle of one name, in tables.
pub(super) const CACHED: &str = "tokend-client, `Cached::token`";
/// What the client's is compared with.
pub(super) const COARSE: &str = "ArcSwap load, a coarse clock";

/// Reads between two looks at the time.
const BATCH: u32 = 1_000;

/// One way.
pub(super) struct Reader {
    /// In tables.
    pub(super) name: &'static str,
    /// Reads so often; false when it would have to wait.
    read: Box<dyn Fn(u32) -> bool + Sync>,
}

/// The client's cache in front of a daemon.
pub(super) struct Kept {
    runtime: Runtime,
    client: Client,
    cached: Cached,
    _daemon: Daemon,
    _world: World,
}

/// A token as a program would keep it.
struct Held {
    text: String,
    until_ms: i64,
}

impl Reader {
    fn new(name: &'static str, read: impl Fn(u32) -> bool + Sync + 'static) -> Self {
        Self { name, read: Box::new(read) }
    }

    /// A read that never waits.
    fn plain<T>(name: &'static str, read: impl Fn() -> T + Sync + 'static) -> Self {
        Self::new(name, move |reads| {
            (0..reads).for_each(|_| drop(black_box(read())));
            true
        })
    }

    /// Reads for so long; processor time per read, in ns.
    ///
    /// # Errors
    /// When one of them had to wait.
    pub(super) fn time(&self, span: Duration) -> Result<f64, BenchError> {
        let (begun, mut reads) = (of_this_thread(), 0);
        loop {
            if !(self.read)(BATCH) {
                return Err(BenchError::program(self.name, "the token is not in memory"));
            }
            reads += BATCH;
            let nanos = of_this_thread() - begun;
            if nanos >= span.as_nanos() as i64 {
                return Ok(nanos as f64 / f64::from(reads));
            }
        }
    }
}

impl Kept {
    /// Starts a daemon, asks it once, and waits until the token is in memory.
    ///
    /// # Errors
    /// When there is no runtime, or no token.
    pub(super) fn start() -> Result<Self, BenchError> {
        let world = peers::world();
        world.configure("", &[world.central(NAME)]);
        let daemon = peers::start(&world);
        let _ = world.ctl().token(NAME);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(BenchError::system("a runtime"))?;
        let client = Client::builder().socket(world.socket()).build();
        let failed = |error| BenchError::program(CACHED, error);
        let cached = client.cached(NAME).map_err(failed)?;
        runtime.block_on(async {
            cached.token().await.map_err(failed)?;
            while cached.current().is_none() {
                tokio::task::yield_now().await;
            }
            Ok::<_, BenchError>(())
        })?;
        Ok(Self { runtime, client, cached, _daemon: daemon, _world: world })
    }

    /// The client's ways, and then those that there are without it.
    pub(super) fn readers(&self) -> Result<Vec<Reader>, BenchError> {
        let cache = self.client.cache();
        let failed = |error| BenchError::program("tokend-client, `Cache::token`", error);
        self.runtime.block_on(async {
            cache.token(NAME).await.map_err(failed)?;
            while cache.current(NAME).is_none() {
                tokio::task::yield_now().await;
            }
            Ok::<_, BenchError>(())
        })?;
        let (one, current) = (self.cached.clone(), self.cached.clone());
        let (at, at_cache) = (self.runtime.handle().clone(), self.runtime.handle().clone());
        let mut readers = vec![
            Reader::new(CACHED, move |reads| {
                at_once(&at, async {
                    for _ in 0..reads {
                        let Ok(token) = one.token().await else { return None };
                        black_box(token.secret().len());
                    }
                    Some(())
                })
            }),
            Reader::new("tokend-client, `Cached::current`", move |reads| {
                for _ in 0..reads {
                    let Some(token) = current.current() else { return false };
                    black_box(token.secret().len());
                }
                true
            }),
            Reader::new("tokend-client, `Cache::token`", move |reads| {
                at_once(&at_cache, async {
                    for _ in 0..reads {
                        let Ok(token) = cache.token(NAME).await else { return None };
                        black_box(token.secret().len());
                    }
                    Some(())
                })
            }),
        ];
        readers.extend(without_it());
        Ok(readers)
    }
}

/// Whether this comes to something without waiting. Whatever it would wait for finds the runtime.
fn at_once(runtime: &Handle, reads: impl Future<Output = Option<()>>) -> bool {
    let _entered = runtime.enter();
    pin!(reads).poll(&mut Context::from_waker(Waker::noop())) == std::task::Poll::Ready(Some(()))
}

fn without_it() -> Vec<Reader> {
    let held = || Held { text: "x".repeat(peers::TOKEN_LENGTH), until_ms: boot_ms() as i64 + 7_200_000 };
    let swap = || ArcSwap::from_pointee(held());
    let (plain, coarse, boot) = (swap(), swap(), swap());
    let (locked, arc) = (RwLock::new(held()), Arc::new(held()));
    let (sender, watched) = watch::channel(held());
    let still = |held: &Held, clock| (now_ms(clock) < held.until_ms).then_some(held.text.len());
    vec![
        Reader::plain("ArcSwap load", move || plain.load().text.len()),
        Reader::plain(COARSE, move || still(&coarse.load(), ClockId::CLOCK_MONOTONIC_COARSE)),
        Reader::plain("ArcSwap load, CLOCK_BOOTTIME", move || still(&boot.load(), ClockId::CLOCK_BOOTTIME)),
        Reader::plain("RwLock", move || locked.read().map(|held| held.text.len()).ok()),
        Reader::plain("tokio watch borrow", move || {
            let _kept = &sender;
            watched.borrow().text.len()
        }),
        Reader::plain("`Arc` clone", move || Arc::clone(&arc).text.len()),
    ]
}

fn now_ms(clock: ClockId) -> i64 {
    clock_gettime(clock).expect("Linux has had it since 2.6.39").num_milliseconds()
}

/// Processor time of the calling thread so far, in ns.
fn of_this_thread() -> i64 {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has had it since 2.6").num_nanoseconds()
}
