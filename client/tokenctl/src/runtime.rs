//! The runtime of the commands that need one.

use crate::exit::{Exit, Failure};

/// Runs on a runtime of this thread. Only commands that ask for several names at once, or keep asking, need one.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(Failure::new(Exit::Other, "system", format!("cannot start: {error}"))),
    }
}
