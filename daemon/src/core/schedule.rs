//! When to renew, when to try again: plain arithmetic.

use std::time::Duration;

use super::settings::{Kind, Profile, Settings};
use super::time::BootTime;

/// A token that lives shorter is of no use to anybody: a provider's fault.
pub(super) const MIN_LIFE: Duration = Duration::from_secs(2);

/// A longer life is not believed.
pub(super) const MAX_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A token is renewed at least this long before it expires, unless its life is short.
const FLOOR: Duration = Duration::from_secs(60);

/// A token that the provider gave again is asked for again after this time at the earliest, unless it dies before.
const UNCHANGED_FLOOR: Duration = Duration::from_secs(30);

/// The documented life of a Classic access token.
pub(super) const CLASSIC_LIFE: Duration = Duration::from_secs(7200);

/// First step of the backoff.
const FIRST_STEP: Duration = Duration::from_secs(1);

/// A pause that a provider asks for is honoured up to this.
pub(super) const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// How long a name whose credentials were refused is left alone at first, and at most.
const FIRST_PROBE: Duration = Duration::from_secs(5 * 60);
const LAST_PROBE: Duration = Duration::from_secs(3600);

/// The life of a token from `expires_in`; `None` if it is too short to be of use.
pub(super) fn life(expires_in: Option<i64>, documented: Duration) -> Option<Duration> {
    let life = match expires_in {
        None => documented,
        Some(seconds) => Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
    };
    (life >= MIN_LIFE).then(|| life.min(MAX_LIFE))
}

/// The life that the provider's documentation gives a kind's tokens.
pub(super) fn documented_life(kind: &Kind, tenant: bool) -> Duration {
    match (kind, tenant) {
        (Kind::ClientCredentials(asked), _) => asked.life,
        (Kind::Glp { .. }, false) => Duration::from_secs(899),
        (Kind::Glp { .. }, true) => Duration::from_secs(900),
        (Kind::Classic { .. }, _) => CLASSIC_LIFE,
    }
}

/// When a token is to be renewed; `roll` is from 0 to 1.
pub(super) fn refresh_at(
    settings: &Settings,
    profile: &Profile,
    sent: BootTime,
    life: Duration,
    roll: f64,
) -> BootTime {
    let expiry = sent + life;
    match profile.kind {
        Kind::Classic { before, .. } => expiry - before.min(life / 3),
        _ => {
            let share = (settings.refresh_at.get() + settings.jitter.get() * roll).min(1.0);
            (sent + life.mul_f64(share)).min(expiry - margin(life))
        }
    }
}

/// The least time between renewal and expiry.
pub(super) fn margin(life: Duration) -> Duration {
    FLOOR.max(life / 20).min(life / 3)
}

/// Life that a workspace's token must have left to be exchanged for a tenant's.
pub(super) fn parent_margin(life: Duration) -> Duration {
    FLOOR.min(life / 3)
}

/// Delay after the `failures`-th transient failure in a row; `left` is the life left of the current token.
pub(super) fn backoff(failures: u32, left: Option<Duration>, classic: bool, roll: f64) -> Duration {
    let cap = match left {
        Some(left) if !left.is_zero() => (left / 8).clamp(Duration::from_secs(2), Duration::from_secs(30)),
        _ => Duration::from_secs(if classic { 60 } else { 30 }),
    };
    let step = doubled(FIRST_STEP, failures.saturating_sub(1), cap);
    step.mul_f64(0.5 + 0.5 * roll)
}

/// Delay after the provider gave a token again that has `left` to live: half of that. Where the delay after that one
/// would be too short, the next request waits for the token's end, behind which there would be nothing to serve.
pub(super) fn unchanged(left: Duration) -> Duration {
    let half = (left / 2).max(UNCHANGED_FLOOR);
    if left < half + UNCHANGED_FLOOR { left } else { half }
}

/// Delay before the next probe of refused credentials, after `probes` probes.
pub(super) fn probe(probes: u32, roll: f64) -> Duration {
    doubled(FIRST_PROBE, probes, LAST_PROBE).mul_f64(1.0 - 0.1 * roll)
}

/// `first` doubled `times` times, `cap` at most.
pub(super) fn doubled(first: Duration, times: u32, cap: Duration) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(cap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fixture;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn expires_in_is_believed_within_reason() {
        let documented = secs(899);
        assert_eq!(life(None, documented), Some(documented));
        assert_eq!(life(Some(7199), documented), Some(secs(7199)));
        assert_eq!(life(Some(2), documented), Some(secs(2)));
        for useless in [1, 0, -1, i64::MIN] {
            assert_eq!(life(Some(useless), documented), None, "{useless}");
        }
        assert_eq!(life(Some(i64::MAX), documented), Some(MAX_LIFE));
    }

    #[test]
    fn renewal_is_spread_over_its_share_of_the_life_but_keeps_its_margin() {
        let settings = fixture::settings(&[fixture::central("campus")]);
        let profile = &settings.profiles.values().next().expect("one");
        let at = |life: u64, roll| refresh_at(&settings, profile, BootTime(0), secs(life), roll).0;
        assert_eq!(at(7200, 0.0), 4_752_000);
        assert_eq!(at(7200, 1.0), 5_256_000);
        assert_eq!(at(180, 1.0), 120_000, "60 s before expiry, not at 73 %");
        assert_eq!(at(6, 1.0), 4_000, "the margin shrinks to a third of a short life");
    }

    #[test]
    fn classic_is_renewed_a_fixed_time_before_expiry() {
        let settings = fixture::settings(&[fixture::classic("legacy", false)]);
        let profile = &settings.profiles.values().next().expect("one");
        let at = |life: u64| refresh_at(&settings, profile, BootTime(0), secs(life), 0.5).0;
        assert_eq!(at(7200), 6_600_000);
        assert_eq!(at(6), 4_000);
    }

    #[test]
    fn backoff_doubles_up_to_an_eighth_of_the_life_left() {
        let whole = |failures, left| backoff(failures, left, false, 1.0);
        assert_eq!(whole(1, Some(secs(7200))), secs(1));
        assert_eq!(whole(2, Some(secs(7200))), secs(2));
        assert_eq!(whole(3, Some(secs(7200))), secs(4));
        assert_eq!(whole(99, Some(secs(7200))), secs(30));
        assert_eq!(whole(99, Some(secs(80))), secs(10));
        assert_eq!(whole(99, Some(secs(1))), secs(2));
        assert_eq!(whole(99, None), secs(30));
        assert_eq!(backoff(99, None, true, 1.0), secs(60));
        assert_eq!(backoff(3, None, false, 0.0), secs(2), "at least half of the step");
    }

    #[test]
    fn a_token_that_came_again_is_asked_for_again_at_half_of_its_rest_and_at_its_end() {
        assert_eq!(unchanged(secs(2400)), secs(1200));
        assert_eq!(unchanged(secs(120)), secs(60));
        assert_eq!(unchanged(secs(60)), secs(30));
        assert_eq!(unchanged(secs(59)), secs(59), "half of it would leave less than 30 s to its end");
        assert_eq!(unchanged(secs(3)), secs(3));
    }

    #[test]
    fn probes_double_from_five_minutes_to_an_hour() {
        let minutes = |n| probe(n, 0.0).as_secs() / 60;
        assert_eq!([0, 1, 2, 3, 4, 40].map(minutes), [5, 10, 20, 40, 60, 60]);
        assert!(probe(0, 1.0) < probe(0, 0.0));
    }
}
