//! `watch` and `explain`. `status --watch` has no end of its own: what it shows has tests beside it.

use tokend_proto::{
    ChainStatus, ErrorCode, Explanation, Fingerprint, Flags, Health, HealthReport, LoginQuota, Millis, NameStatus,
    Reply, Request, Secret, Stamp, codec,
};

use crate::harness::Test;
use crate::name_status::name_status;
use crate::peer::{Answer, error, token};

const AT: Stamp = Stamp { boot_ms: 1, unix_ms: 1_700_000_000_000 };

/// The first request of a client.
const ID: u64 = 1;

fn frames(replies: &[Reply]) -> Answer {
    let frame = |reply| codec::encode_reply(ID, Flags::NONE, reply).unwrap();
    Answer::Bytes(replies.iter().flat_map(frame).collect())
}

/// A token, a health, and the end.
fn watched(request: Request<'_>) -> Answer {
    let Request::Watch { name: "campus" } = request else { panic!("{request:?}") };
    let report = HealthReport {
        name: "campus".into(),
        health: Health::Failing,
        last_error: Some("the provider\tis down".into()),
        action: None,
    };
    frames(&[token("abc"), Reply::Health(report), error(ErrorCode::Denied, "no more", None)])
}

#[test]
fn watch_is_a_line_for_each_change_without_the_token() {
    Test::new("watch campus")
        .peer(watched)
        .stdout(concat!(
            "token\tba7816bf8f01cfea414140de5dae2223\t2023-11-14T23:13:20Z\t2023-11-14T22:56:40Z\n",
            "health\tfailing\tthe provider\\tis down\t-\n",
        ))
        .stderr("tokenctl: no more\n")
        .status(4)
        .run();
}

#[test]
fn watch_shows_the_tokens_alone_to_those_who_ask_for_them() {
    Test::new("watch campus --output raw")
        .peer(watched)
        .stdout("abc\n")
        .stderr("tokenctl: campus: failing; the provider\\tis down\ntokenctl: no more\n")
        .status(4)
        .run();
}

#[test]
fn watch_in_json_is_an_object_for_each_change() {
    Test::new("watch campus --output json")
        .peer(watched)
        .stdout_such(|text| {
            let lines: Vec<&str> = text.lines().collect();
            let token = r#"{"event":"token","access_token":"abc","token_type":"bearer","expires_in":3"#;
            assert!(lines[0].starts_with(token) && lines[0].ends_with('}'), "{text}");
            let health = concat!(
                r#"{"event":"health","name":"campus","health":"failing","last_error":"the provider\tis down","#,
                r#""action":null}"#
            );
            assert_eq!(lines[1..], [health]);
        })
        .stderr("{\"error\":{\"status\":4,\"code\":\"denied\",\"message\":\"no more\"}}\n")
        .status(4)
        .run();
}

#[test]
fn watch_of_a_daemon_that_was_never_there_is_status_3() {
    let reason = "No such file or directory (os error 2)";
    Test::new("watch campus")
        .stderr(&format!("tokenctl: cannot connect to tokend at {{socket}}: {reason}\n"))
        .status(3)
        .run();
}

fn explained(request: Request<'_>) -> Reply {
    let Request::Explain { name: "legacy" } = request else { panic!("{request:?}") };
    Reply::Explanation(Box::new(Explanation {
        status: NameStatus {
            kind: "classic".into(),
            fingerprint: Some(Fingerprint::of(&Secret::from("abc"))),
            expires_at: Some(AT),
            next_at: Some(AT),
            chain: Some(ChainStatus { state: "settled".into(), rotated_at: Some(AT), ends_at: Some(AT), why: None }),
            ..name_status("legacy", Health::Good)
        },
        issued_at: Some(AT),
        refresh_at: Some(AT),
        next: "it is renewed in 7 s".into(),
        failures: 0,
        forced_again_at: None,
        waiting: 2,
        watching: 0,
        chain_age: Some(Millis(3 * 86_400_000)),
        logins: Some(LoginQuota { attempts_left: 2, next_at: None }),
    }))
}

#[test]
fn explain_is_a_line_for_each_fact() {
    let lines = concat!(
        "name\tlegacy\nlabel\t-\nkind\tclassic\nhealth\tgood\ntoken\tba7816bf8f01cfea414140de5dae2223\n",
        "issued\t2023-11-14T22:13:20Z\nrenewed_from\t2023-11-14T22:13:20Z\nexpires\t2023-11-14T22:13:20Z\n",
        "next\tit is renewed in 7 s\nnext_at\t2023-11-14T22:13:20Z\nlast_error\t-\nfailures\t-\naction\t-\n",
        "forced_again_at\t-\nwaiting\t2\nwatching\t-\nchain\tsettled\nchain_age\t3d\n",
        "chain_ends\t2023-11-14T22:13:20Z\nlogins\t2 attempts left, the next login is allowed now\n",
    );
    Test::new("explain legacy").peer(explained).stdout(lines).run();
    let json = concat!(
        r#"{"name":"legacy","label":null,"kind":"classic","health":"good","#,
        r#""fingerprint":"ba7816bf8f01cfea414140de5dae2223","expires_at":"2023-11-14T22:13:20Z","#,
        r#""next_at":"2023-11-14T22:13:20Z","last_error":null,"action":null,"chain":{"state":"settled","#,
        r#""rotated_at":"2023-11-14T22:13:20Z","ends_at":"2023-11-14T22:13:20Z","why":null},"#,
        r#""issued_at":"2023-11-14T22:13:20Z","refresh_at":"2023-11-14T22:13:20Z","next":"it is renewed in 7 s","#,
        r#""failures":0,"forced_again_at":null,"waiting":2,"watching":0,"chain_age":259200,"#,
        r#""logins":{"attempts_left":2,"next_at":null}}"#,
        "\n"
    );
    Test::new("explain legacy --output json").peer(explained).stdout(json).run();
}

#[test]
fn status_watch_of_a_daemon_that_refuses_ends() {
    Test::new("status --watch").peer(|_| error(ErrorCode::Denied, "no", None)).stderr("tokenctl: no\n").status(4).run();
}
