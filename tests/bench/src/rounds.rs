//! Rounds: every server has its turn in each, in another order each time.

use super::{BenchError, interrupt};

/// A source of orders; the same ones in each run.
#[derive(Debug, Clone)]
pub(super) struct Shuffle(u64);

impl Default for Shuffle {
    fn default() -> Self {
        Self(0x2545_f491_4f6c_dd1d)
    }
}

impl Shuffle {
    /// xorshift64 (Marsaglia 2003).
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// The numbers under `length`, in some order (Fisher and Yates).
    fn order(&mut self, length: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..length).collect();
        for at in (1..length).rev() {
            order.swap(at, (self.next() % (at as u64 + 1)) as usize);
        }
        order
    }
}

/// Takes one slice of each of so many servers in each round, and one round more before that counts for nothing. What a
/// server did stands under its number, a round after the other.
///
/// # Errors
/// The first one of a slice, or when the run is to end.
pub(super) fn rounds<T>(
    rounds: usize,
    servers: usize,
    mut slice: impl FnMut(usize) -> Result<T, BenchError>,
) -> Result<Vec<Vec<T>>, BenchError> {
    let mut shuffle = Shuffle::default();
    let mut all: Vec<Vec<T>> = (0..servers).map(|_| Vec::with_capacity(rounds)).collect();
    for round in 0..=rounds {
        for server in shuffle.order(servers) {
            interrupt::check()?;
            let taken = slice(server)?;
            if round > 0 {
                all[server].push(taken);
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_turn_in_each_round_and_the_order_changes() {
        let mut turns = Vec::new();
        let all = rounds(20, 3, |server| {
            turns.push(server);
            Ok(turns.len())
        });
        let all = all.expect("no slice fails");
        assert!(all.iter().all(|of_one| of_one.len() == 20 && of_one[0] > 3));
        let mut firsts = [0; 3];
        turns.chunks(3).for_each(|round| firsts[round[0]] += 1);
        assert!(firsts.iter().all(|first| *first > 0), "{firsts:?}");
    }
}
