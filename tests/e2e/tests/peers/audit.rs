//! The audit record of a running daemon.

use std::fs;

use harness::{Daemon, World, until};
use serde_json::Value;
use tokend_proto::{Fingerprint, Secret};

use super::stranger::{STRANGER, Stranger, start};

const RULES: &str = "[[access]]\nprofiles = [\"campus\"]\nusers = [65534]";

/// The records of a text log, from the word that follows the pid.
fn records(daemon: &Daemon) -> Vec<String> {
    daemon.log().lines().filter_map(|line| Some(line.split_once(" audit: ")?.1.to_owned())).collect()
}

/// Waits for a record of this user that ends like this.
fn is_recorded(daemon: &Daemon, uid: u32, end: &str) -> String {
    let fits = |line: &String| line.starts_with(&format!("uid {uid} pid ")) && line.ends_with(end);
    until(end, || records(daemon).into_iter().find(fits))
}

#[test]
fn refusals_and_reloads_are_recorded_and_reads_once_the_configuration_says_so() {
    let world = World::new(941);
    let Some(stranger) = Stranger::of(&world) else { return };
    let daemon = start(&world, STRANGER, RULES);
    let token = world.ctl().token("campus");
    let fingerprint = Fingerprint::of(&Secret::from(token.as_str()));
    assert_eq!(stranger.run(&["get", "campus"]).status, 0);

    stranger.is_denied(&["get", "legacy"]);
    println!("{}", is_recorded(&daemon, STRANGER, ": get legacy: refused"));
    stranger.is_denied(&["get", "msp/a\n2026 INFO audit: uid 0"]);
    is_recorded(&daemon, STRANGER, ": get \"msp/a\\n2026 INFO audit: uid 0\": refused");
    stranger.is_denied(&["refresh", "campus"]);
    is_recorded(&daemon, STRANGER, ": refresh campus: refused");
    stranger.is_denied(&["reload"]);
    is_recorded(&daemon, STRANGER, ": reload: refused");
    assert!(!records(&daemon).iter().any(|line| line.contains("served")), "{}", daemon.log());

    let text = fs::read_to_string(world.config()).unwrap();
    fs::write(world.config(), format!("{text}\n[audit]\nreads = true\n")).unwrap();
    assert_eq!(world.ctl().run(&["reload"]).status, 0);
    println!("{}", is_recorded(&daemon, 0, ": reload: done"));
    assert_eq!(stranger.run(&["get", "campus"]).status, 0);
    println!("{}", is_recorded(&daemon, STRANGER, &format!(": get campus: served {fingerprint}")));

    fs::write(world.config(), &text).unwrap();
    assert_eq!(world.ctl().run(&["reload"]).status, 0);
    until("the second reload is recorded", || {
        let reloads = records(&daemon).into_iter().filter(|line| line.ends_with(": reload: done"));
        (reloads.count() == 2).then_some(())
    });
    let before = records(&daemon).len();
    assert_eq!(stranger.run(&["get", "campus"]).status, 0);
    assert_eq!(world.ctl().run(&["refresh", "campus"]).status, 0);
    let renewed = world.ctl().token("campus");
    is_recorded(&daemon, 0, &format!(": refresh campus: done {}", Fingerprint::of(&Secret::from(renewed.as_str()))));
    assert_eq!(records(&daemon).len(), before + 1, "the reads are not recorded any more");

    let log = daemon.log();
    for secret in [token, renewed] {
        assert!(!log.contains(&secret), "a token in the log");
    }
}

#[test]
fn a_peer_that_is_refused_again_and_again_does_not_fill_the_log() {
    let world = World::new(942);
    let Some(stranger) = Stranger::of(&world) else { return };
    let daemon = start(&world, STRANGER, RULES);
    for _ in 0..30 {
        stranger.is_denied(&["get", "legacy"]);
    }
    let log = world.log();
    assert!(daemon.terminate().success());
    let log = fs::read_to_string(log).unwrap();
    let refused = log.matches(": get legacy: refused").count();
    let left_out: Vec<u64> = log
        .lines()
        .filter_map(|line| {
            line.split_once("audit: uid 65534: ")?.1.strip_suffix(" more refused or failed requests in the last minute")
        })
        .map(|count| count.parse().unwrap())
        .collect();
    // Where this takes more than a minute, another window was opened.
    assert!(refused >= 20 && !left_out.is_empty(), "{log}");
    assert_eq!(refused as u64 + left_out.iter().sum::<u64>(), 30, "{log}");
}

#[test]
fn in_json_a_record_has_its_fields() {
    let world = World::new(943);
    world.configure("[audit]\nreads = true", &[world.central("campus")]);
    let mut daemon = Daemon::spawn_with(&world.config(), &world.log(), |command| {
        command.args(["--log", "audit=info", "--log-format", "json"])
    });
    daemon.listens(&world.socket());
    let token = world.ctl().token("campus");
    let record: Value = until("the read is recorded", || serde_json::from_str(daemon.log().lines().next()?).ok());
    println!("{record}");
    let uid = nix::unistd::geteuid().as_raw();
    let fingerprint = Fingerprint::of(&Secret::from(token.as_str())).to_string();
    assert_eq!((&record["target"], &record["level"]), (&"audit".into(), &"INFO".into()));
    assert_eq!((&record["uid"], &record["request"]), (&uid.into(), &"get".into()));
    assert_eq!((&record["name"], &record["outcome"]), (&"campus".into(), &"served".into()));
    assert_eq!(record["fingerprint"], fingerprint);
    assert!(record["pid"].as_i64().unwrap() > 1);
}
