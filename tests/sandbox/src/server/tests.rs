//! The sandbox over HTTP, faults of the connection included.

use std::error::Error as _;

use serde_json::{Value, json};

use super::super::{Endpoint, Fault, FaultRule, Population};
use super::*;

/// Long enough for a busy machine; nothing waits that long when it works.
const LONG: Duration = Duration::from_secs(20);

fn client() -> reqwest::Client {
    // Another test may have been first; either way there is a provider afterwards.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(LONG).build().unwrap()
}

fn start() -> (Sandbox, Population, reqwest::Client) {
    let (provider, world) = Population::settle(21);
    (Sandbox::start(provider).unwrap(), world, client())
}

async fn refresh(
    sandbox: &Sandbox,
    http: &reqwest::Client,
    world: &Population,
    token: &str,
) -> reqwest::Result<reqwest::Response> {
    let form = [
        ("client_id", world.classic.client_id.as_str()),
        ("client_secret", &world.classic.client_secret),
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
    ];
    http.post(sandbox.url("/oauth2/token")).form(&form).send().await
}

fn is_reset(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::ConnectionReset) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[tokio::test]
async fn central_and_classic_tokens_open_their_apis_over_http() {
    let (sandbox, world, http) = start();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &world.central.client_id),
        ("client_secret", &world.central.client_secret),
    ];
    let reply = http.post(sandbox.url("/as/token.oauth2")).form(&form).send().await.unwrap();
    assert_eq!(reply.headers()["content-type"], "application/json");
    let central: Value = reply.json().await.unwrap();
    let chain = sandbox.provider().download_token(sandbox.now(), &world.classic.client_id).unwrap();
    let classic: Value = refresh(&sandbox, &http, &world, &chain.refresh_token).await.unwrap().json().await.unwrap();
    for (path, token) in [("/network-monitoring/v1/devices", &central), ("/monitoring/v1/devices", &classic)] {
        let token = token["access_token"].as_str().unwrap();
        let reply = http.get(sandbox.url(path)).bearer_auth(token).send().await.unwrap();
        assert_eq!(reply.status(), 200, "{path}");
        let reply = http.get(sandbox.url(path)).bearer_auth("dead").send().await.unwrap();
        assert_eq!(reply.status(), 401, "{path}");
    }
    assert_eq!(sandbox.provider().count(Endpoint::ClassicRefresh), 1);
}

#[tokio::test]
async fn resets_are_real_and_only_the_one_after_handling_spends_the_token() {
    let (sandbox, world, http) = start();
    let chain = sandbox.provider().download_token(sandbox.now(), &world.classic.client_id).unwrap();
    // reqwest tries again by itself when a connection it kept is reset before any answer: a new one each time.
    let fresh = || client();
    sandbox.provider().add_fault(FaultRule::new(Fault::Reset));
    let error = refresh(&sandbox, &fresh(), &world, &chain.refresh_token).await.unwrap_err();
    assert!(is_reset(&error), "{error:?}");
    sandbox.provider().add_fault(FaultRule::new(Fault::Reset).after_handling());
    let error = refresh(&sandbox, &fresh(), &world, &chain.refresh_token).await.unwrap_err();
    assert!(is_reset(&error), "{error:?}");
    let reply = refresh(&sandbox, &http, &world, &chain.refresh_token).await.unwrap();
    assert_eq!(reply.status(), 400);
    assert_eq!(sandbox.provider().count(Endpoint::ClassicRefresh), 3);
}

#[tokio::test]
async fn a_truncated_answer_announces_more_than_it_sends() {
    let (sandbox, _world, http) = start();
    for keep in [0, 12] {
        sandbox.provider().add_fault(FaultRule::new(Fault::Truncated(keep)));
        let mut reply = http.get(sandbox.url("/monitoring/v1/devices")).send().await.unwrap();
        assert!(reply.content_length().unwrap() > 12);
        let mut got = Vec::new();
        let error = loop {
            match reply.chunk().await {
                Ok(Some(bytes)) => got.extend_from_slice(&bytes),
                Ok(None) => panic!("the body came to an end"),
                Err(error) => break error,
            }
        };
        assert_eq!(got.len(), keep, "{error:?}");
    }
}

#[tokio::test]
async fn a_delayed_answer_has_been_carried_out_long_before_it_comes() {
    let (sandbox, world, http) = start();
    let chain = sandbox.provider().download_token(sandbox.now(), &world.classic.client_id).unwrap();
    sandbox.provider().add_fault(FaultRule::new(Fault::Delay(3_600_000)));
    let slow = refresh(&sandbox, &http, &world, &chain.refresh_token);
    tokio::select! {
        reply = slow => panic!("an answer within the hour: {reply:?}"),
        handled = sandbox.until(LONG, |provider| provider.count(Endpoint::ClassicRefresh) == 1) => assert!(handled),
    }
    let reply = refresh(&sandbox, &http, &world, &chain.refresh_token).await.unwrap();
    assert_eq!(reply.status(), 400, "the refresh token was spent");
}

#[tokio::test]
async fn a_short_delay_holds_the_answer_back() {
    let (sandbox, _world, http) = start();
    sandbox.provider().add_fault(FaultRule::new(Fault::Delay(120)));
    let before = sandbox.now();
    http.get(sandbox.url("/monitoring/v1/devices")).send().await.unwrap();
    assert!(sandbox.now() - before >= 120);
}

#[tokio::test]
async fn bodies_arrive_as_the_fault_made_them() {
    let (sandbox, _world, http) = start();
    for (fault, length) in [(Fault::Huge(5_000_000), 5_000_000), (Fault::Empty, 0)] {
        sandbox.provider().add_fault(FaultRule::new(fault));
        let reply = http.get(sandbox.url("/monitoring/v1/devices")).send().await.unwrap();
        assert_eq!((reply.status().as_u16(), reply.bytes().await.unwrap().len()), (200, length));
    }
}

#[tokio::test]
async fn what_http_cannot_carry_is_a_500() {
    let (sandbox, _world, http) = start();
    sandbox.provider().add_fault(FaultRule::new(Fault::Status { status: 503, retry_after: Some("a\nb".to_owned()) }));
    assert_eq!(http.get(sandbox.url("/x")).send().await.unwrap().status(), 500);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let (sandbox, _world, http) = start();
    let reply = http.post(sandbox.url("/as/token.oauth2")).body(vec![b'a'; 1024 * 1024 + 1]).send().await.unwrap();
    assert_eq!(reply.status(), 413);
}

#[tokio::test]
async fn another_process_can_drive_it() {
    let (sandbox, world, http) = start();
    let body = json!({ "client_id": world.classic.client_id }).to_string();
    let reply = http.post(sandbox.url("/sandbox/download-token")).body(body).send().await.unwrap();
    let token: Value = reply.json().await.unwrap();
    let reply = refresh(&sandbox, &http, &world, token["refresh_token"].as_str().unwrap()).await.unwrap();
    assert_eq!(reply.status(), 200);
    let counts: Value = http.get(sandbox.url("/sandbox/counts")).send().await.unwrap().json().await.unwrap();
    assert_eq!(counts, json!({ "classic-refresh": 1 }));
}

#[tokio::test]
async fn a_stopped_sandbox_refuses_connections_and_comes_back_on_its_address_as_it_was() {
    let (sandbox, world, http) = start();
    let chain = sandbox.provider().download_token(sandbox.now(), &world.classic.client_id).unwrap();
    let (addr, url) = (sandbox.addr(), sandbox.url("/monitoring/v1/devices"));
    let provider = sandbox.stop();
    // A program that another test is about to start holds a copy of the listener until it is executed.
    let refused = async { while !http.get(&url).send().await.is_err_and(|error| error.is_connect()) {} };
    tokio::time::timeout(LONG, refused).await.unwrap();
    let sandbox = Sandbox::start_on(addr, provider).unwrap();
    let reply = http.get(&url).bearer_auth(&chain.access_token).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    sandbox.advance(Duration::from_secs(7200));
    let reply = http.get(&url).bearer_auth(&chain.access_token).send().await.unwrap();
    assert_eq!(reply.status(), 401);
}

#[test]
fn it_can_be_waited_for_without_a_runtime() {
    let (provider, _) = Population::settle(21);
    let sandbox = Sandbox::start(provider).unwrap();
    assert!(!sandbox.wait_until(Duration::from_millis(1), |provider| provider.log().seen() > 0));
    let mut stream = std::net::TcpStream::connect(sandbox.addr()).unwrap();
    io::Write::write_all(&mut stream, b"GET /monitoring/v1/devices HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert!(sandbox.wait_until(LONG, |provider| provider.count(Endpoint::ClassicApi) == 1));
}

#[test]
fn it_listens_on_loopback_only() {
    let error = Sandbox::start_on("0.0.0.0:0".parse().unwrap(), Provider::new(1)).unwrap_err();
    assert!(matches!(error, StartError::NotLoopback(_)), "{error}");
}
