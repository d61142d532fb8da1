//! Spans of time as people write them: `"90s"`, `"20m"`, `"14d"`.

use std::time::Duration;

/// What a span looks like, for messages.
pub(super) const EXPECTED: &str = "a number and one of ms, s, m, h, d, such as \"90s\" or \"20m\"";

/// `None` if it is not a whole number followed by a unit. `ms` is for set-ups in which tokens live for seconds.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let ms_of_unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(ms_of_unit)?))
}

/// As it would be written: the largest unit that needs no fraction.
pub(super) fn show(span: Duration) -> String {
    let ms = span.as_millis();
    for (unit, ms_of_unit) in [("d", 24 * 60 * 60 * 1000), ("h", 60 * 60 * 1000), ("m", 60 * 1000), ("s", 1000)] {
        if ms > 0 && ms.is_multiple_of(ms_of_unit) {
            return format!("{}{unit}", ms / ms_of_unit);
        }
    }
    format!("{ms}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_are_a_span() {
        for (text, seconds) in [("90s", 90.0), ("20m", 1200.0), ("14d", 1_209_600.0), ("2h", 7200.0), ("500ms", 0.5)] {
            let span = parse(text).expect(text);
            assert_eq!((span, show(span).as_str()), (Duration::from_secs_f64(seconds), text));
        }
        assert_eq!(parse("0s").map(show).as_deref(), Some("0ms"));
    }

    #[test]
    fn anything_else_is_not() {
        for text in ["", "s", "10", "-5s", "+5s", "1.5h", "10 m", " 10m", "1h30m", "10M", "10min", "９s", "5sé"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse("99999999999999999999s"), None);
        assert_eq!(parse("18446744073709551615d"), None);
    }
}
