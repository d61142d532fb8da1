//! Ctrl-C and the like: a run ends at the next slice, and with it all that was started.
//!
//! A signal is to the whole process, and so is what is kept of it here.

use std::process;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use super::BenchError;
use harness::Stopwatch;
use harness::stop::{Caught, Stop};

static CAUGHT: OnceLock<Caught> = OnceLock::new();

/// Between two looks while nothing is measured but time.
const LOOK: Duration = Duration::from_millis(100);

/// Listens from now on. A second signal ends the process on the spot.
///
/// # Errors
/// When the system does not let us.
pub fn listen() -> Result<(), BenchError> {
    let failed = BenchError::system("listening for signals");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(&failed)?;
    let mut stop = runtime.block_on(async { Stop::listen() }).map_err(&failed)?;
    thread::spawn(move || {
        let first = runtime.block_on(stop.next());
        CAUGHT.get_or_init(|| first);
        eprintln!("bench: interrupted, clearing up");
        let second = runtime.block_on(stop.next());
        process::exit(second.exit_status().into());
    });
    Ok(())
}

/// The signal that came, if one did.
#[must_use]
pub fn caught() -> Option<Caught> {
    CAUGHT.get().copied()
}

/// Whether the run may go on.
pub(super) fn check() -> Result<(), BenchError> {
    match caught() {
        Some(_) => Err(BenchError::Interrupted),
        None => Ok(()),
    }
}

/// Lets so much time pass, unless the run is to end.
pub(super) fn sleep(span: Duration) -> Result<(), BenchError> {
    let watch = Stopwatch::start();
    while let Some(left) = span.checked_sub(watch.elapsed()) {
        check()?;
        thread::sleep(left.min(LOOK));
    }
    check()
}
