//! Waiting for something to be so, without a guess how long it takes.

use std::time::Duration;

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
