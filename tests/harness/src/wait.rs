//! Waiting for something to be so, without a guess how long it takes.

use std::time::Duration;

use crate::Stopwatch;

/// How long anything may take on a machine that is busy with other things before a test says that it does not happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until `look` finds something.
///
/// # Panics
/// When that takes longer than [`PATIENCE`]: `what` says what was waited for.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, LOOK, look).unwrap_or_else(|| panic!("in {PATIENCE:?} it did not come to: {what}"))
}

/// Waits for so long until `look` finds something, with so long between two looks. It looks once at least, and once
/// when the time is over.
pub fn within<T>(patience: Duration, between: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let watch = Stopwatch::start();
    loop {
        // Before the look: however long that takes, what it finds counts.
        let over = watch.elapsed() >= patience;
        let found = look();
        if found.is_some() || over {
            return found;
        }
        std::thread::sleep(between.min(patience.saturating_sub(watch.elapsed())));
    }
}

/// Does something and says how long it took. On a machine that is busy with other things that is good for generous
/// bounds only.
pub fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let watch = Stopwatch::start();
    let result = act();
    (result, watch.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_time_and_not_a_number_of_looks() {
        let mut looks = 0;
        let slow_look = || {
            looks += 1;
            std::thread::sleep(Duration::from_millis(20));
            None::<()>
        };
        assert_eq!(within(Duration::from_millis(50), Duration::from_millis(1), slow_look), None);
        assert!((2..=4).contains(&looks), "{looks}");
        assert_eq!(within(Duration::ZERO, LOOK, || Some(1)), Some(1), "one look there is");
    }
}
