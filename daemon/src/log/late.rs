//! Lines that are written long after they were logged say so.

use std::time::Duration;

use crate::core::time::BootTime;

/// How late a line may be without a word about it: a busy machine is no log that stands still.
const LATE: Duration = Duration::from_secs(10);

/// What is said of a line whose time is when it was written, if it has waited long for that.
pub(crate) fn waited(since: BootTime, now: BootTime) -> String {
    let waited = now.since(since);
    if waited < LATE { String::new() } else { format!(" ({} s ago)", waited.as_secs()) }
}
