//! Nothing secret reaches a message or a log, at any level, of ours or of the libraries.

use std::io::{self, Write};
use std::sync::Mutex;

use tracing_subscriber::util::SubscriberInitExt;

use super::responder::{Play, Responder};
use super::*;

/// In the requests, in all the spellings that they are sent in.
const SENT: [&str; 8] =
    ["s/1 +", "s%2F1", "msp+token", "msp%2Btoken", "r1&=", "r1%26%3D", "pass\\word", "pass\\\\word"];
/// In the answers.
const ANSWERED: [&str; 5] = ["t0ken-a", "t0ken-r", "c00kie-csrf", "c00kie-session", "c0de-x"];

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[track_caller]
fn assert_clean(text: &str) {
    for secret in SENT.into_iter().chain(ANSWERED) {
        assert!(!text.contains(secret), "{secret:?} is in: {text}");
    }
}

/// One of each: what a success, a refusal that echoes, and several kinds of breakage look like.
fn plays() -> Vec<Play> {
    let pair =
        r#"{"access_token":"t0ken-a","refresh_token":"t0ken-r","auth_code":"c0de-x","expires_in":7200,"items":[]}"#;
    let echo = format!(
        "{{\"error\":\"{0}\",\"error_description\":\"{0}\",\"message\":\"{0}\"}}",
        SENT.join(" ").escape_default()
    );
    let misplaced = r#"{"access_token":{"t0ken-a":1},"refresh_token":["t0ken-r"],"auth_code":5,"items":"t0ken-a"}"#;
    let cookies = ["csrftoken=c00kie-csrf; Path=/", "session=c00kie-session"].map(|it| ("set-cookie", it.to_owned()));
    let steps = || Play::Answer(200, cookies.to_vec(), pair.into());
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", pair.len());
    vec![
        steps(),
        steps(),
        steps(),
        Play::json(400, &echo),
        Play::json(401, &echo),
        Play::json(500, &echo),
        Play::json(200, misplaced),
        Play::json(200, &pair[..40]),
        Play::Raw(format!("{head}{}", &pair[..40]).into_bytes()),
        Play::Raw(format!("HTTP/1.1 {pair}\r\n\r\n").into_bytes()),
        Play::Answer(302, vec![("location", "https://example.invalid/?t0ken-a".into())], pair.into()),
        Play::Reset,
    ]
}

/// In a process of its own, as a log is one of the whole process: other tests, which have none, would switch off
/// parts of it.
#[tokio::test]
async fn no_secret_reaches_a_message_or_a_log() {
    alone("secrecy::everything_at_trace", &[]).await;
}

#[tokio::test]
#[ignore = "run by no_secret_reaches_a_message_or_a_log, in a process of its own"]
async fn everything_at_trace() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish().init();

    for (style, grant) in [
        (ParamStyle::Form, client_credentials()),
        (ParamStyle::Form, exchange()),
        (ParamStyle::Form, listing(0)),
        (ParamStyle::Form, refresh()),
        (ParamStyle::Query, refresh()),
        (ParamStyle::Json, refresh()),
        (ParamStyle::Form, log_in()),
        (ParamStyle::Query, log_in()),
    ] {
        let server = Responder::start(plays()).await;
        let provider = provider(PATIENT);
        let profile = match &grant {
            Grant::Refresh { .. } | Grant::Login { .. } => classic(&server.http(), style),
            _ => glp(&server.http()),
        };
        while server.seen().len() < plays().len() {
            let answer = ask(&provider, &profile, &grant).await;
            assert_clean(&format!("{answer:?}"));
            tracing::trace!(?answer, ?profile, ?grant, "as someone may come to log it");
        }
    }

    // A URL with a query that is not one to send to, and a server that is not there: errors that hold the URL.
    for url in ["mailto:x", "https://127.0.0.1:1"] {
        let answer = ask(&provider(PATIENT), &classic(url, ParamStyle::Query), &refresh()).await;
        assert_clean(&failure(answer).message);
    }

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("asked a provider"), "our own log is in it: {log}");
    assert!(log.contains("starting new connection"), "the libraries' log is in it: {log}");
    assert_clean(&log);
}
