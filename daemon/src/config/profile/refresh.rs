//! `[refresh]` and `[providers]`: when to renew, and how fast to ask.

use std::num::NonZeroU32;

use crate::config::diagnostics::{Diagnostics, Place, Spanned};
use crate::config::value::Section;
use crate::core::settings::Fraction;

/// Shares of the life: after which a token is renewed, and how far that is spread. Any where they are wrong.
pub(in crate::config) fn times(mut section: Section<'_>, diagnostics: &Diagnostics) -> (Fraction, Fraction) {
    let (at_place, jitter_place) = (section.place_of("at"), section.place_of("jitter"));
    let (expected_at, expected_jitter) = (section.expected("at"), section.expected("jitter"));
    let (at, jitter) = (section.number("at"), section.number("jitter"));
    section.finish();
    let (Some(Spanned { value: at, .. }), Some(Spanned { value: jitter, .. })) = (at, jitter) else {
        return Default::default();
    };
    if !(at > 0.0 && at < 1.0) {
        diagnostics.error(&at_place, format!("{at} is not between 0 and 1; expected {expected_at}"));
    } else if !(0.0..1.0).contains(&jitter) {
        diagnostics.error(&jitter_place, format!("{jitter} is not at least 0 and below 1; expected {expected_jitter}"));
    } else if at + jitter >= 1.0 {
        let problem = format!("{at} and the jitter of {jitter} make 1 or more, which is the whole life");
        diagnostics.error(&at_place, format!("{problem}; expected less, such as 0.66 and 0.07"));
    }
    (Fraction::new(at).unwrap_or_default(), Fraction::new(jitter).unwrap_or_default())
}

/// Requests a second for each provider's host, and where that is said. Any rate where it is wrong.
pub(in crate::config) fn rate(mut section: Section<'_>, diagnostics: &Diagnostics) -> (NonZeroU32, Place) {
    const KEY: &str = "max_requests_per_second";
    let place = section.said_at(KEY);
    let typed = section.whole_number(KEY);
    let expected = section.expected(KEY);
    section.finish();
    let rate = typed.and_then(|found| {
        NonZeroU32::new(found.value).or_else(|| {
            diagnostics.error(&place, format!("is zero, with which nothing is ever renewed; expected {expected}"));
            None
        })
    });
    (rate.unwrap_or(NonZeroU32::MIN), place)
}
