//! How long to wait before the next connection to a daemon that cannot be reached.

use std::time::Duration;

/// The first step.
const FIRST: Duration = Duration::from_millis(50);

/// The longest step: the client finds a restarted daemon within this time.
const LONGEST: Duration = Duration::from_secs(2);

/// Doubles from [`FIRST`] to [`LONGEST`]. Each delay is between half a step and a whole one.
#[derive(Debug)]
pub(crate) struct Backoff {
    step: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { step: FIRST }
    }

    /// The next delay.
    pub(crate) fn next(&mut self) -> Duration {
        // The random number only spreads reconnects: without one, the middle of the range does as well.
        self.step(getrandom::u32().unwrap_or(u32::MAX / 2))
    }

    /// `random` may be any `u32`: it is scaled to the second half of the step.
    fn step(&mut self, random: u32) -> Duration {
        let half = self.step / 2;
        self.step = (self.step * 2).min(LONGEST);
        half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    #[cfg(feature = "async")]
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_delay_is_between_half_and_the_whole_of_a_step_that_doubles_up_to_the_longest() {
        let (mut least, mut most) = (Backoff::new(), Backoff::new());
        let mut step = FIRST;
        for _ in 0..12 {
            assert_eq!(least.step(0), step / 2);
            assert_eq!(most.step(u32::MAX), step);
            step = (step * 2).min(LONGEST);
        }
        assert_eq!(step, LONGEST);
        #[cfg(feature = "async")]
        {
            most.reset();
            assert_eq!(most.step(u32::MAX), FIRST);
        }
    }
}
