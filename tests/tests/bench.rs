//! The benchmark still runs: a moment of each case, with what is there. No figure of it is looked at.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;

use tokend_tests::bench::{Case, Settings, run};

fn settings(cases: &[Case]) -> Settings {
    Settings { cases: cases.to_vec(), ..Settings::smoke(PathBuf::from(env!("CARGO_BIN_EXE_bench"))) }
}

#[test]
fn servers_under_load_come_to_ratios() {
    let report = run(settings(&[Case::ClosedLoop, Case::Pipelined, Case::NewConnections, Case::OneShot])).unwrap();
    let text = report.markdown();
    // Both sides of these are always there.
    for key in ["a.tokio.1", "a.tokio.64", "a.blocking.1", "d.minimal"] {
        let ratio = report.of(key).unwrap_or_else(|| panic!("{key} is missing: {text}"));
        assert!(ratio.middle.is_finite() && ratio.middle > 0.0, "{key} is {ratio}: {text}");
    }
    assert!(text.contains("| bare tokio | 1.00 |"), "a server is as fast as itself: {text}");
    for peer in ["Redis", "memcached", "oidc-agent"] {
        let there = text.contains(&format!("| {peer} | "));
        assert!(there || text.contains(&format!("**{peer} is missing**")), "{peer} is left out: {text}");
    }

    let folder = tempfile::tempdir().unwrap();
    report.write_to(folder.path()).unwrap();
    for line in text.lines().filter(|line| line.starts_with("![")) {
        let file = line.rsplit_once('(').unwrap().1.trim_end_matches(')');
        let svg = std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{file}: {svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{file}: {svg}");
    }
    assert_eq!(text.matches("![").count(), 4, "{text}");
}

#[test]
fn what_is_at_rest_is_measured_too() {
    let report = run(settings(&[Case::Cached, Case::Idle, Case::Growth, Case::Watchers])).unwrap();
    let text = report.markdown();
    for key in ["f.connection", "f.wakeups", "f.start", "f.before", "f.after"] {
        let found = report.of(key).unwrap_or_else(|| panic!("{key} is missing: {text}"));
        assert!(found.middle.is_finite() && found.middle >= 0.0, "{key} is {found}: {text}");
    }
    assert!(report.of("e.read").is_some_and(|found| found.middle > 0.0), "{text}");
    for row in ["| tokend-client, `Cached::token` | ", "| ArcSwap load | ", "| bare tokio, `watch` | "] {
        assert!(text.contains(row), "{row} is missing: {text}");
    }
    let redis = text.contains("| Redis | 1.00 | ");
    assert!(redis || text.contains("**Redis is missing**"), "Redis is left out: {text}");
    assert!(report.of("f.before").unwrap().middle <= report.of("f.after").unwrap().middle, "{text}");
    assert_eq!(report.cases(), [Case::Cached, Case::Idle, Case::Growth, Case::Watchers]);
}
