//! Answers that are whole and do not say so, that are compressed, and that come late: over the wire, for grants that
//! spend something and for those that do not.

use super::responder::{Play, Responder};
use super::*;
use crate::core::provider::FailureKind::{self, Transient, Unknown};

/// Long enough for what is sent at once, on a busy machine too. Those who wait for its end wait together.
const HASTY: Timing = Timing { whole: Duration::from_secs(4), grace: Duration::from_millis(50), ..PATIENT };

/// [`PAIR`], as Python's `gzip.compress` has it.
const GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xabV*JM+J-\xce\x88/\xc9\xcfN\xcdS\xb2R*2R\xd2Q\x02s\xe2K*\x0bR\x81\
      \x22I\xa9\x89E\xa9E@\xd1\xc4\xe4\xe4\xd4\xe2b\xb8\xcaD\x90\xca\xd4\x8a\x82L\xa0\xfe\xf8L\xa0\x88\xb9\x91\x81A-\
      \x003\xb6\x80\xa3R\x00\x00\x00";

fn head(headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{headers}\r\n").into_bytes()
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Ways in which an answer does not say that it is whole.
fn unmarked(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let two_chunks = [chunk(&body[..9]), chunk(&body[9..])].concat();
    vec![
        ("length that is too long", [head(&format!("content-length: {}\r\n", body.len() + 2)), body.to_vec()].concat()),
        ("no last chunk", [head("transfer-encoding: chunked\r\n"), chunk(body)].concat()),
        ("no last of two chunks", [head("transfer-encoding: chunked\r\n"), two_chunks].concat()),
        ("half a last chunk", [head("transfer-encoding: chunked\r\n"), chunk(body), b"0\r".to_vec()].concat()),
        ("half a trailer", [head("transfer-encoding: chunked\r\n"), chunk(body), b"0\r\nx-t".to_vec()].concat()),
        ("blanks, then a break", [head("content-length: 4000\r\n"), body.to_vec(), b" \r\n".to_vec()].concat()),
    ]
}

async fn answered(play: Play, timing: Timing, grant: &Grant) -> Answer {
    let server = Responder::start([play]).await;
    let profile = match grant {
        Grant::Refresh { .. } => classic(&server.http(), ParamStyle::Form),
        _ => central(&server.http()),
    };
    ask(&provider(timing), &profile, grant).await
}

#[track_caller]
fn assert_is(answer: Answer, kind: FailureKind, words: &str) {
    let failure = failure(answer);
    assert_eq!(failure.kind, kind, "{}", failure.message);
    assert!(failure.message.contains(words), "{}", failure.message);
}

#[track_caller]
fn assert_pair(answer: Answer, how: &str) {
    assert!(matches!(answer, Answer::Pair(_)), "{how}: {answer:?}");
    assert_eq!(pair(answer), ("a2".into(), "r2".into()), "{how}");
}

/// Each of these answers brings the pair, after a break and after a time-out.
async fn assert_pairs(answers: Vec<(&'static str, Vec<u8>)>) {
    let mut asked = tokio::task::JoinSet::new();
    for (how, bytes) in answers {
        let broken = bytes.clone();
        asked.spawn(async move { (how, answered(Play::Raw(broken), PATIENT, &refresh()).await) });
        asked.spawn(async move { (how, answered(Play::Stall(bytes), HASTY, &refresh()).await) });
    }
    while let Some(ended) = asked.join_next().await {
        let (how, answer) = ended.unwrap();
        assert_pair(answer, how);
    }
}

#[tokio::test]
async fn a_pair_that_is_whole_counts_after_a_break_and_after_a_time_out() {
    assert_pairs(unmarked(PAIR.as_bytes())).await;
}

/// With a header more, behind the status line.
fn compressed(bytes: &[u8]) -> Vec<u8> {
    let (status, rest) = bytes.split_at(b"HTTP/1.1 200 OK\r\n".len());
    [status, b"Content-Encoding: X-GZip\r\n", rest].concat()
}

#[tokio::test]
async fn a_compressed_pair_that_is_whole_counts_though_its_end_was_not_marked() {
    for body in [GZIP, &GZIP[..GZIP.len() - 8]] {
        assert_pairs(unmarked(body).into_iter().map(|(how, bytes)| (how, compressed(&bytes))).collect()).await;
    }
    let cut = compressed(&[head("content-length: 4000\r\n"), GZIP[..GZIP.len() / 2].to_vec()].concat());
    assert_is(answered(Play::Raw(cut), PATIENT, &refresh()).await, Unknown, "broke off");
}

#[tokio::test]
async fn what_spends_nothing_asks_again_and_uses_another_connection() {
    for (_, bytes) in unmarked(TOKEN.as_bytes()) {
        assert_is(answered(Play::Raw(bytes), PATIENT, &client_credentials()).await, Unknown, "broke off");
    }
    let (_, bytes) = unmarked(TOKEN.as_bytes()).swap_remove(0);
    let server = Responder::start([Play::Stall(bytes), Play::json(200, TOKEN)]).await;
    let (provider, profile) = (provider(HASTY), central(&server.http()));
    assert_is(ask(&provider, &profile, &client_credentials()).await, Unknown, "did not end in time");
    token(ask(&provider, &profile, &client_credentials()).await);
    let connections: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[tokio::test]
async fn a_refusal_that_broke_off_is_no_verdict() {
    let body = r#"{"error":"invalid_request","error_description":"Invalid refresh_token"}"#;
    for (_, bytes) in unmarked(body.as_bytes()) {
        for status in ["400 Bad Request", "401 Unauthorized", "403 Forbidden"] {
            let bytes = [format!("HTTP/1.1 {status}\r\n").as_bytes(), &bytes[17..]].concat();
            let answer = answered(Play::Raw(bytes), PATIENT, &refresh()).await;
            assert_is(answer, Transient, "the reason broke off");
        }
    }
}

#[tokio::test]
async fn a_pair_without_tls_close_notify_counts() {
    let authority = Authority::new();
    let trusted = [("p".parse().unwrap(), authority.ca_file())];
    let provider = Provider::with_timing(trusted, PATIENT);
    let close_delimited = [head("connection: close\r\n"), PAIR.as_bytes().to_vec()].concat();
    for (how, bytes) in unmarked(PAIR.as_bytes()).into_iter().chain([("until the end", close_delimited)]) {
        let server = Responder::start_tls([Play::NoNotify(bytes)], authority.server("127.0.0.1")).await;
        assert_pair(ask(&provider, &classic(&server.https(), ParamStyle::Form), &refresh()).await, how);
    }
}

#[tokio::test]
async fn compressed_answers_are_read_for_each_grant() {
    let plain = |headers: &str, body: &[u8]| {
        Play::Raw([head(&format!("content-length: {}\r\n{headers}", body.len())), body.to_vec()].concat())
    };
    for headers in ["content-encoding: gzip\r\n", "Content-Encoding: GZIP\r\n", "content-encoding: x-gzip\r\n", ""] {
        assert_pair(answered(plain(headers, GZIP), PATIENT, &refresh()).await, headers);
        assert_eq!(
            token(answered(plain(headers, GZIP), PATIENT, &client_credentials()).await).access_token,
            "a2".into()
        );
    }
    assert_pair(answered(plain("content-encoding: gzip\r\n", PAIR.as_bytes()), PATIENT, &refresh()).await, "plain");
}

#[tokio::test]
async fn headers_that_curl_takes_are_taken() {
    let many = (0..900).map(|n| format!("x-h{n}: v\r\n")).collect::<String>();
    let cases: [(&str, Vec<u8>); 8] = [
        ("many headers", many.into()),
        ("long headers", format!("set-cookie: c={}\r\n", "v".repeat(4000)).repeat(10).into()),
        ("a blank before the colon", b"X-A : 1\r\n".to_vec()),
        ("a folded line", b"X-CSP: a;\r\n b;\r\n\tc\r\n".to_vec()),
        ("Latin-1 in a value", b"X-Site: M\xfcnchen\r\n".to_vec()),
        ("no value", b"X-Empty:\r\n".to_vec()),
        ("a line that is no header", b"this is no header\r\n".to_vec()),
        ("a name that is none", b"X A: 1\r\nX(B): 2\r\n: 3\r\n".to_vec()),
    ];
    for (how, headers) in cases {
        for length in [format!("content-length: {}\r\n", PAIR.len()), format!("Content-Length : {}\r\n", PAIR.len())] {
            let bytes =
                [b"HTTP/1.1 200 OK\r\n", headers.as_slice(), length.as_bytes(), b"\r\n", PAIR.as_bytes()].concat();
            assert_pair(answered(Play::Raw(bytes), PATIENT, &refresh()).await, how);
        }
    }
}

#[tokio::test]
async fn odd_bodies_bring_their_pair_over_the_wire() {
    let padded = |length| format!("{}{PAIR}", " ".repeat(length));
    let long = PAIR.replace("a2\"", &format!("a2\",\"long\":\"{}\"", "x".repeat(700_000)));
    for body in [padded(0), padded(600_000), long, format!("\u{feff}{PAIR}"), format!("{PAIR} trailing")] {
        assert_pair(answered(Play::json(200, &body), PATIENT, &refresh()).await, &body[..20]);
    }
}

/// A time-out that finds an answer in the socket: this process did not run for a while.
#[tokio::test]
async fn an_answer_that_came_while_nobody_looked_counts() {
    let timing = Timing { whole: Duration::from_secs(3), ..PATIENT };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (answered, until_answered) = std::sync::mpsc::channel();
    // On a thread of its own: it goes on while the runtime of this test stands still.
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"refresh_token=r1%26%3D") {
            let mut bytes = [0; 4096];
            let count = socket.read(&mut bytes).unwrap();
            request.extend_from_slice(&bytes[..count]);
        }
        socket.write_all(&[head(&format!("content-length: {}\r\n", PAIR.len())), PAIR.into()].concat()).unwrap();
        answered.send(()).unwrap();
        socket
    });
    let (provider, profile, grant) = (provider(timing), classic(&url, ParamStyle::Form), refresh());
    let freeze = async move {
        while until_answered.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        // The thread of the runtime stands still, with all that runs on it, as in a frozen process.
        std::thread::sleep(2 * timing.whole);
        std::future::pending().await
    };
    let answer = tokio::select! {
        biased;
        answer = ask(&provider, &profile, &grant) => answer,
        () = freeze => unreachable!("it never ends"),
    };
    assert_pair(answer, "frozen");
    drop(server.join().unwrap());
}

#[tokio::test]
async fn what_had_no_connection_in_time_was_not_sent() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    // The end of the whole comes before the end of connecting, as it does when a process is frozen in a handshake.
    let timing = Timing { whole: Duration::from_millis(100), grace: Duration::from_secs(600), ..PATIENT };
    for grant in [refresh(), log_in()] {
        let answer = ask(&provider(timing), &classic(&url, ParamStyle::Form), &grant).await;
        assert_is(answer, Transient, "was not sent: no connection in time");
    }
}
