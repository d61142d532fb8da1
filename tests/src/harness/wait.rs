//! Waiting for something to be so, without a guess how long it takes.

use std::time::{Duration, Instant};

/// How long anything may take on a machine that is busy with other things before a test says that it does not happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until `look` finds something.
///
/// # Panics
/// When that takes longer than [`PATIENCE`]: `what` says what was waited for.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let looks = PATIENCE.as_millis() / LOOK.as_millis();
    for _ in 0..looks {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(LOOK);
    }
    panic!("in {PATIENCE:?} it did not come to: {what}");
}

/// Does something and says how long it took. On a machine that is busy with other things that is good for generous
/// bounds only.
#[expect(clippy::disallowed_methods, reason = "a test looks at a daemon from outside, and no deadline depends on it")]
pub fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let result = act();
    (result, begun.elapsed())
}
