//! What goes over the wire for each grant, to the byte where it matters.

use super::responder::{Play, Responder};
use super::*;
use crate::core::provider::{FailureKind, TenantPage};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

#[tokio::test]
async fn central_posts_the_documented_form_to_the_endpoint_as_configured() {
    let server = Responder::start([Play::json(200, TOKEN)]).await;
    let profile = central(&format!("{}/as/token.oauth2", server.http()));
    let token = token(ask(&provider(PATIENT), &profile, &client_credentials()).await);
    assert_eq!((token.access_token, token.expires_in), (Secret::from("a1"), Some(899)));

    let seen = server.only();
    assert_eq!(seen.request_line(), "POST /as/token.oauth2 HTTP/1.1");
    assert_eq!(seen.body, "grant_type=client_credentials&client_id=my+id&client_secret=s%2F1+%2B");
    assert_eq!(seen.header("content-type"), FORM);
    assert_eq!(seen.header("accept"), Some("application/json"));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert_eq!(seen.header("user-agent"), Some(concat!("tokend/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(seen.header("authorization"), None, "the client's secret stands in the form alone");
    assert_eq!(seen.header("cookie"), None);
}

#[tokio::test]
async fn glp_posts_the_same_form_to_its_workspace_without_hyphens() {
    let server = Responder::start([Play::json(200, TOKEN)]).await;
    token(ask(&provider(PATIENT), &glp(&server.http()), &client_credentials()).await);
    let seen = server.only();
    assert_eq!(seen.request_line(), "POST /authorization/v2/oauth2/497f6eca62764993bfeb53cbbbba6f08/token HTTP/1.1");
    assert_eq!(seen.body, "grant_type=client_credentials&client_id=my+id&client_secret=s%2F1+%2B");
}

#[tokio::test]
async fn an_exchange_sends_the_subject_to_the_tenant_without_hyphens_and_no_client() {
    let server = Responder::start([Play::json(200, TOKEN)]).await;
    token(ask(&provider(PATIENT), &glp(&server.http()), &exchange()).await);
    let seen = server.only();
    assert_eq!(seen.request_line(), "POST /authorization/v2/oauth2/0f8fad5bd9cb469fa16570867728950e/token HTTP/1.1");
    assert_eq!(
        seen.body,
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=msp%2Btoken\
         &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
    );
    assert_eq!(seen.header("authorization"), None);
}

#[tokio::test]
async fn a_listing_asks_for_one_page_with_the_workspaces_token() {
    let body =
        format!(r#"{{"offset":300,"count":1,"total":301,"items":[{{"id":"{TENANT}","workspaceName":"Acme"}}]}}"#);
    let server = Responder::start([Play::json(200, &body)]).await;
    let answer = ask(&provider(PATIENT), &glp(&server.http()), &listing(300)).await;
    let Answer::Tenants(page) = answer else { panic!("no page: {answer:?}") };
    assert_eq!(page, TenantPage { total: 301, items: vec![(tenant(), "Acme".into())], received: 1 });
    let seen = server.only();
    assert_eq!(seen.request_line(), "GET /workspaces/v1/msp-tenants?limit=300&offset=300 HTTP/1.1");
    assert_eq!(seen.header("authorization"), Some("Bearer msp+token"));
}

#[tokio::test]
async fn a_page_of_tenants_may_be_longer_than_a_token_response() {
    let item = format!(r#"{{"id":"{TENANT}","description":"{}"}}"#, "x".repeat(4096));
    let body = format!(r#"{{"total":300,"items":[{}]}}"#, vec![item; 300].join(","));
    let server = Responder::start([Play::json(200, &body)]).await;
    let answer = ask(&provider(PATIENT), &glp(&server.http()), &listing(0)).await;
    let Answer::Tenants(page) = answer else { panic!("no page: {answer:?}") };
    assert_eq!(page.received, 300);
}

#[tokio::test]
async fn a_refresh_goes_as_a_form_in_the_query_or_as_json_as_configured() {
    let fields = "client_id=my+id&client_secret=s%2F1+%2B&grant_type=refresh_token&refresh_token=r1%26%3D";
    let server = Responder::start((0..3).map(|_| Play::json(200, PAIR))).await;
    let provider = provider(PATIENT);
    let tokens = pair(ask(&provider, &classic(&server.http(), ParamStyle::Form), &refresh()).await);
    assert_eq!(tokens, (Secret::from("a2"), Secret::from("r2")));
    pair(ask(&provider, &classic(&server.http(), ParamStyle::Query), &refresh()).await);
    pair(ask(&provider, &classic(&server.http(), ParamStyle::Json), &refresh()).await);

    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].request_line(), "POST /oauth2/token HTTP/1.1");
    assert_eq!((seen[0].body.as_str(), seen[0].header("content-type")), (fields, FORM));
    assert_eq!(seen[1].request_line(), format!("POST /oauth2/token?{fields} HTTP/1.1"));
    // The vendor's own request has the type of a body that it does not have.
    assert_eq!((seen[1].body.as_str(), seen[1].header("content-type")), ("", Some("application/json")));
    assert_eq!(seen[1].header("content-length"), Some("0"));
    assert_eq!(seen[2].request_line(), "POST /oauth2/token HTTP/1.1");
    assert_eq!(seen[2].header("content-type"), Some("application/json"));
    let json = r#"{"client_id":"my id","client_secret":"s/1 +","grant_type":"refresh_token","refresh_token":"r1&="}"#;
    assert_eq!(seen[2].body, json);
}

#[tokio::test]
async fn classic_uses_a_new_connection_each_time_and_the_others_keep_theirs() {
    let server = Responder::start((0..4).map(|_| Play::json(200, PAIR))).await;
    let provider = provider(PATIENT);
    for profile in [central(&server.http()), classic(&server.http(), ParamStyle::Form)] {
        let grant = if matches!(profile.kind, Kind::Classic { .. }) { refresh() } else { client_credentials() };
        for _ in 0..2 {
            let answer = ask(&provider, &profile, &grant).await;
            assert!(matches!(answer, Answer::Token(_) | Answer::Pair(_)), "{answer:?}");
        }
    }
    let connections: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0, 1, 2]);
}

#[tokio::test]
async fn without_its_secret_a_grant_is_not_sent() {
    let server = Responder::start([]).await;
    let provider = provider(PATIENT);
    let secret = Secret::from("s");
    let no_password = ResolvedSecrets { client_secret: Some(&secret), password: None };
    let legacy = classic(&server.http(), ParamStyle::Form);
    let cases = [
        (central(&server.http()), client_credentials(), ResolvedSecrets::default()),
        (glp(&server.http()), client_credentials(), ResolvedSecrets::default()),
        (legacy.clone(), refresh(), ResolvedSecrets::default()),
        (legacy.clone(), log_in(), ResolvedSecrets::default()),
        (legacy, log_in(), no_password),
    ];
    for (profile, grant, secrets) in cases {
        let failure = failure(provider.send(&profile, &grant, secrets).await);
        assert_eq!(failure.kind, FailureKind::SecretUnavailable, "{grant:?}: {}", failure.message);
    }
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_grant_that_the_kind_does_not_have_is_an_answer_and_no_panic() {
    let server = Responder::start([]).await;
    let provider = provider(PATIENT);
    let cases = [(central(&server.http()), refresh()), (classic(&server.http(), ParamStyle::Form), exchange())];
    for (profile, grant) in cases {
        let failure = failure(ask(&provider, &profile, &grant).await);
        assert_eq!(failure.kind, FailureKind::Transient, "{}", failure.message);
    }
    assert_eq!(server.seen().len(), 0);
}

#[test]
fn a_request_can_run_on_a_task_of_its_own() {
    fn assert_task<T: Send>(_: impl FnOnce(&'static Provider, &'static Profile, &'static Grant) -> T) {}
    assert_task(|provider, profile, grant| provider.send(profile, grant, ResolvedSecrets::default()));
}
