//! Worlds in virtual time, each with everything in it misbehaving. `simulate` plays more of them.

use std::num::NonZeroUsize;
use std::thread;

use simulation::{Plan, Totals, run_all};

/// Worlds, and the days in each: with the walk through the crash points some two minutes on two processors, without
/// optimization.
const WORLDS: u64 = 200;
const DAYS: f64 = 1.5;

/// The first seed. Others are played by `simulate`.
const FIRST: u64 = 1000;

/// Virtual hours of the small world: enough for what its last chapter breaks to heal.
const SMALL: u64 = 3;

/// Plays all of them, on as many threads as there are processors.
fn play(plans: Vec<Plan>) -> Totals {
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let (totals, failures) = run_all(plans.into_iter(), threads, |_| false);
    if let Some(failure) = failures.first() {
        panic!("{failure}");
    }
    totals
}

#[test]
fn no_promise_is_broken_in_any_world() {
    let totals = play((FIRST..FIRST + WORLDS).map(|seed| Plan::new(seed, DAYS)).collect());
    println!("{totals}");
    assert_eq!(totals.runs, WORLDS);
    // A simulation in which nothing happens would find nothing.
    assert!(totals.crashes > 100 && totals.reboots > 10 && totals.sleeps > 10 && totals.steps > 10, "{totals}");
    assert!(totals.renewals > 10_000 && totals.served > 30_000 && totals.logins > 50, "{totals}");
    assert!(totals.healed > WORLDS && totals.faults.len() > 15, "{totals}");
    for death in ["crash before the fsync", "reply to a dead daemon", "reply lost", "revoked"] {
        assert!(totals.lost.contains_key(death), "no chain died of: {death}\n{totals}");
    }
}

#[test]
fn a_crash_after_any_effect_is_recovered_from() {
    let small = |crash_after| Plan { crash_after, ..Plan::small(7, SMALL) };
    let undisturbed = play(vec![small(None)]);
    assert!(undisturbed.effects > 200 && undisturbed.crashes == 0, "{undisturbed}");
    let points: Vec<Plan> = (1..=undisturbed.effects)
        .flat_map(|effect| [false, true].map(|reboot| small(Some((effect, reboot)))))
        .collect();
    let count = points.len() as u64;
    let totals = play(points);
    println!("{totals}");
    assert_eq!((totals.runs, totals.crashes), (count, count));
}

#[test]
fn the_same_seed_is_the_same_world() {
    let plan = Plan::new(FIRST, 0.5);
    let (one, other) = (play(vec![plan.clone()]), play(vec![plan]));
    assert_eq!(one, other);
    let another = play(vec![Plan::new(FIRST + 1, 0.5)]);
    assert_ne!(one.digest, another.digest);
}
