//! Whose turn it is: the queue that is kept in order against a look at everything that waits.

use super::*;
use crate::core::egress::host::Host;
use crate::core::egress::limiter::Claim;
use crate::core::egress::queue::Job;
use crate::core::provider::TenantPage;
use crate::core::random::Random;

const STEPS: usize = 3_000;
const PROFILES: [&str; 3] = ["east", "north", "west"];
const TENANTS: u64 = 12;

fn id(at: u64) -> String {
    format!("{at:032x}")
}

/// All on one host, which takes one request a second.
fn rig() -> Rig {
    let warm: Vec<String> = (1..=TENANTS).map(|at| id(0x100 + at)).collect();
    let warm: Vec<&str> = warm.iter().map(String::as_str).collect();
    let profiles = PROFILES.map(|name| fixture::glp(name, &warm));
    let mut rig = Rig::new(&profiles);
    rig.configure_with(Settings { max_requests_per_second: std::num::NonZeroU32::MIN, ..fixture::settings(&profiles) });
    rig
}

struct Dice(Random);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        (self.0.roll() * bound as f64) as u64
    }

    fn name(&mut self) -> TokenName {
        let profile = PROFILES[usize::try_from(self.below(3)).expect("small")];
        match self.below(TENANTS + 1) {
            0 => token_name(profile),
            at => token_name(&format!("{profile}/{}", id(0x100 + at))),
        }
    }
}

/// One thing that may happen to a core.
fn happen(rig: &mut Rig, dice: &mut Dice, open: &mut Vec<WaiterId>) {
    match dice.below(12) {
        0..4 => {
            let (name, uid) = (dice.name(), u32::try_from(dice.below(5)).expect("small"));
            let min_ttl = secs(if dice.below(3) == 0 { dice.below(900) } else { 0 });
            let wait = secs(dice.below(60));
            open.push(rig.ask_as(uid, Question::Get { name, min_ttl, wait }));
        }
        4 => {
            let profile = dice.name().profile;
            open.push(rig.ask_as(7, tenants_of(profile.as_str())));
        }
        5 if !open.is_empty() => {
            let at = usize::try_from(dice.below(open.len() as u64)).expect("small");
            let waiter = open.swap_remove(at);
            rig.handle(Input::Leave(waiter));
        }
        6 => {
            let name = dice.name();
            if let Some((token, _)) = rig.token_cache.get(&name.to_string()) {
                let fingerprint = token.fingerprint;
                open.push(rig.ask(Question::Reject { name, fingerprint, min_ttl: secs(0) }));
            }
        }
        7 if dice.below(30) == 0 => {
            rig.sent.clear(); // what they ask for is answered to nobody
            let gone = PROFILES.map(|name| fixture::glp(name, &[]));
            rig.configure(&gone[..2]);
            let back = PROFILES.map(|name| fixture::glp(name, &[&id(0x101), &id(0x102), &id(0x103)]));
            let settings = fixture::settings(&back);
            rig.configure_with(Settings { max_requests_per_second: std::num::NonZeroU32::MIN, ..settings });
        }
        7..11 if !rig.sent.is_empty() => {
            let at = usize::try_from(dice.below(rig.sent.len() as u64)).expect("small");
            let request = rig.sent[at].clone();
            let life = 60 + i64::try_from(dice.below(400)).expect("small");
            let answer = match (dice.below(12), &request.grant) {
                (0, _) => failed(FailureKind::Transient, None),
                (1, _) => failed(FailureKind::RateLimited, Some(secs(dice.below(40)))),
                (2, _) => failed(FailureKind::InvalidToken, None),
                (_, Grant::ListTenants { .. }) => {
                    Answer::Tenants(TenantPage { total: 0, received: 0, items: Vec::new() })
                }
                _ => rig.good_answer(&request, life),
            };
            rig.answer_to(request.id, answer);
        }
        _ => rig.set_time(rig.now.boot + Duration::from_millis(dice.below(1_500))),
    }
}

/// What all that waits deserves, each job looked at.
fn compared(core: &Core, host: &Host, now: BootTime) -> Option<(u64, Job)> {
    let paused = |job: &Job| {
        core.demand().client_of(job).and_then(|client| host.paused.get(client)).is_some_and(|until| *until > now)
    };
    let waiting: Vec<(u64, Job)> = host.queue.all().into_iter().filter(|(_, job)| !paused(job)).collect();
    let claims: Vec<Claim> = waiting.iter().map(|(arrival, job)| core.demand().claim(host, *arrival, job)).collect();
    host.limiter.choose(&claims).map(|chosen| waiting[chosen].clone())
}

fn job_of(request: &ProviderRequest) -> Job {
    let profile = request.profile.name.clone();
    match &request.grant {
        Grant::Exchange { tenant, .. } => Job::Name(TokenName { profile, tenant: Some(*tenant) }),
        Grant::ListTenants { .. } => Job::Listing(profile),
        _ => Job::Name(profile.into()),
    }
}

#[test]
fn the_next_slot_is_for_whatever_a_look_at_all_that_waits_would_choose() {
    let (mut longest, mut decided) = (0, 0);
    for seed in 0..8 {
        let (mut rig, mut dice, mut open) = (rig(), Dice(Random::new(seed)), Vec::new());
        for step in 0..STEPS {
            happen(&mut rig, &mut dice, &mut open);
            // Whatever is due just before the next slot has been seen to, so that nothing but the slot is left.
            let Some(at) = rig.core.next_slot() else { continue };
            let before = BootTime(at.0.saturating_sub(1)).max(rig.now.boot);
            if before == rig.now.boot && at <= before {
                continue; // it was used just now
            }
            rig.set_time(before);
            rig.handle(Input::Tick);
            if rig.core.alarms.first().is_some_and(|alarm| alarm <= at) || rig.core.next_slot() != Some(at) {
                continue;
            }
            rig.set_time(at);
            let host = rig.core.egress.hosts().values().next().expect("they are all on one");
            longest = longest.max(host.queue.len());
            let Some(expected) = compared(&rig.core, host, at) else { continue };
            let (choices, sent) = (host.queue.len(), rig.log.len());
            rig.handle(Input::Tick);
            let host = rig.core.egress.hosts().values().next().expect("they are all on one");
            assert!(!host.queue.all().contains(&expected), "seed {seed}, step {step}: {expected:?} was passed over");
            // Its secret or its parent may have gone away meanwhile: then another one got the slot, and it begins
            // again.
            let got = rig.log.get(sent).map(|(_, request)| job_of(request));
            decided += u32::from(choices > 1 && got == Some(expected.1));
        }
    }
    assert!(longest > 20 && decided > 1_000, "{longest} at once, {decided} slots decided");
}

#[test]
fn what_is_taken_back_waits_no_more() {
    let mut rig = rig();
    rig.provider_is_up(secs(3), 900);
    assert!(rig.core.sizes().queued > 0);
    rig.configure(&[]);
    assert_eq!(rig.core.sizes().queued, 0);
}
