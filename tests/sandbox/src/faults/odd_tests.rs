//! Each odd answer and each thing that is said, against the provider without HTTP.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::{Coding, Ending, OddHead, Population, Provider, Request, Response, Unended};
use super::*;

/// A chain and its refresh, with this oddity in the answer.
fn rotated(odd: Odd) -> (Provider, Ending) {
    let (mut provider, world) = Population::settle(12);
    let token = provider.download_token(0, &world.classic.client_id).unwrap();
    provider.add_fault(FaultRule::new(Fault::Odd(odd)));
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token.refresh_token.as_str())];
    let request = Request::form("/oauth2/token", &fields).basic(&world.classic.client_id, &world.classic.client_secret);
    let ending = provider.handle(1000, &request).ending;
    assert!(!provider.can_refresh(1000, &token.refresh_token), "the request was carried out");
    (provider, ending)
}

fn body(odd: Odd) -> Vec<u8> {
    rotated(odd).1.response().unwrap().body.clone()
}

/// A member's text as it stands in the body.
fn member(odd: Odd, name: &str) -> Option<Value> {
    serde_json::from_slice::<Value>(&body(odd)).unwrap().get(name).cloned()
}

#[test]
fn every_fault_of_the_catalog_can_be_switched_on_as_it_is_written_there() {
    let mut names = BTreeSet::new();
    for (fault, is) in catalog() {
        let rule: FaultRule = serde_json::from_str(&format!("{{\"fault\":{fault}}}")).unwrap();
        assert!(!is.is_empty() && names.insert(fault.clone()), "{fault}");
        let name = rule.fault.name();
        if matches!(rule.fault, Fault::Odd(_) | Fault::Says(_)) {
            assert!(fault.contains(&format!("\"{name}\"")), "{fault} is called {name} in the log");
        }
        let written = serde_json::to_value(&rule.fault).unwrap();
        let read: Value = serde_json::from_str(&fault).unwrap();
        assert!(written == read || fault.contains("status"), "{written} is written {fault}");
    }
    assert!(Odd::all().all(|odd| names.contains(&format!(r#"{{"odd":"{}"}}"#, odd.name()))));
    assert!(Saying::all().all(|saying| names.contains(&format!(r#"{{"says":"{}"}}"#, saying.name()))));
}

#[test]
fn whatever_is_odd_about_an_answer_its_refresh_token_is_in_it_unless_that_is_what_is_odd() {
    let without = [Odd::RefreshAbsent, Odd::RefreshNull, Odd::RefreshEmpty, Odd::RefreshNumber, Odd::Utf16];
    for odd in Odd::all() {
        let (provider, ending) = rotated(odd);
        let text = String::from_utf8_lossy(&ending.response().unwrap().body).into_owned();
        let chain = provider.state.chains.values().next().unwrap();
        assert_eq!(text.contains(&chain.refresh), !without.contains(&odd), "{odd:?}: {text:.200}");
        let entry = provider.log().entries().next().unwrap();
        assert_eq!((entry.handled, entry.fault, entry.issued.is_some()), (true, Some(odd.name()), true));
    }
}

#[test]
fn codings_heads_and_ends_are_the_wires_business() {
    type Is = fn(&Ending) -> bool;
    let cases: [(Odd, Is); 9] = [
        (Odd::Gzip, |e| matches!(e, Ending::Coded(_, Coding::Gzip))),
        (Odd::Deflate, |e| matches!(e, Ending::Coded(_, Coding::Deflate))),
        (Odd::RawDeflate, |e| matches!(e, Ending::Coded(_, Coding::RawDeflate))),
        (Odd::NoLastChunk, |e| matches!(e, Ending::Unended(_, Unended::NoLastChunk))),
        (Odd::LengthTooLong, |e| matches!(e, Ending::Unended(_, Unended::LengthTooLong))),
        (Odd::LengthTooLongAndSilent, |e| matches!(e, Ending::Unended(_, Unended::Silent))),
        (Odd::BlankBeforeColon, |e| matches!(e, Ending::OddHead(_, OddHead::BlankBeforeColon))),
        (Odd::FoldedHeader, |e| matches!(e, Ending::OddHead(_, OddHead::Folded))),
        (Odd::ManyHeaders, |e| matches!(e, Ending::OddHead(_, OddHead::Many))),
    ];
    for (odd, is) in cases {
        assert!(is(&rotated(odd).1), "{odd:?}");
    }
    assert_eq!(OddHead::Many.lines().matches("\r\n").count(), 120);
}

#[test]
fn texts_are_spoilt_in_one_way_each() {
    assert!(body(Odd::Bom).starts_with(b"\xef\xbb\xbf{"));
    assert!(body(Odd::Utf16).starts_with(b"\xff\xfe{\0"));
    assert!(body(Odd::Latin1).starts_with(b"{\"appname\":\"Caf\xe9\","));
    assert!(body(Odd::BytesAfter).ends_with(b"}\n<!-- edge-07 -->\n"));
    assert!(body(Odd::BlanksAround).ends_with(b"} \r\n\r\n"));
    let large = body(Odd::OverTheLimit);
    assert!(large.len() > 256 * 1024 && serde_json::from_slice::<Value>(&large).is_ok());
    let twice = String::from_utf8(body(Odd::DuplicateKeys)).unwrap();
    assert_eq!(["\"refresh_token\"", "\"expires_in\""].map(|key| twice.matches(key).count()), [2, 2]);
}

#[test]
fn members_are_spoilt_one_at_a_time() {
    let cases = [
        (Odd::ExpiresAsText, "expires_in", Some(json!("7200"))),
        (Odd::ExpiresWithFraction, "expires_in", Some(json!("7200.0"))),
        (Odd::ExpiresEmpty, "expires_in", Some(json!(""))),
        (Odd::ExpiresSoon, "expires_in", Some(json!("soon"))),
        (Odd::ExpiresNull, "expires_in", Some(json!(null))),
        (Odd::ExpiresAbsent, "expires_in", None),
        (Odd::ExpiresZero, "expires_in", Some(json!(0))),
        (Odd::ExpiresOne, "expires_in", Some(json!(1))),
        (Odd::TypeAbsent, "token_type", None),
        (Odd::TypeEmpty, "token_type", Some(json!(""))),
        (Odd::TypeWithBlank, "token_type", Some(json!("Bearer "))),
        (Odd::TypeUrn, "token_type", Some(json!("urn:ietf:params:oauth:token-type:access_token"))),
        (Odd::TypeDpop, "token_type", Some(json!("DPoP"))),
        (Odd::TypeMac, "token_type", Some(json!("MAC"))),
        (Odd::TypeNotAvailable, "token_type", Some(json!("N_A"))),
        (Odd::TypeNumber, "token_type", Some(json!(7))),
        (Odd::AccessAbsent, "access_token", None),
        (Odd::AccessNull, "access_token", Some(json!(null))),
        (Odd::RefreshAbsent, "refresh_token", None),
        (Odd::RefreshNull, "refresh_token", Some(json!(null))),
        (Odd::RefreshEmpty, "refresh_token", Some(json!(""))),
        (Odd::RefreshNumber, "refresh_token", Some(json!(20_261_201))),
    ];
    for (odd, name, expected) in cases {
        assert_eq!(member(odd, name), expected, "{odd:?}");
    }
}

#[test]
fn an_error_can_come_with_200_and_a_login_without_cookies() {
    let (mut provider, world) = Population::settle(12);
    provider.add_fault(FaultRule::new(Fault::Odd(Odd::StatusOk)));
    let request = Request::form("/oauth2/token", &[("grant_type", "refresh_token"), ("refresh_token", "spent")]);
    let request = request.basic(&world.classic.client_id, &world.classic.client_secret);
    let reply = provider.handle(0, &request).reply().unwrap();
    assert_eq!((reply.status, reply.text("error_description").as_str()), (200, "Invalid refresh_token"));
    provider.add_fault(FaultRule::new(Fault::Odd(Odd::NoCookies)).at(Endpoint::Login));
    let target = format!("/oauth2/authorize/central/api/login?client_id={}", world.classic.client_id);
    let body = json!({ "username": world.username, "password": world.password });
    let reply = provider.handle(0, &Request::json(&target, &body)).reply().unwrap();
    assert_eq!((reply.status, reply.header_value("set-cookie")), (200, None));
}

#[test]
fn a_listing_can_lie_about_its_total_and_hold_nothing() {
    let page = |odd| {
        let (mut provider, world) = Population::settle(12);
        let path = format!("/authorization/v2/oauth2/{}/token", world.workspace);
        let request = Request::form(&path, &[("grant_type", "client_credentials")]);
        let request = request.basic(&world.glp.client_id, &world.glp.client_secret);
        let token = provider.handle(0, &request).reply().unwrap().text("access_token");
        provider.add_fault(FaultRule::new(Fault::Odd(odd)));
        let reply = provider.handle(0, &Request::get("/workspaces/v1/msp-tenants").bearer(&token)).reply().unwrap();
        (reply.value()["total"].clone(), reply.value()["items"].as_array().unwrap().len())
    };
    assert_eq!(page(Odd::TotalTooLarge), (json!(100_000), 2));
    assert_eq!(page(Odd::TotalAbsent), (Value::Null, 2));
    assert_eq!(page(Odd::TotalAsText), (json!("2"), 2));
    assert_eq!(page(Odd::EmptyPage), (json!(2), 0));
}

fn said(saying: Saying, target: &str) -> Response {
    let (mut provider, _) = Population::settle(12);
    provider.add_fault(FaultRule::new(Fault::Says(saying)));
    let reply = provider.handle(0, &Request::form(target, &[("grant_type", "refresh_token")])).reply().unwrap();
    let entry = provider.log().entries().next().unwrap();
    assert_eq!((entry.handled, entry.fault, entry.status), (false, Some(saying.name()), Some(reply.status)));
    reply
}

#[test]
fn what_is_said_has_its_status_and_type_and_json_is_json() {
    for saying in Saying::all() {
        let reply = said(saying, "/as/token.oauth2");
        let json = reply.header_value("content-type") == Some("application/json");
        assert_eq!(reply.value().is_object(), json, "{saying:?}");
    }
    assert_eq!(said(Saying::CaptivePortal, "/as/token.oauth2").status, 511);
    assert_eq!(said(Saying::NoWorkspace, "/x").text("errorCode"), "HPE_GL_WORKSPACES_TENANT_NONEXISTANT");
    assert_eq!(said(Saying::ExpiredJwt, "/x").text("message"), "signature has expired");
}

#[test]
fn a_spurious_invalid_client_has_each_familys_own_words() {
    let sso = said(Saying::InvalidClient, "/as/token.oauth2");
    assert_eq!((sso.status, sso.text("error_description").as_str()), (401, "Invalid client or client credentials."));
    let kong = said(Saying::InvalidClient, "/oauth2/token");
    assert_eq!((kong.status, kong.text("error_description").as_str()), (400, "Invalid client authentication"));
}

#[test]
fn dates_are_counted_from_the_providers_own_now() {
    let header = |hint, name: &str| {
        let (mut provider, _) = Population::settle(12);
        provider.add_fault(FaultRule::new(Fault::TooMany(hint)));
        let reply = provider.handle(1_764_547_200_000, &Request::get("/x")).reply().unwrap();
        reply.header_value(name).unwrap().to_owned()
    };
    assert_eq!(header(RetryHint::ResetDate(90), "x-ratelimit-reset"), "2025-12-01T00:01:30Z");
    assert_eq!(header(RetryHint::ResetDate(90), "date"), "Mon, 01 Dec 2025 00:00:00 GMT");
    assert_eq!(header(RetryHint::ResetEpoch(90), "x-ratelimit-reset"), "1764547290");
    assert_eq!(header(RetryHint::RetryAfterDate(90), "retry-after"), "Mon, 01 Dec 2025 00:01:30 GMT");
}
