//! Tokens of client credentials and of an exchange in odd answers.

use super::*;

/// Those that say something of other answers, or take the access token or its life away.
const OTHERS: [Odd; 19] = [
    Odd::OverTheLimit,
    Odd::LengthTooLongAndSilent,
    Odd::NoLastChunk,
    Odd::LengthTooLong,
    Odd::ExpiresZero,
    Odd::ExpiresOne,
    Odd::TypeDpop,
    Odd::TypeMac,
    Odd::TypeNotAvailable,
    Odd::AccessAbsent,
    Odd::AccessNull,
    Odd::RefreshAbsent,
    Odd::RefreshNull,
    Odd::RefreshEmpty,
    Odd::RefreshNumber,
    Odd::NoCookies,
    Odd::EmptyPage,
    Odd::TotalAbsent,
    Odd::TotalTooLarge,
];

#[test]
fn a_token_is_taken_from_an_odd_answer_at_the_first_request() {
    let odd: Vec<Odd> = Odd::all().filter(|odd| !OTHERS.contains(odd)).collect();
    let world = World::new(811);
    let mut failures = Vec::new();
    let mut profiles = Vec::new();
    for odd in &odd {
        let client = world.provider().provider().add_api_client(None);
        world.secret(odd.name(), &client.client_secret);
        let rule = FaultRule::new(Fault::Odd(*odd)).at(Endpoint::CentralToken).client(&client.client_id);
        world.provider().provider().add_fault(rule);
        let text = world.central(odd.name()).0;
        let text = text.replace(&world.population.central.client_id, &client.client_id);
        profiles.push(ProfileText(text.replace("central.secret", &format!("{}.secret", odd.name()))));
    }
    world.configure("", &profiles);
    let _daemon = world.start();
    for odd in &odd {
        let ran = world.ctl().run(&["get", odd.name(), "--wait", "10s"]);
        let now = world.provider().now();
        let accepted = world.provider().provider().accepts(now, ran.stdout.trim_end());
        let provider = world.provider().provider();
        let named = |entry: &&sandbox::Entry| entry.fault == Some(odd.name());
        let client = provider.log().of(Endpoint::CentralToken).find(named).and_then(|entry| entry.client_id.clone());
        let asked = provider.log().of(Endpoint::CentralToken).filter(|entry| entry.client_id == client).count();
        if ran.status != 0 || !accepted || asked != 1 {
            failures.push(format!("{odd:?}: {asked} requests, status {}: {}", ran.status, ran.stderr.trim_end()));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), odd.len(), failures.join("\n"));
}
