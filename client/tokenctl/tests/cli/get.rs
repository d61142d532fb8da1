//! `get`: the shapes of a token.

use tokend_proto::{Flags, Millis, Reply, Request};

use crate::harness::Test;
use crate::peer::{Answer, token};

/// A peer that has one token, and minds what it is asked.
fn get(words: &str) -> Test {
    Test::new(words).peer(|request| {
        let Request::Get { name: "campus", min_ttl: Millis(0), .. } = request else { panic!("{request:?}") };
        token("abc.def-~+/==")
    })
}

#[test]
fn the_token_alone_is_on_stdout() {
    get("get campus").stdout("abc.def-~+/==\n").run();
    get("get campus --output raw").stdout("abc.def-~+/==\n").run();
}

#[test]
fn a_header_is_one_line_of_http() {
    get("get campus --output header").stdout("Authorization: Bearer abc.def-~+/==\n").run();
}

#[test]
fn env_sets_a_variable() {
    get("get campus --output env").stdout("TOKEN=abc.def-~+/==\n").run();
    get("get campus --output env --var CENTRAL").stdout("CENTRAL=abc.def-~+/==\n").run();
}

#[test]
fn curl_takes_the_header_from_its_configuration() {
    get("get campus --output curl").stdout("header = \"Authorization: Bearer abc.def-~+/==\"\n").run();
}

#[test]
fn json_is_the_providers_shape_with_the_remaining_life() {
    get("get campus --output json")
        .stdout_such(|text| {
            let shape = text.replace(":3599,", ":3600,");
            let expected = concat!(
                r#"{"access_token":"abc.def-~+/==","token_type":"bearer","expires_in":3600,"#,
                r#""expires_at":"2023-11-14T23:13:20Z","fingerprint":"FP"}"#,
                "\n"
            );
            let fingerprint = tokend_proto::Fingerprint::of(&"abc.def-~+/==".into()).to_string();
            assert_eq!(shape, expected.replace("FP", &fingerprint));
        })
        .run();
}

#[test]
fn wait_and_min_ttl_reach_the_daemon_and_wait_is_ten_seconds_if_not_said() {
    let peer = |wait_is: std::ops::RangeInclusive<u64>, min: u64| {
        move |request: Request<'_>| match request {
            Request::Get { wait: Millis(wait), min_ttl: Millis(ttl), .. } => {
                assert!(wait_is.contains(&wait), "{wait}");
                assert_eq!(ttl, min);
                token("t")
            }
            _ => panic!("{request:?}"),
        }
    };
    Test::new("get campus").peer(peer(9_000..=10_000, 0)).stdout("t\n").run();
    Test::new("get campus --wait 2m --min-ttl 90s").peer(peer(119_000..=120_000, 90_000)).stdout("t\n").run();
    Test::new("get campus --wait 0s").peer(peer(0..=0, 0)).stdout("t\n").run();
}

fn short(words: &str) -> Test {
    Test::new(words).peer(|_| match token("abc") {
        reply @ Reply::Token(_) => Answer::Reply(Flags::FALLS_SHORT, reply),
        _ => unreachable!(),
    })
}

fn says_how_short(stderr: &str) {
    let text = stderr.replace(" 3599 s", " 3600 s");
    assert_eq!(text, "tokenctl: the newest token of campus expires in 3600 s: expected 7200 s or more\n");
}

#[test]
fn a_token_that_falls_short_is_status_8_and_kept_back() {
    short("get campus --min-ttl 2h").stderr_such(says_how_short).status(8).run();
}

#[test]
fn accept_short_prints_the_token_and_still_says_so() {
    short("get campus --min-ttl 2h --accept-short").stdout("abc\n").stderr_such(says_how_short).status(8).run();
}

#[test]
fn a_token_that_could_break_out_of_a_header_is_refused() {
    Test::new("get campus --output header")
        .peer(|_| token("abc\r\nX-Evil: 1"))
        .stderr(
            "tokenctl: tokend does not follow the protocol: the access token holds characters that a bearer token cannot have\n",
        )
        .status(1)
        .run();
}

#[test]
fn a_workspace_id_loses_its_hyphens_and_a_workspace_name_keeps_its_words() {
    let echo = |expected: &'static str| {
        move |request: Request<'_>| match request {
            Request::Get { name, .. } if name == expected => token("t"),
            _ => panic!("{request:?}"),
        }
    };
    Test::new("get msp/497F6ECA-6276-4993-BFEB-53CBBBBA6F08")
        .peer(echo("msp/497f6eca62764993bfeb53cbbbba6f08"))
        .stdout("t\n")
        .run();
    Test::new("get").arg("msp/Acme Corp").peer(echo("msp/Acme Corp")).stdout("t\n").run();
}
