//! A rotation whose answer is odd: the pair in it is kept, through a crash of the daemon, and the next rotation works.

use super::*;

/// Those that take the pair itself away, say nothing of a pair, or are tried by themselves.
const OTHERS: [Odd; 10] = [
    Odd::RefreshAbsent,
    Odd::RefreshNull,
    Odd::RefreshEmpty,
    Odd::RefreshNumber,
    Odd::LengthTooLongAndSilent,
    Odd::NoCookies,
    Odd::TotalTooLarge,
    Odd::TotalAbsent,
    Odd::TotalAsText,
    Odd::EmptyPage,
];

/// Rotates a chain for each of these oddities, kills the daemon, and rotates each chain once more.
fn survive(seed: u64, habits: Quirks, oddities: &[Odd], after: impl Fn(&[Option<u16>]) -> bool) {
    let world = World::new(seed);
    let chains: Vec<(Odd, Chain)> = oddities.iter().map(|odd| (*odd, Chain::new(&world, odd.name()))).collect();
    let profiles: Vec<ProfileText> = chains.iter().map(|(_, chain)| chain.profile(&world)).collect();
    world.configure("", &profiles);
    let daemon = world.start();
    let mut failures = Vec::new();
    let mut good: Vec<&(Odd, Chain)> = Vec::new();
    quirks(&world, habits);
    for pair in &chains {
        let (odd, chain) = pair;
        let went = chain.begin(&world).and_then(|()| {
            chain.odd_once(&world, *odd);
            // What it says of an access token that cannot be served is not looked at here.
            let _ = chain.refresh(&world);
            // What came in place of a refresh token cannot be read: then nobody knows, until the next rotation.
            if *odd == Odd::RefreshNumber { Ok(()) } else { chain.settles(&world) }
        });
        match went {
            Ok(()) => good.push(pair),
            Err(why) => failures.push(format!("{odd:?}: {why}")),
        }
    }
    daemon.kill();
    let _daemon = world.start();
    for (odd, chain) in good {
        if let Err(why) = chain.goes_on(&world) {
            failures.push(format!("{odd:?}, next rotation: {why}"));
        }
        let statuses = chain.statuses(&world);
        if !after(&statuses) {
            failures.push(format!("{odd:?}: statuses of its refreshes: {statuses:?}"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), oddities.len(), failures.join("\n"));
    println!("{} chains went on", oddities.len());
}

/// No refresh token was ever refused.
fn all_taken(statuses: &[Option<u16>]) -> bool {
    statuses.len() >= 3 && statuses.iter().all(|status| matches!(status, Some(200 | 201)))
}

#[test]
fn a_pair_is_kept_whatever_else_is_odd_about_its_answer() {
    let odd: Vec<Odd> = Odd::all().filter(|odd| !OTHERS.contains(odd)).collect();
    survive(801, Quirks::default(), &odd, all_taken);
}

#[test]
fn a_pair_is_kept_that_came_before_the_connection_fell_silent() {
    survive(802, Quirks::default(), &[Odd::LengthTooLongAndSilent], all_taken);
}

#[test]
fn where_the_refresh_token_stays_an_answer_may_leave_it_out() {
    let habits = Quirks { reuse_refresh_token: true, ..Quirks::default() };
    survive(803, habits, &[Odd::RefreshAbsent, Odd::RefreshNull, Odd::RefreshEmpty, Odd::RefreshNumber], all_taken);
}

#[test]
fn a_pair_is_kept_whose_access_token_is_very_long_or_has_a_colon_in_it() {
    let cases = [
        (804, Quirks { colon_in_tokens: true, ..Quirks::default() }),
        (805, Quirks { classic_token_length: 20_000, ..Quirks::default() }),
    ];
    each(cases, |(seed, habits)| {
        let world = World::new(seed);
        let chain = Chain::new(&world, "legacy");
        world.configure("", &[chain.profile(&world)]);
        let daemon = world.start();
        chain.begin(&world).unwrap();
        quirks(&world, habits);
        let _ = chain.refresh(&world);
        chain.settles(&world).unwrap_or_else(|why| panic!("{habits:?}: {why}"));
        quirks(&world, Quirks::default());
        daemon.kill();
        let _daemon = world.start();
        chain.goes_on(&world).unwrap();
        assert!(all_taken(&chain.statuses(&world)), "{:?}", chain.statuses(&world));
    });
}
