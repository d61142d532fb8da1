//! How long a provider asks us to wait.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// Longer is not believed. The core has a shorter bound of its own; this one keeps sums from overflowing.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date, which is measured from the answer's own `Date`
/// so that our clock has no part in it. Without a `Date` it says nothing.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, RETRY_AFTER.as_str())?;
    seconds(text).or_else(|| {
        let until = httpdate::parse_http_date(text).ok()?;
        let now = httpdate::parse_http_date(self::text(headers, DATE.as_str())?).ok()?;
        Some(until.duration_since(now).unwrap_or_default().min(LONGEST))
    })
}

/// Of a 429: the longest of `Retry-After`, `ratelimit-reset` and the seconds in the message.
pub(super) fn when_rate_limited(headers: &HeaderMap, message: Option<&str>) -> Option<Duration> {
    let reset = text(headers, "ratelimit-reset").and_then(seconds);
    [retry_after(headers), reset, message.and_then(after_seconds)].into_iter().flatten().max()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Digits alone; too many of them are as many as we believe.
fn seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().map_or(LONGEST, Duration::from_secs).min(LONGEST))
}

/// "… after N seconds", as the login of Classic puts it.
fn after_seconds(message: &str) -> Option<Duration> {
    message.match_indices("after ").find_map(|(at, found)| {
        let rest = &message[at + found.len()..];
        let (number, unit) = rest.split_once(' ')?;
        unit.starts_with("second").then(|| seconds(number)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    const fn secs(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_measured_from_the_answers_own() {
        const DATE: (&str, &str) = ("date", "Wed, 21 Oct 2015 07:28:00 GMT");
        let cases = [
            (vec![("retry-after", "120")], secs(120)),
            (vec![("retry-after", " 0 ")], secs(0)),
            (vec![("retry-after", "99999999999999999999999")], Some(LONGEST)),
            (vec![DATE, ("retry-after", "Wed, 21 Oct 2015 07:29:30 GMT")], secs(90)),
            (vec![DATE, ("retry-after", "Wed, 21 Oct 2015 07:00:00 GMT")], secs(0)),
            (vec![DATE, ("retry-after", "Wed, 21 Oct 2099 07:00:00 GMT")], Some(LONGEST)),
            (vec![("retry-after", "Wed, 21 Oct 2015 07:29:30 GMT")], None),
            (vec![("retry-after", "-5")], None),
            (vec![("retry-after", "soon")], None),
        ];
        for (pairs, expected) in cases {
            assert_eq!(retry_after(&headers(&pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn on_a_429_the_longest_wait_counts() {
        let both = headers(&[("retry-after", "5"), ("ratelimit-reset", "7")]);
        assert_eq!(when_rate_limited(&both, None), secs(7));
        assert_eq!(when_rate_limited(&both, Some("try again after 1200 seconds")), secs(1200));
        assert_eq!(when_rate_limited(&both, Some("try again after 1 second")), secs(7));
        assert_eq!(when_rate_limited(&HeaderMap::new(), None), None);
        assert_eq!(retry_after(&headers(&[("ratelimit-reset", "7")])), None, "only on a 429");
    }

    #[test]
    fn seconds_are_found_in_the_message_only_where_they_are_meant() {
        let cases = [
            ("API rate limit exceeded", None),
            ("Maximum number of logins. Please retry after 1800 seconds", secs(1800)),
            ("Try after login, after 30 seconds.", secs(30)),
            ("after seconds", None),
            ("after  5 seconds", None),
            ("after 5 minutes", None),
            ("after é seconds", None),
            ("after ", None),
        ];
        for (message, expected) in cases {
            assert_eq!(after_seconds(message), expected, "{message}");
        }
    }
}
