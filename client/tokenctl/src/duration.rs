//! Spans of time as a person types them: `90s`, `20m`, `2h`, `14d`.

use std::time::Duration;

/// Longest span accepted, so that no sum of spans overflows: ten years.
const LONGEST: Duration = Duration::from_secs(3650 * 86_400);

/// Reads a span.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    const RIGHT: &str = "a number and a unit, as in 90s, 20m, 2h or 14d";
    let unit = text.chars().next_back().ok_or_else(|| format!("it is empty; right would be {RIGHT}"))?;
    let number = &text[..text.len() - unit.len_utf8()];
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        '0'..='9' => return Err(format!("it has no unit; right would be {RIGHT}")),
        _ => return Err(format!("{unit:?} is no unit; right would be {RIGHT}")),
    };
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("{number:?} is no whole number; right would be {RIGHT}"));
    }
    let span = number.parse::<u64>().ok().and_then(|n| n.checked_mul(seconds)).map(Duration::from_secs);
    span.filter(|&span| span <= LONGEST).ok_or_else(|| "it is over ten years".to_owned())
}

/// A span for a person: its two largest units.
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
        assert_eq!(parse("3651d").unwrap_err(), "it is over ten years");
        assert_eq!(parse("18446744073709551615d").unwrap_err(), "it is over ten years");
    }
}
