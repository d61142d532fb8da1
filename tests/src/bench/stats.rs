//! Medians and their spread.

use std::fmt;

/// The middle of several measurements, and the quartiles around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// A quarter of the measurements are below.
    pub low: f64,
    /// The median.
    pub middle: f64,
    /// A quarter of the measurements are above.
    pub high: f64,
}

impl Spread {
    /// Of these measurements; `None` without any.
    #[must_use]
    pub fn of(measurements: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = measurements.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |share| quantile(&sorted, share);
        Some(Self { low: at(0.25)?, middle: at(0.5)?, high: at(0.75)? })
    }

    /// Of one measurement.
    #[must_use]
    pub fn single(measurement: f64) -> Self {
        Self { low: measurement, middle: measurement, high: measurement }
    }

    /// The ratios of measurements that were made side by side: what the machine did to both falls out.
    #[must_use]
    pub fn ratio(of: &[f64], to: &[f64]) -> Option<Self> {
        Self::of(of.iter().zip(to).filter(|(_, to)| **to > 0.0).map(|(of, to)| of / to))
    }

    /// Each of the three by this factor.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { low: self.low * factor, middle: self.middle * factor, high: self.high * factor }
    }
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
        _ if size >= 10.0 => format!("{value:.1}"),
        _ if size >= 0.1 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn grouped(whole: f64) -> String {
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
        assert_eq!(spread, Spread { low: 2.0, middle: 3.0, high: 4.0 });
        assert_eq!(spread.to_string(), "3.00 (2.00–4.00)");
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ratios_are_of_pairs_and_not_of_medians() {
        // One disturbed round slows both down.
        let ratio = Spread::ratio(&[100.0, 10.0, 100.0], &[50.0, 5.0, 50.0]).expect("there are three");
        assert_eq!(ratio, Spread::single(2.0));
    }

    #[test]
    fn numbers_have_three_figures() {
        let texts = [0.0, 0.0123, 0.954, 1.0, 12.34, 123.4, 98_765.4, 1_234_567.0].map(number);
        assert_eq!(texts, ["0.00", "0.0123", "0.95", "1.00", "12.3", "123", "98,765", "1,234,567"]);
    }
}
