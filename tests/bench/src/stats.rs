//! Medians, their spread, and how well they are known.

use std::fmt;

/// How sure an interval is to hold what a median would be after very many rounds.
const SURE: f64 = 0.95;

/// The middle of several measurements, and what is around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// A quarter of the measurements are below.
    pub low: f64,
    /// The median.
    pub middle: f64,
    /// A quarter of the measurements are above.
    pub high: f64,
    /// Where the true median is, at 95 %; `None` where there are too few measurements to say so.
    pub interval: Option<(f64, f64)>,
}

impl Spread {
    /// Of these measurements; `None` without any.
    #[must_use]
    pub fn of(measurements: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = measurements.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |share| between(&sorted, share);
        Some(Self { low: at(0.25)?, middle: at(0.5)?, high: at(0.75)?, interval: interval(&sorted) })
    }

    /// Of one measurement.
    #[must_use]
    pub fn single(measurement: f64) -> Self {
        Self { low: measurement, middle: measurement, high: measurement, interval: None }
    }

    /// The ratios of measurements that were made side by side: what the machine did to both falls out.
    #[must_use]
    pub fn ratio(of: &[f64], to: &[f64]) -> Option<Self> {
        Self::of(of.iter().zip(to).filter(|(_, to)| **to > 0.0).map(|(of, to)| of / to))
    }
}

/// The interval that holds the median of what was measured, whatever its distribution: from the measurement of some
/// rank to that of the same rank from above. It misses when all measurements up to that rank, or down to it, are on one
/// side of the median, and each is so like a coin that was thrown (David and Nagaraja, Order Statistics, 7.1).
fn interval(sorted: &[f64]) -> Option<(f64, f64)> {
    let number = sorted.len();
    // The probability of at most so many heads, in steps; logarithms, because the first terms are very small.
    let mut term = number as f64 * 0.5_f64.ln();
    let mut at_most = term.exp();
    let mut rank = 0;
    while at_most <= (1.0 - SURE) / 2.0 && rank < number / 2 {
        rank += 1;
        term += ((number - rank + 1) as f64 / rank as f64).ln();
        at_most += term.exp();
    }
    let low = rank.checked_sub(1)?;
    Some((sorted[low], sorted[number - 1 - low]))
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (number(self.low), number(self.high));
        f.write_str(&number(self.middle))?;
        if low == high { Ok(()) } else { write!(f, " ({low}–{high})") }
    }
}

/// Three significant figures.
#[must_use]
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size >= 100.0 => grouped(value.round()),
        // What was counted and not measured.
        _ if size >= 10.0 && value.fract() == 0.0 => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ if size >= 1.0 || size == 0.0 => format!("{value:.2}"),
        _ if size >= 0.1 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// A whole number, in groups of three digits.
#[must_use]
pub(super) fn grouped(whole: f64) -> String {
    let digits = format!("{:.0}", whole.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if whole < 0.0 { format!("-{text}") } else { text }
}

/// The value that this share of sorted values is below; the mean of two, weighted, where that is between them.
fn between(sorted: &[f64], share: f64) -> Option<f64> {
    let place = sorted.len().checked_sub(1)? as f64 * share;
    let (below, above) = (*sorted.get(place.floor() as usize)?, *sorted.get(place.ceil() as usize)?);
    Some(below + (above - below) * place.fract())
}

/// The value that this share of sorted values are at or below.
#[must_use]
pub(super) fn quantile<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_median_and_the_quartiles() {
        let spread = Spread::of([5.0, 1.0, 3.0, 2.0, 4.0]).expect("there are five");
        assert_eq!(spread, Spread { low: 2.0, middle: 3.0, high: 4.0, interval: None });
        assert_eq!(spread.to_string(), "3.00 (2.00–4.00)");
        assert_eq!(Spread::of([1.0, 2.0]).map(|spread| spread.middle), Some(1.5));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn an_interval_has_the_ranks_that_tables_of_the_sign_test_have() {
        let ranks = |number: u16| {
            let of = Spread::of((1..=number).map(f64::from)).expect("there are some");
            of.interval.map(|(from, to)| (from as u16, to as u16))
        };
        // Five throws are alike once in 16.
        assert_eq!([1, 5].map(ranks), [None, None]);
        assert_eq!(
            [6, 9, 20, 41, 100].map(ranks),
            [Some((1, 6)), Some((2, 8)), Some((6, 15)), Some((14, 28)), Some((40, 61))]
        );
        assert!(ranks(10_000).is_some_and(|(from, to)| from == 4_902 && to == 5_099), "{:?}", ranks(10_000));
    }

    #[test]
    fn an_interval_holds_the_true_median_nineteen_times_of_twenty() {
        // A linear congruential generator (Knuth, MMIX), of which the upper half is used.
        let mut state = 7_u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 32) as f64 / f64::from(u32::MAX)
        };
        let trials = 4_000;
        let holds = (0..trials).filter(|_| {
            // Skewed, as times are: the median of x² is 1/4.
            let spread = Spread::of((0..41).map(|_| uniform().powi(2))).expect("there are some");
            spread.interval.is_some_and(|(from, to)| from <= 0.25 && 0.25 <= to)
        });
        let share = holds.count() as f64 / f64::from(trials);
        assert!((SURE..0.99).contains(&share), "{share}");
    }

    #[test]
    fn ratios_are_of_pairs_and_not_of_medians() {
        // One disturbed round slows both down.
        let ratio = Spread::ratio(&[100.0, 10.0, 100.0], &[50.0, 5.0, 50.0]).expect("there are three");
        assert_eq!(ratio, Spread::single(2.0));
    }

    #[test]
    fn numbers_have_three_figures() {
        let texts = [0.0, 0.0123, 0.954, 1.0, 10.0, 12.34, 123.4, 98_765.4, 1_234_567.0].map(number);
        assert_eq!(texts, ["0.00", "0.0123", "0.954", "1.00", "10", "12.3", "123", "98,765", "1,234,567"]);
    }
}
