//! `reject` and `import`: secrets that come in by stdin or file, never as an argument.

use tokend_proto::{Fingerprint, Imported, Reply, Request, Secret};

use crate::harness::Test;
use crate::peer::token;

fn rejecting(words: &str) -> Test {
    Test::new(words).peer(|request| match request {
        Request::Reject { name: "campus", fingerprint, .. } => {
            assert_eq!(fingerprint, Fingerprint::of(&Secret::from("abc")));
            token("new")
        }
        _ => panic!("{request:?}"),
    })
}

#[test]
fn a_rejected_token_is_named_by_fingerprint_or_read_from_stdin_and_the_new_one_is_told_by_fingerprint() {
    let new = Fingerprint::of(&Secret::from("new")).to_string();
    let line = format!("campus\t{new}\t2023-11-14T23:13:20Z\n");
    rejecting("reject campus --fingerprint BA7816BF8f01cfea414140de5dae2223").stdout(&line).run();
    rejecting("reject campus --token-stdin").stdin("abc\n").stdout(&line).run();
    let json = format!("{{\"name\":\"campus\",\"fingerprint\":\"{new}\",\"expires_at\":\"2023-11-14T23:13:20Z\"}}\n");
    rejecting("reject campus --token-stdin --output json").stdin("abc").stdout(&json).run();
}

#[test]
fn no_token_on_stdin_is_usage() {
    Test::new("reject campus --token-stdin").stderr("tokenctl: stdin is empty: expected a token\n").status(2).run();
}

fn importing(words: &str) -> Test {
    Test::new(words).peer(|request| match request {
        Request::Import { name: "legacy", refresh_token } => {
            assert_eq!(refresh_token.to_secret(), Secret::from("RT-1"));
            Reply::Imported(Imported { changed: true, message: "the chain starts anew".into() })
        }
        _ => panic!("{request:?}"),
    })
}

const DOWNLOAD: &str = r#"{"access_token":"AT-1","created_at":1700000000000,"refresh_token":"RT-1","expires_in":7200}"#;

#[test]
fn download_token_json_comes_from_a_file_or_from_stdin() {
    let test = importing("import legacy token.json").stdout("the chain starts anew\n");
    std::fs::write(test.dir.path().join("token.json"), DOWNLOAD).unwrap();
    test.run();
    importing("import legacy -").stdin(DOWNLOAD).stdout("the chain starts anew\n").run();
    importing("import legacy --output json")
        .stdin(DOWNLOAD)
        .stdout("{\"name\":\"legacy\",\"changed\":true,\"message\":\"the chain starts anew\"}\n")
        .run();
}

#[test]
fn a_file_that_is_not_right_is_told_without_being_shown() {
    Test::new("import legacy")
        .stdin("{\"refresh_token\": RT-1}")
        .stderr("tokenctl: stdin is not JSON: line 1, column 19\n")
        .status(2)
        .run();
    Test::new("import legacy none.json")
        .stderr("tokenctl: cannot read none.json: No such file or directory (os error 2)\n")
        .status(2)
        .run();
    Test::new("import legacy .")
        .stderr_such(|text| assert!(text.contains("cannot read .: Is a directory"), "{text}"))
        .status(2)
        .run();
}
