//! What behaving peers see during a span of time.

use std::path::Path;
use std::time::Duration;

use harness::Stopwatch;

use super::Line;

/// How a behaving peer goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// One connection, one request after the other.
    Stays,
    /// A new connection for each request, as a command line has it.
    ComesAndGoes,
}

/// How long each request took, and what went wrong.
#[derive(Debug, Default)]
pub struct Slice {
    took: Vec<Duration>,
    /// In words: there should be none.
    pub errors: Vec<String>,
}

impl Slice {
    /// Has `peers` peers read a name for so long.
    #[must_use]
    pub fn of(socket: &Path, name: &str, habit: Habit, peers: usize, span: Duration) -> Self {
        let mut whole = Self::default();
        std::thread::scope(|scope| {
            let peers: Vec<_> = (0..peers).map(|_| scope.spawn(|| Self::of_one(socket, name, habit, span))).collect();
            for peer in peers {
                let slice = peer.join().expect("a peer does not panic");
                whole.took.extend(slice.took);
                whole.errors.extend(slice.errors);
            }
        });
        whole.took.sort_unstable();
        whole
    }

    fn of_one(socket: &Path, name: &str, habit: Habit, span: Duration) -> Self {
        let mut slice = Self::default();
        let whole = Stopwatch::start();
        let mut line = None;
        while whole.elapsed() < span {
            let once = Stopwatch::start();
            let answered = match line.take() {
                Some(line) => Ok(line),
                None => Line::open(socket, name),
            };
            let answered = answered.and_then(|mut line| line.ask().map(|()| line));
            match answered {
                Ok(answered) => {
                    slice.took.push(once.elapsed());
                    line = (habit == Habit::Stays).then_some(answered);
                }
                Err(error) => slice.errors.push(tokend::error::chain(&error)),
            }
        }
        slice
    }

    /// How many requests were answered well.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.took.len()
    }

    /// The time in which so many of a hundred were answered.
    ///
    /// # Panics
    /// When none was.
    #[must_use]
    pub fn within(&self, of_a_hundred: usize) -> Duration {
        assert!(!self.took.is_empty(), "nothing was answered: {:?}", self.errors.first());
        self.took[(self.took.len() * of_a_hundred / 100).min(self.took.len() - 1)]
    }
}
