//! What servers and networks do on bad days, and what it means for a Classic refresh, where it matters most:
//! whether the refresh token may have been spent.

use super::responder::{Play, Responder};
use super::*;
use crate::core::provider::FailureKind::{self, Transient, Unknown};

/// Short enough to be waited for, and long enough for what is sent at once to arrive on a busy machine.
const HASTY: Timing = Timing { whole: Duration::from_secs(3), grace: Duration::from_millis(50), ..PATIENT };

async fn refreshed(play: Play, timing: Timing) -> (Failure, Responder) {
    let server = Responder::start([play]).await;
    let answer = ask(&provider(timing), &classic(&server.http(), ParamStyle::Form), &refresh()).await;
    (failure(answer), server)
}

#[track_caller]
fn assert_is(failure: &Failure, kind: FailureKind, words: &str) {
    assert_eq!(failure.kind, kind, "{}", failure.message);
    assert!(failure.message.contains(words), "{}", failure.message);
}

fn ok(length: usize, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").as_bytes(), body].concat()
}

#[tokio::test]
async fn a_refused_connection_has_sent_nothing() {
    // Bound but not listening: the port stays ours and nobody answers on it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let answer = ask(&provider(PATIENT), &classic(&url, ParamStyle::Form), &refresh()).await;
    assert_is(&failure(answer), Transient, "connection refused");
}

#[tokio::test]
async fn plain_http_to_another_machine_is_not_even_tried() {
    for url in ["http://192.0.2.1:9", "http://localhost:9", "http://provider.example", "http://[2001:db8::1]:9"] {
        let answer = ask(&provider(PATIENT), &classic(url, ParamStyle::Form), &refresh()).await;
        assert_is(&failure(answer), Transient, "was not sent: without TLS");
    }
}

#[tokio::test]
async fn a_url_that_is_none_is_an_answer_and_no_panic() {
    for url in ["", "no url", "https://", "mailto:x@127.0.0.1", "http://127.0.0.1:99999"] {
        let answer = ask(&provider(PATIENT), &classic(url, ParamStyle::Form), &refresh()).await;
        assert_is(&failure(answer), Transient, "was not sent");
    }
}

#[tokio::test]
async fn a_reset_after_the_request_leaves_the_outcome_open_and_nothing_is_sent_again() {
    let (failure, server) = refreshed(Play::Reset, PATIENT).await;
    assert_is(&failure, Unknown, "the connection broke before the answer");
    server.only();
}

#[tokio::test]
async fn a_close_or_garbage_instead_of_an_answer_leaves_the_outcome_open() {
    let endless_head = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &vec![b'x'; 1 << 20]].concat();
    for bytes in
        [b"".as_slice(), b"HTTP/1.1 200", b"\x16\x03\x01\x00garbage\r\n\r\n", b"HTTP/1.1 99 X\r\n\r\n", &endless_head]
    {
        let (failure, server) = refreshed(Play::Raw(bytes.to_vec()), PATIENT).await;
        assert_is(&failure, Unknown, "the connection broke before the answer");
        server.only();
    }
}

#[tokio::test]
async fn no_answer_in_time_leaves_the_outcome_open() {
    let (failure, _server) = refreshed(Play::Stall(Vec::new()), HASTY).await;
    assert_is(&failure, Unknown, "the answer did not come in time");
    let (failure, _server) = refreshed(Play::Endless(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()), HASTY).await;
    assert_is(&failure, Unknown, "the answer did not come in time");
}

#[tokio::test]
async fn a_body_that_does_not_end_in_time_leaves_the_outcome_open() {
    let (failure, _server) = refreshed(Play::Stall(ok(PAIR.len(), &PAIR.as_bytes()[..9])), HASTY).await;
    assert_is(&failure, Unknown, "(HTTP 200) did not end in time");
}

#[tokio::test]
async fn a_success_that_cannot_be_read_leaves_the_outcome_open() {
    let huge = format!(r#"{{"access_token":"{}"}}"#, "x".repeat(4 * 1024 * 1024));
    let cases: [(Vec<u8>, &str); 9] = [
        (ok(0, b""), "has no body"),
        (b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), "(HTTP 204) has no body"),
        (ok(PAIR.len(), &PAIR.as_bytes()[..9]), "broke off"),
        (ok(9, &PAIR.as_bytes()[..9]), "ends in the middle"),
        (ok(huge.len(), huge.as_bytes()), "longer than 4096 KiB"),
        (ok(15, b"<html>hi</html>"), "is HTML"),
        (ok(3, b"\xff\xfd\xfd"), "not JSON"),
        (ok(2, b"no"), "not JSON"),
        (ok(2, b"{}"), "there is no refresh_token and no access_token"),
    ];
    for (bytes, words) in cases {
        let (failure, _server) = refreshed(Play::Raw(bytes), PATIENT).await;
        assert_is(&failure, Unknown, words);
    }
}

#[tokio::test]
async fn a_body_without_end_is_read_no_further_than_the_limit() {
    let server =
        Responder::start([Play::Endless([b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[b' '; 65536]].concat())]).await;
    let answer = ask(&provider(PATIENT), &central(&server.http()), &client_credentials()).await;
    assert_is(&failure(answer), Unknown, "longer than 256 KiB");
}

#[tokio::test]
async fn a_body_in_chunks_is_put_together() {
    let mut bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for piece in PAIR.as_bytes().chunks(7) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(&[piece, b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let server = Responder::start([Play::Raw(bytes)]).await;
    let answer = ask(&provider(PATIENT), &classic(&server.http(), ParamStyle::Form), &refresh()).await;
    assert_eq!(pair(answer).1, Secret::from("r2"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Responder::start([]).await;
    for status in [301, 302, 307, 308] {
        let redirect = Play::Answer(status, vec![("location", elsewhere.http())], Vec::new());
        let (failure, server) = refreshed(redirect, PATIENT).await;
        assert_is(&failure, Transient, "redirects are not followed");
        server.only();
    }
    assert_eq!(elsewhere.seen().len(), 0);
}

#[tokio::test]
async fn a_refusal_over_the_wire_brings_its_meaning_and_its_wait() {
    let spent = r#"{"error":"invalid_request","error_description":"Invalid refresh_token"}"#;
    let (failure, _server) = refreshed(Play::json(400, spent), PATIENT).await;
    assert_is(&failure, FailureKind::InvalidGrant, "HTTP 400 (invalid_request)");
    let limited = Play::Answer(429, vec![("Retry-After", "3".into()), ("RateLimit-Reset", "9".into())], Vec::new());
    let (failure, _server) = refreshed(limited, PATIENT).await;
    assert_is(&failure, FailureKind::RateLimited, "HTTP 429");
    assert_eq!(failure.retry_after, Some(Duration::from_secs(9)));
}
