//! Durations as a person types them: `90s`, `20m`, `2h`, `14d`.

use std::time::Duration;

/// The longest duration accepted, ten years: no sum of durations overflows.
const LONGEST: Duration = Duration::from_secs(3650 * 86_400);

/// Reads a whole number and a unit.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let seconds: u64 = match unit {
        "s" if digits > 0 => 1,
        "m" if digits > 0 => 60,
        "h" if digits > 0 => 3_600,
        "d" if digits > 0 => 86_400,
        _ => return Err("expected a whole number and a unit, as in 90s, 20m, 2h or 14d".to_owned()),
    };
    let span = number.parse().ok().and_then(|n: u64| n.checked_mul(seconds)).map(Duration::from_secs);
    span.filter(|&span| span <= LONGEST).ok_or_else(|| "expected ten years at most".to_owned())
}

/// A duration for a person: its two largest units.
pub(crate) fn shown(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [("d", seconds / 86_400), ("h", seconds / 3_600 % 24), ("m", seconds / 60 % 60), ("s", seconds % 60)];
    let first = units.iter().position(|(_, count)| *count > 0).unwrap_or(units.len() - 1);
    let parts = units[first..].iter().take(2).enumerate().filter(|(index, (_, count))| *index == 0 || *count > 0);
    parts.map(|(_, (unit, count))| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_is_a_span() {
        for (text, seconds) in [("0s", 0), ("90s", 90), ("20m", 1_200), ("2h", 7_200), ("14d", 1_209_600)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn a_span_is_shown_in_its_two_largest_units() {
        let shown = |seconds| shown(Duration::from_secs(seconds));
        assert_eq!([0, 59, 60, 3_661, 86_400, 90_061].map(shown), ["0s", "59s", "1m", "1h 1m", "1d", "1d 1h"]);
    }

    #[test]
    fn anything_else_is_refused_with_what_would_be_right() {
        for text in ["", "90", "s", "+1s", "-1s", "1.5h", "1 m", "1w", "1é", "99999999999999999999s"] {
            assert!(parse(text).unwrap_err().contains("as in 90s") || text.len() > 10, "{text:?}");
        }
        assert_eq!(parse("3651d").unwrap_err(), "expected ten years at most");
        assert_eq!(parse("18446744073709551615d").unwrap_err(), "expected ten years at most");
    }
}
