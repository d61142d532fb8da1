//! A provider that takes its time: what is on the wire is bounded, and others are served.

use super::*;
use crate::core::egress::in_flight::{MOST_PER_HOST, MOST_REQUESTS};

const MANY: usize = 300;

fn ids() -> Vec<String> {
    (0..MANY).map(|at| format!("{:032x}", 0x100 + at)).collect()
}

/// A workspace whose tenants are being exchanged at a host that does not answer, and a chain at another one.
fn rig() -> Rig {
    let ids = ids();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let profiles = [fixture::glp("msp", &ids), fixture::classic("legacy", false)];
    let mut rig = Rig::new(&profiles);
    rig.configure_with(Settings {
        max_requests_per_second: std::num::NonZeroU32::new(50).expect("not zero"),
        ..fixture::settings(&profiles)
    });
    rig.grant(900);
    rig.pass(secs(25));
    rig
}

#[test]
fn requests_on_the_wire_are_bounded_however_slow_a_host_is_and_answers_make_room() {
    let mut rig = rig();
    assert_eq!(rig.sent.len(), MOST_PER_HOST, "not 25 s' worth of them");
    rig.grant(900);
    rig.pass(secs(1));
    assert_eq!(rig.sent.len(), MOST_PER_HOST, "one answer, one request more");
    rig.provider_is_up(secs(30), 900);
    let served = ids().iter().filter(|id| rig.token_cache(&format!("msp/{id}")).is_some()).count();
    assert_eq!(served, MANY, "all get theirs when it answers");
}

#[test]
fn a_rotation_at_another_host_does_not_wait_for_a_slow_one() {
    let mut rig = rig();
    rig.import("legacy", "refresh-0");
    let last = rig.sent.last().expect("it was sent at once");
    assert!(matches!(last.grant, Grant::Refresh { .. }), "{last:?}");
}

#[test]
fn all_hosts_together_are_bounded_too_and_each_gets_its_turn() {
    let at = |number: usize| {
        let mut profile = fixture::central(&format!("campus-{number:03}"));
        if let crate::core::settings::Kind::ClientCredentials(asked) = &mut profile.kind {
            asked.token_endpoint.host = format!("https://sso-{number}.example.net:443").into();
        }
        profile
    };
    let profiles: Vec<Profile> = (0..2 * MOST_REQUESTS).map(at).collect();
    let mut rig = Rig::new(&profiles);
    rig.pass(secs(25));
    assert_eq!(rig.sent.len(), MOST_REQUESTS);
    rig.provider_is_up(secs(10), 7199);
    let served = profiles.iter().filter(|profile| rig.token_cache(profile.name.as_str()).is_some()).count();
    assert_eq!(served, profiles.len());
}
