//! No secret reaches the log, at `trace` and whatever happens: a run of everything that a daemon does in its life, and
//! then a search for each secret that there was.

#![allow(clippy::unwrap_used, reason = "a test")]

mod run;
mod scanner;

use scanner::leaks;

fn no_secret_is_logged(format: &str) {
    let run::Heard { log, said, secrets, issued } = run::whole_life(format);
    assert_eq!(leaks(&log, &secrets), [], "in the log");
    assert_eq!(leaks(&said, &secrets), [], "in what tokenctl says where no token was asked for");

    // It looked at the right thing: the log tells of all that happened, and what is found there when it is planted.
    for word in ["DEBUG", "campus", "msp", "legacy", "queried", "wrong", "stopping, because of SIGTERM"] {
        assert!(log.contains(word), "{word}: {log}");
    }
    let planted = secrets.iter().fold(log, |log, secret| format!("{log}Bearer {secret}\n"));
    let plain = leaks(&planted, &secrets).into_iter().filter(|(_, spelling)| *spelling == "plain");
    assert_eq!(plain.count(), secrets.len());
    assert!(issued > 40 && secrets.len() > issued, "{issued} were issued");
}

#[test]
fn no_secret_is_in_the_text_log_of_a_whole_life_at_trace() {
    no_secret_is_logged("text");
}

#[test]
fn no_secret_is_in_the_json_log_of_a_whole_life_at_trace() {
    no_secret_is_logged("json");
}
