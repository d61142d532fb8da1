//! `[refresh]` and `[providers]`: when to renew, and how fast to ask.

use std::num::NonZeroU32;

use super::findings::{Findings, Place};
use super::raw::Section;
use crate::core::settings::Fraction;

const AT: f64 = 0.66;
const JITTER: f64 = 0.07;
const RATE: NonZeroU32 = NonZeroU32::new(5).expect("not zero");

/// Shares of the life: after which a token is renewed, and how far that is spread. `None` if anything is wrong.
pub(super) fn times(section: Option<Section<'_>>, findings: &Findings) -> Option<(Fraction, Fraction)> {
    let usual = || Some((Fraction::new(AT)?, Fraction::new(JITTER)?));
    let Some(mut section) = section else { return usual() };
    let place = section.place_of("at");
    let had = (section.has("at"), section.has("jitter"));
    let at = section.number("at", "a share of the life such as 0.66");
    let jitter = section.number("jitter", "a share of the life such as 0.07");
    section.finish();
    if had != (at.is_some(), jitter.is_some()) {
        return None;
    }
    let jitter_place = jitter.as_ref().map_or_else(|| place.clone(), |found| found.place.clone());
    let at = at.map_or(AT, |found| found.value);
    let jitter = jitter.map_or(JITTER, |found| found.value);
    if !(at > 0.0 && at < 1.0) {
        findings.error(&place, format!("{at} is not between 0 and 1; right is a share of the life such as 0.66"));
    } else if !(0.0..1.0).contains(&jitter) {
        findings
            .error(&jitter_place, format!("{jitter} is not from 0 to 1; right is a share of the life such as 0.07"));
    } else if at + jitter >= 1.0 {
        findings.error(
            &place,
            format!("{at} and jitter = {jitter} make 1 or more, which is the whole life; right is less, such as 0.66 and 0.07"),
        );
    } else {
        return Some((Fraction::new(at)?, Fraction::new(jitter)?));
    }
    None
}

/// Requests a second for each provider's host, and where that is said. `None` if anything is wrong.
pub(super) fn rate(section: Option<Section<'_>>, findings: &Findings) -> (Option<NonZeroU32>, Place) {
    const KEY: &str = "max_requests_per_second";
    let Some(mut section) = section else {
        return (Some(RATE), Place { line: None, key: Some(format!("providers.{KEY}")) });
    };
    let place = section.place_of(KEY);
    let right = "a whole number of at least 1, such as 5";
    let had = section.has(KEY);
    let typed = section.whole_number(KEY, right);
    section.finish();
    let rate = match typed {
        Some(found) => {
            let rate = NonZeroU32::new(found.value);
            if rate.is_none() {
                findings.error(&place, format!("is zero, with which nothing is ever renewed; right is {right}"));
            }
            rate
        }
        None if had => None,
        None => Some(RATE),
    };
    (rate, place)
}
