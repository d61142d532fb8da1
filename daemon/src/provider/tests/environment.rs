//! What depends on the environment of the process, each in a process of its own: this test binary again, which
//! then runs [`probe`] alone.

use super::responder::{Play, Responder};
use super::*;

const ENDPOINT: &str = "PROBE_ENDPOINT";
const CA_FILE: &str = "PROBE_CA_FILE";

#[tokio::test]
#[ignore = "run by the other tests of this file, which set its environment"]
async fn probe() {
    let Ok(url) = std::env::var(ENDPOINT) else { return };
    let trust = std::env::var_os(CA_FILE).map(|path| ("p".parse().unwrap(), CaFile::at(path.as_ref())));
    let provider = Provider::with_timing(trust, PATIENT);
    match ask(&provider, &central(&url), &client_credentials()).await {
        Answer::Token(_) => println!("PROBE: token"),
        Answer::Failed(failure) => println!("PROBE: {:?}: {}", failure.kind, failure.message),
        Answer::Pair(_) | Answer::Tenants(_) => unreachable!("it asked for a token"),
    }
}

/// What [`probe`] prints with this environment and no other.
async fn probed(environment: &[(&str, &str)]) -> String {
    let output = alone("environment::probe", environment).await;
    let found = output.lines().find_map(|line| line.split_once("PROBE: ")).map(|(_, outcome)| outcome.to_owned());
    found.unwrap_or_else(|| panic!("{output}"))
}

#[tokio::test]
async fn loopback_never_goes_through_a_proxy() {
    let proxy = Responder::start([]).await;
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let server = Responder::start([Play::json(200, TOKEN)]).await;
        assert_eq!(probed(&[(ENDPOINT, &server.http()), (name, &proxy.http())]).await, "token");
    }
    let server = Responder::start_tls([], Authority::new().server("127.0.0.1")).await;
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let outcome = probed(&[(ENDPOINT, &server.https()), (name, &proxy.http())]).await;
        assert!(outcome.contains("no authority that this system"), "the server itself was reached: {outcome}");
    }
    assert_eq!(proxy.seen().len(), 0);
}

#[tokio::test]
async fn others_go_through_the_environments_proxy_and_its_refusal_has_sent_nothing() {
    let proxy = Responder::start([Play::Raw(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n".to_vec())]).await;
    let url = "https://provider.invalid/as/token.oauth2";
    let proxy_url = format!("http://someone:pr0xy@127.0.0.1:{}", proxy.port);
    let outcome = probed(&[(ENDPOINT, url), ("HTTPS_PROXY", &proxy_url)]).await;
    assert!(outcome.starts_with("Transient: the token request was not sent"), "{outcome}");
    assert!(outcome.contains("proxy authorization required") && !outcome.contains("pr0xy"), "{outcome}");
    assert_eq!(proxy.only().request_line(), "CONNECT provider.invalid:443 HTTP/1.1");
}

#[tokio::test]
async fn a_host_name_that_cannot_be_resolved_is_named_as_the_reason() {
    // Too long for a label of DNS, so that no resolver is asked. As a provider's it would not even be looked up.
    let proxy = format!("http://{}.invalid:1", "x".repeat(64));
    let outcome = probed(&[(ENDPOINT, "https://provider.invalid/"), ("HTTPS_PROXY", &proxy)]).await;
    assert!(outcome.starts_with("Transient: the token request was not sent: the host name"), "{outcome}");
}

#[tokio::test]
async fn a_ca_file_is_trusted_in_addition_to_the_systems_store() {
    let (system, own) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("system"), system.pem()).unwrap();
    std::fs::write(path("own"), own.pem()).unwrap();
    for authority in [&system, &own] {
        let server = Responder::start_tls([Play::json(200, TOKEN)], authority.server("127.0.0.1")).await;
        let trust = [(ENDPOINT, &*server.https()), ("SSL_CERT_FILE", &path("system")), (CA_FILE, &path("own"))];
        assert_eq!(probed(&trust).await, "token");
    }
}

#[tokio::test]
async fn an_empty_system_store_stops_only_those_who_need_it() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("empty"), "").unwrap();
    std::fs::write(path("own"), authority.pem()).unwrap();
    let server = Responder::start_tls([Play::json(200, TOKEN)], authority.server("127.0.0.1")).await;
    let without = [(ENDPOINT, &*server.https()), ("SSL_CERT_FILE", &path("empty"))];
    assert!(probed(&without).await.contains("no authority that this system"));
    assert_eq!(probed(&[without[0], without[1], (CA_FILE, &path("own"))]).await, "token");
}
