//! What a reload says is different.

use super::*;

fn changes(before: &str, after: &str) -> Vec<String> {
    let machine = whole_machine();
    let load = |text: &str| machine.load(text).unwrap_or_else(|report| panic!("{:#?}", report.errors));
    load(after).changes_since(&load(before))
}

#[test]
fn what_stands_elsewhere_is_not_changed() {
    assert_eq!(changes(EVERYTHING, &format!("# a word more\n{EVERYTHING}")), Vec::<String>::new());
}

#[test]
fn profiles_that_are_gone_new_and_changed_are_named() {
    let before = format!("{CAMPUS}{}{}", CAMPUS.replace("campus", "lab"), CAMPUS.replace("campus", "office"));
    let secret = CAMPUS.replace("{ env = \"LEGACY_SECRET\" }", "{ command = ['/bin/secret'] }");
    let after = format!("{secret}{}{MSP}", CAMPUS.replace("campus", "office"));
    assert_eq!(
        changes(&before, &after),
        ["profiles that are gone: lab", "profiles that are new: msp", "profiles that are changed: campus"]
    );
    let ids = CAMPUS.replace("\"id\"", "\"another\"");
    assert_eq!(changes(CAMPUS, &ids), ["profiles that are changed: campus"]);
    assert_eq!(changes(CAMPUS, &campus("ca_file = '/x.pem'")), ["profiles that are changed: campus"]);
}

#[test]
fn many_names_are_counted() {
    let many: String = (0..23).map(|number| CAMPUS.replace("campus", &format!("p{number:02}"))).collect();
    let [new] = &changes("", &many)[..] else { panic!("one line") };
    assert!(new.starts_with("profiles that are new: p00, p01, ") && new.ends_with(", p19 and 3 more"), "{new}");
}

#[test]
fn rules_and_settings_that_are_changed_are_named() {
    let rule = "\n[[access]]\nprofiles = ['campus']\nusers = ['netops']\n";
    assert_eq!(changes(CAMPUS, &campus(rule)), ["the access rules are changed"]);
    assert_eq!(changes(&campus(rule), &campus(&rule.replace("netops", "newcomer"))), ["the access rules are changed"]);
    let settings = "[server]\nmax_connections = 99\ngroup = 'automation'\n[audit]\nreads = true\n[refresh]\nat = 0.5\n\
                    jitter = 0.2\n[providers]\nmax_requests_per_second = 3\n";
    assert_eq!(
        changes(CAMPUS, &format!("{settings}{CAMPUS}")),
        [
            "[server] max_connections is changed",
            "[providers] max_requests_per_second is changed",
            "[refresh] at is changed",
            "[refresh] jitter is changed",
            "[audit] reads is changed",
            "[server] group is changed, which needs a restart if tokend makes its own socket",
        ]
    );
}
