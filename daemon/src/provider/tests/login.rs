//! The three steps of a login over the wire.

use super::responder::{Play, Responder};
use super::*;
use crate::core::provider::FailureKind::{
    self, InvalidClient, LoginRefused, RateLimited, Transient, Unknown, Unreadable,
};

const CODE: &str = r#"{"auth_code":"c0de+"}"#;

fn signed_in() -> Play {
    let cookie = |value: &str| ("set-cookie", value.to_owned());
    let cookies = vec![cookie("csrftoken=xsrf==; Path=/; Secure"), cookie("session=.s3ss; HttpOnly; Path=/")];
    Play::Answer(200, cookies, b"{}".to_vec())
}

async fn logged_in(plays: Vec<Play>, timing: Timing) -> (Answer, Responder) {
    let server = Responder::start(plays).await;
    let answer = ask(&provider(timing), &classic(&server.http(), ParamStyle::Form), &log_in()).await;
    (answer, server)
}

#[tokio::test]
async fn three_steps_bring_a_pair() {
    let (answer, server) = logged_in(vec![signed_in(), Play::json(200, CODE), Play::json(200, PAIR)], PATIENT).await;
    assert_eq!(pair(answer).1, Secret::from("r2"));

    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].request_line(), "POST /oauth2/authorize/central/api/login?client_id=my+id HTTP/1.1");
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(seen[0].body, r#"{"username":"o\"brien","password":"pass\\word"}"#);
    assert_eq!(
        seen[1].request_line(),
        "POST /oauth2/authorize/central/api?client_id=my+id&response_type=code&scope=all HTTP/1.1"
    );
    assert_eq!(seen[1].header("x-csrf-token"), Some("xsrf=="));
    assert_eq!(seen[1].header("cookie"), Some("session=.s3ss"));
    assert_eq!(seen[1].body, r#"{"customer_id":"c1"}"#);
    assert_eq!(seen[2].request_line(), "POST /oauth2/token HTTP/1.1");
    assert_eq!(seen[2].body, "client_id=my+id&client_secret=s%2F1+%2B&grant_type=authorization_code&code=c0de%2B");
    assert_eq!(seen[2].header("cookie"), None);
}

#[tokio::test]
async fn a_second_login_knows_nothing_of_the_first_ones_cookies() {
    let server = Responder::start([signed_in(), Play::json(200, CODE), Play::json(200, PAIR)]).await;
    let provider = provider(PATIENT);
    let profile = classic(&server.http(), ParamStyle::Form);
    pair(ask(&provider, &profile, &log_in()).await);
    failure(ask(&provider, &profile, &log_in()).await);
    assert_eq!(server.seen()[3].header("cookie"), None);
}

#[tokio::test]
async fn the_steps_keep_their_distance() {
    assert!(Timing::PRODUCTION.login_pause >= Duration::from_secs(1), "the provider takes one step a second");
    let timing = Timing { login_pause: Duration::from_millis(80), ..PATIENT };
    let (answer, server) = logged_in(vec![signed_in(), Play::json(200, CODE), Play::json(200, PAIR)], timing).await;
    pair(answer);
    for steps in server.seen().windows(2) {
        assert!(steps[1].at - steps[0].at >= timing.login_pause);
    }
}

#[tokio::test]
async fn a_login_that_has_taken_too_long_mints_nothing() {
    assert!(Timing::PRODUCTION.login_steps > 2 * (Timing::PRODUCTION.whole + Timing::PRODUCTION.login_pause));
    let timing = Timing { login_pause: Duration::from_millis(50), login_steps: Duration::from_millis(20), ..PATIENT };
    let (answer, server) = logged_in(vec![signed_in(), Play::json(200, CODE), Play::json(200, PAIR)], timing).await;
    let failure = failure(answer);
    assert_eq!(failure.kind, Transient, "{}", failure.message);
    assert!(failure.message.contains("step 2") && failure.message.contains("was not sent"), "{}", failure.message);
    server.only();
}

#[tokio::test]
async fn step_1_tells_a_wrong_password_from_everything_else() {
    let invalid_client = r#"{"error":"invalid_client"}"#;
    let cases: [(Play, FailureKind); 9] = [
        (Play::json(401, r#"{"message":"Invalid username or password"}"#), LoginRefused),
        (Play::json(400, ""), LoginRefused),
        (Play::json(400, invalid_client), InvalidClient),
        (Play::json(429, r#"{"message":"Try again after 1700 seconds"}"#), RateLimited),
        (Play::Answer(403, vec![("content-type", "text/html".into())], b"blocked".to_vec()), Unreadable),
        (Play::json(502, ""), Transient),
        (Play::json(200, "{}"), Transient),
        (Play::Reset, Transient),
        (Play::Raw(Vec::new()), Transient),
    ];
    for (play, expected) in cases {
        let (answer, server) = logged_in(vec![play], PATIENT).await;
        let failure = failure(answer);
        assert_eq!(failure.kind, expected, "{}", failure.message);
        assert!(failure.message.contains("step 1"), "{}", failure.message);
        server.only();
    }
}

#[tokio::test]
async fn step_2_mints_nothing_so_its_outcome_is_never_open() {
    let cases: [(Play, FailureKind); 7] = [
        (Play::Reset, Transient),
        (Play::json(504, ""), Transient),
        (Play::json(200, r#"{"auth_code":""}"#), Transient),
        (Play::json(200, "<html>"), Transient),
        (Play::json(403, r#"{"message":"CSRF"}"#), Unreadable),
        (Play::json(400, r#"{"error":"invalid_client"}"#), InvalidClient),
        (Play::json(429, ""), RateLimited),
    ];
    for (play, expected) in cases {
        let (answer, server) = logged_in(vec![signed_in(), play], PATIENT).await;
        let failure = failure(answer);
        assert_eq!(failure.kind, expected, "{}", failure.message);
        assert!(failure.message.contains("step 2"), "{}", failure.message);
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn step_3_mints_tokens_so_its_outcome_can_be_open() {
    let cases: [(Play, FailureKind); 9] = [
        (Play::Reset, Unknown),
        (Play::json(502, ""), Unknown),
        (Play::json(200, "{}"), Unknown),
        (Play::json(500, ""), Unknown),
        (Play::json(503, ""), Unknown),
        (Play::json(408, ""), Unknown),
        (Play::json(415, ""), Transient),
        (Play::json(400, r#"{"error":"invalid_request","error_description":"Invalid code"}"#), Transient),
        (Play::json(400, r#"{"error":"invalid_client"}"#), InvalidClient),
    ];
    for (play, expected) in cases {
        let (answer, server) = logged_in(vec![signed_in(), Play::json(200, CODE), play], PATIENT).await;
        let failure = failure(answer);
        assert_eq!(failure.kind, expected, "{}", failure.message);
        assert!(failure.message.contains("step 3"), "{}", failure.message);
        assert_eq!(server.seen().len(), 3);
    }
}
