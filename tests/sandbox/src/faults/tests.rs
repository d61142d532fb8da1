//! Faults, each against the provider without HTTP.

use serde_json::json;

use super::super::{Ending, Now, Outcome, Population, Provider, Request, Response};
use super::*;

/// A provider with one rule in force.
fn with(rule: FaultRule) -> (Provider, Population) {
    let (mut provider, world) = Population::settle(11);
    provider.add_fault(rule);
    (provider, world)
}

fn request(world: &Population) -> Request {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", world.central.client_id.as_str()),
        ("client_secret", world.central.client_secret.as_str()),
    ];
    Request::form("/as/token.oauth2", &fields)
}

fn refresh(world: &Population, token: &str) -> Request {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    Request::form("/oauth2/token", &fields).basic(&world.classic.client_id, &world.classic.client_secret)
}

fn ask(provider: &mut Provider, world: &Population) -> Outcome {
    provider.handle(0, &request(world))
}

fn reply(provider: &mut Provider, world: &Population) -> Response {
    ask(provider, world).reply().unwrap()
}

fn unavailable() -> Fault {
    Fault::Status { status: 503, retry_after: Some("7".to_owned()) }
}

#[test]
fn a_status_answers_in_the_providers_place_as_often_as_it_was_told() {
    let (mut provider, world) = with(FaultRule::new(unavailable()).times(2));
    for _ in 0..2 {
        let reply = reply(&mut provider, &world);
        assert_eq!((reply.status, reply.header_value("retry-after")), (503, Some("7")));
    }
    assert_eq!(reply(&mut provider, &world).status, 200);
    let entries: Vec<_> = provider.log().entries().map(|e| (e.status, e.handled, e.fault)).collect();
    assert_eq!(entries[1], (Some(503), false, Some("status")));
    assert_eq!(entries[2], (Some(200), true, None));
    assert_eq!(provider.fault_rules().count(), 0);
}

#[test]
fn forever_lasts_until_it_is_taken_away() {
    let (mut provider, world) = Population::settle(11);
    let id = provider.add_fault(FaultRule::new(unavailable()).forever());
    assert!((0..100).all(|_| reply(&mut provider, &world).status == 503));
    assert!(provider.remove_fault(id) && !provider.remove_fault(id));
    assert_eq!(reply(&mut provider, &world).status, 200);
}

#[test]
fn a_rule_strikes_only_at_its_endpoint_client_and_id() {
    let (mut provider, world) = with(FaultRule::new(unavailable()).at(Endpoint::WorkspaceToken).forever());
    provider.add_fault(FaultRule::new(unavailable()).client("another").forever());
    provider.add_fault(FaultRule::new(unavailable()).id("another").forever());
    assert_eq!(reply(&mut provider, &world).status, 200);
    let path = format!("/authorization/v2/oauth2/{}/token", world.workspace);
    assert_eq!(provider.handle(0, &Request::form(&path, &[])).reply().unwrap().status, 503);
    provider.add_fault(FaultRule::new(unavailable()).client(&world.central.client_id).forever());
    assert_eq!(reply(&mut provider, &world).status, 503);
}

#[test]
fn a_chance_is_decided_by_the_callers_roll_and_chances_share_it() {
    let (mut provider, world) = with(FaultRule::new(unavailable()).chance(0.25));
    provider.add_fault(FaultRule::new(Fault::Html).chance(0.25));
    let mut at = |roll| provider.handle_rolled(0, &request(&world), roll).reply().unwrap();
    assert_eq!(at(0.24).status, 503);
    assert_eq!(at(0.26).header_value("content-type"), Some("text/html"));
    assert_eq!(at(0.49).header_value("content-type"), Some("text/html"));
    assert_eq!(at(0.51).text("token_type"), "Bearer");
}

#[test]
fn without_a_callers_roll_chances_follow_the_seed() {
    let run = || {
        let (mut provider, world) = with(FaultRule::new(Fault::Html).chance(0.5));
        (0..200).map(|_| reply(&mut provider, &world).header_value("content-type") == Some("text/html")).collect()
    };
    let (one, two): (Vec<bool>, Vec<bool>) = (run(), run());
    assert_eq!(one, two);
    let hits = one.iter().filter(|hit| **hit).count();
    assert!((60..140).contains(&hits), "{hits}");
}

#[test]
fn a_reset_before_handling_spends_no_refresh_token_and_one_after_it_does() {
    let (mut provider, world) = Population::settle(11);
    let token = provider.download_token(0, &world.classic.client_id).unwrap();
    provider.add_fault(FaultRule::new(Fault::Reset).at(Endpoint::ClassicRefresh));
    provider.add_fault(FaultRule::new(Fault::Reset).at(Endpoint::ClassicRefresh).after_handling());
    let mut ask = || provider.handle(1, &refresh(&world, &token.refresh_token)).ending;
    assert_eq!(ask(), Ending::ResetBeforeHandling);
    assert_eq!(ask(), Ending::ResetAfterHandling);
    let Ending::Reply(refused) = ask() else { panic!("no fault is left") };
    assert_eq!((refused.status, refused.text("error_description").as_str()), (400, "Invalid refresh_token"));
    let entries: Vec<_> = provider.log().entries().map(|e| (e.status, e.handled, e.issued.is_some())).collect();
    assert_eq!(entries, [(None, false, false), (Some(200), true, true), (Some(400), true, false)]);
}

#[test]
fn a_gateways_504_can_hide_a_rotation_that_happened() {
    let (mut provider, world) = Population::settle(11);
    let token = provider.download_token(0, &world.classic.client_id).unwrap();
    let fault = Fault::Status { status: 504, retry_after: None };
    provider.add_fault(FaultRule::new(fault).after_handling());
    let mut ask = || provider.handle(1, &refresh(&world, &token.refresh_token)).reply().unwrap().status;
    assert_eq!([ask(), ask()], [504, 400]);
}

#[test]
fn a_delay_adds_to_another_fault() {
    let (mut provider, world) = with(FaultRule::new(Fault::Delay(900)).forever());
    provider.add_fault(FaultRule::new(Fault::Reset));
    assert_eq!(ask(&mut provider, &world), Outcome { delay: 900, ending: Ending::ResetBeforeHandling });
    let outcome = ask(&mut provider, &world);
    assert_eq!((outcome.delay, outcome.reply().map(|reply| reply.status)), (900, Some(200)));
}

#[test]
fn a_truncated_body_lacks_at_least_its_last_byte() {
    for (asked, kept) in [(10, Some(10)), (usize::MAX, None)] {
        let (mut provider, world) = with(FaultRule::new(Fault::Truncated(asked)));
        let Ending::Truncated(whole, keep) = ask(&mut provider, &world).ending else { panic!("truncated") };
        assert_eq!(keep, kept.unwrap_or(whole.body.len() - 1));
        assert!(!whole.text("access_token").is_empty());
    }
}

#[test]
fn bodies_can_be_html_empty_huge_not_utf8_or_of_another_shape() {
    let body = |fault| {
        let (mut provider, world) = with(FaultRule::new(fault));
        let reply = reply(&mut provider, &world);
        assert_eq!(reply.status, 200);
        reply.body
    };
    assert!(body(Fault::Html).starts_with(b"<!doctype html>"));
    assert!(body(Fault::Empty).is_empty());
    assert_eq!(body(Fault::Huge(3_000_000)).len(), 3_000_000);
    assert!(String::from_utf8(body(Fault::NotUtf8)).is_err());
    assert_eq!(body(Fault::OtherShape(json!(["x"]))), br#"["x"]"#);
}

#[test]
fn expires_in_can_be_anything_or_missing_and_the_rest_stays() {
    for text in ["\"7200\"", "0", "-1", "1e300", "1e999", "{\"a\":[]}", "null"] {
        let (mut provider, world) = with(FaultRule::new(Fault::ExpiresIn(Some(text.to_owned()))));
        let body = String::from_utf8(reply(&mut provider, &world).body).unwrap();
        assert!(body.starts_with(&format!("{{\"expires_in\":{text},\"")), "{body}");
        assert!(body.contains("\"access_token\":\"eyJ"), "{body}");
    }
    let (mut provider, world) = with(FaultRule::new(Fault::ExpiresIn(None)));
    let reply = reply(&mut provider, &world);
    assert_eq!((reply.value().get("expires_in"), reply.text("token_type").as_str()), (None, "Bearer"));
}

#[test]
fn an_access_token_can_be_one_that_no_header_may_hold() {
    let (mut provider, world) = with(FaultRule::new(Fault::AccessToken("a b\r\nX: y".to_owned())));
    assert_eq!(reply(&mut provider, &world).text("access_token"), "a b\r\nX: y");
}

#[test]
fn a_429_says_how_long_to_wait_in_each_of_the_three_ways() {
    let answer = |hint| {
        let (mut provider, world) = with(FaultRule::new(Fault::TooMany(hint)));
        let reply = reply(&mut provider, &world);
        assert_eq!(reply.status, 429);
        reply
    };
    assert_eq!(answer(RetryHint::RetryAfter(4)).header_value("retry-after"), Some("4"));
    assert_eq!(answer(RetryHint::RatelimitReset(5)).header_value("ratelimit-reset"), Some("5"));
    assert!(answer(RetryHint::Message(6)).text("message").ends_with("after 6 seconds"));
    assert_eq!(answer(RetryHint::None).text("message"), "API rate limit exceeded");
}

#[test]
fn a_redirect_points_elsewhere() {
    let (mut provider, world) = with(FaultRule::new(Fault::Redirect("https://example.net/".to_owned())));
    let reply = reply(&mut provider, &world);
    assert_eq!((reply.status, reply.header_value("location")), (302, Some("https://example.net/")));
}

#[test]
fn classics_500_is_kongs() {
    let (mut provider, world) = with(FaultRule::new(Fault::Status { status: 500, retry_after: None }));
    let reply = provider.handle(0 as Now, &refresh(&world, "x")).reply().unwrap();
    assert_eq!(reply.text("message"), "An unexpected error occurred");
}
