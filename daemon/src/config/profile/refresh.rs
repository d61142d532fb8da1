//! `[refresh]` and `[providers]`: when to renew, and how fast to ask.

use std::num::NonZeroU32;

use crate::config::findings::{Findings, Place};
use crate::config::raw::Section;
use crate::core::settings::Fraction;

const AT: f64 = 0.66;
const JITTER: f64 = 0.07;
const RATE: NonZeroU32 = NonZeroU32::new(5).expect("not zero");

/// Shares of the life: after which a token is renewed, and how far that is spread. The usual ones where they are wrong.
pub(in crate::config) fn times(section: Option<Section<'_>>, findings: &Findings) -> (Fraction, Fraction) {
    let fraction = |value| Fraction::new(value).expect("it has just been compared with 0 and 1");
    let usual = (fraction(AT), fraction(JITTER));
    let Some(mut section) = section else { return usual };
    let (at_place, jitter_place) = (section.place_of("at"), section.place_of("jitter"));
    let at = section.number("at", "a share of the life such as 0.66").map_or(AT, |found| found.value);
    let jitter = section.number("jitter", "a share of the life such as 0.07").map_or(JITTER, |found| found.value);
    section.finish();
    if !(at > 0.0 && at < 1.0) {
        findings.error(&at_place, format!("{at} is not between 0 and 1; expected a share of the life such as 0.66"));
    } else if !(0.0..1.0).contains(&jitter) {
        let expected = "a share of the life such as 0.07";
        findings.error(&jitter_place, format!("{jitter} is not at least 0 and below 1; expected {expected}"));
    } else if at + jitter >= 1.0 {
        let problem = format!("{at} and the jitter of {jitter} make 1 or more, which is the whole life");
        findings.error(&at_place, format!("{problem}; expected less, such as 0.66 and 0.07"));
    } else {
        return (fraction(at), fraction(jitter));
    }
    usual
}

/// Requests a second for each provider's host, and where that is said. The usual rate where it is wrong.
pub(in crate::config) fn rate(section: Option<Section<'_>>, findings: &Findings) -> (NonZeroU32, Place) {
    const KEY: &str = "max_requests_per_second";
    let Some(mut section) = section else {
        return (RATE, Place { line: None, key: Some(format!("providers.{KEY}")) });
    };
    let place = section.place_of(KEY);
    let expected = "a whole number of at least 1, such as 5";
    let typed = section.whole_number(KEY, expected);
    section.finish();
    let rate = typed.map_or(Some(RATE), |found| NonZeroU32::new(found.value)).unwrap_or_else(|| {
        findings.error(&place, format!("is zero, with which nothing is ever renewed; expected {expected}"));
        RATE
    });
    (rate, place)
}
