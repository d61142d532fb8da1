//! Whom we believe, and that a handshake which fails has sent nothing.

use super::responder::{Play, Responder};
use super::*;
use crate::core::provider::FailureKind::{self, Transient, Unknown};

fn trusting(authority: &Authority, timing: Timing) -> Provider {
    Provider::with_timing([("p".parse().unwrap(), authority.ca_file())], timing)
}

async fn refreshed(provider: &Provider, url: &str) -> Answer {
    ask(provider, &classic(url, ParamStyle::Form), &refresh()).await
}

#[track_caller]
fn assert_is(answer: Answer, kind: FailureKind, words: &str) {
    let failure = failure(answer);
    assert_eq!(failure.kind, kind, "{}", failure.message);
    assert!(failure.message.contains(words), "{}", failure.message);
}

#[tokio::test]
async fn a_private_authority_is_trusted_by_the_profile_that_names_it_and_by_no_other() {
    let authority = Authority::new();
    let server = Responder::start_tls([Play::json(200, PAIR)], authority.server("127.0.0.1")).await;
    let provider = trusting(&authority, PATIENT);
    pair(refreshed(&provider, &server.https()).await);
    let other = Profile { name: "other".parse().unwrap(), ..classic(&server.https(), ParamStyle::Form) };
    assert_is(ask(&provider, &other, &refresh()).await, Transient, "no authority that this system");
    server.only();
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let authority = Authority::new();
    let server = Responder::start_tls([], authority.server("gateway.example.net")).await;
    assert_is(refreshed(&trusting(&authority, PATIENT), &server.https()).await, Transient, "for another host");
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_has_been_sent_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    assert_is(refreshed(&provider(PATIENT), &url).await, Transient, "does not speak TLS");
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_with_the_connects_time_out_and_has_sent_nothing() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let timing = Timing { connect: Duration::from_millis(200), ..PATIENT };
    assert_is(refreshed(&provider(timing), &url).await, Transient, "no connection in time");
}

#[tokio::test]
async fn a_handshake_that_is_cut_off_has_sent_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
        }
    });
    assert_is(refreshed(&provider(PATIENT), &url).await, Transient, "was not sent: no connection");
}

#[tokio::test]
async fn a_reset_after_the_request_leaves_the_outcome_open_with_tls_too() {
    let authority = Authority::new();
    let server = Responder::start_tls([Play::Reset], authority.server("127.0.0.1")).await;
    let answer = refreshed(&trusting(&authority, PATIENT), &server.https()).await;
    assert_is(answer, Unknown, "the connection broke before the answer");
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_read_costs_its_profile_until_it_can() {
    let authority = Authority::new();
    let path = authority.folder.path().join("later.pem");
    let server = Responder::start_tls([Play::json(200, PAIR)], authority.server("127.0.0.1")).await;
    let provider = Provider::with_timing([("p".parse().unwrap(), CaFile::at(&path))], PATIENT);
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (text, problem) in [(None, "cannot be read: entity not found"), (Some(damaged), "is damaged")] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let expected = format!("was not sent: ca_file {} {problem}", path.display());
        assert_is(refreshed(&provider, &server.https()).await, Transient, &expected);
    }
    std::fs::write(&path, authority.pem()).unwrap();
    pair(refreshed(&provider, &server.https()).await);
    server.only();
}
