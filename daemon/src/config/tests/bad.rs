//! What is wrong with the file as a whole is named with file, line, key and remedy.

use super::*;

#[test]
fn an_unknown_key() {
    each_brings(&[
        (
            campus("clientid = 'x'"),
            "tokend.toml:6: profiles.campus.clientid: is not a key of tokend; did you mean client_id?",
        ),
        (
            campus("colour = 'x'"),
            "tokend.toml:6: profiles.campus.colour: is not a key of tokend; expected one of kind, client_id, client_secret, \
             ca_file, allow_plain_http and token_endpoint",
        ),
        (campus("[sever]"), "tokend.toml:6: sever: is not a key of tokend; did you mean server?"),
        (
            campus("[refresh]\nbefore = '10m'"),
            "tokend.toml:7: refresh.before: is not a key of tokend; expected one of at and jitter",
        ),
        (
            campus("[[access]]\nprofiles = ['campus']\nusers = [5]\nuser = 'x'"),
            "tokend.toml:9: access.user: is not a key of tokend; did you mean users?",
        ),
        (
            campus("\"a b\" = 1"),
            "tokend.toml:6: profiles.campus.\"a b\": is not a key of tokend; expected one of kind, \
             client_id, client_secret, ca_file, allow_plain_http and token_endpoint",
        ),
    ]);
}

#[test]
fn what_is_recorded_is_true_or_false() {
    each_brings(&[
        (campus("[audit]\nreads = 'all'"), "tokend.toml:7: audit.reads: is text in quotes; expected true or false"),
        (campus("[audit]\nread = true"), "tokend.toml:7: audit.read: is not a key of tokend; did you mean reads?"),
        (campus("[audits]"), "tokend.toml:6: audits: is not a key of tokend; did you mean audit?"),
        (
            campus("audit.writes.x = 1"),
            "tokend.toml:6: profiles.campus.audit: is not a key of tokend; expected one of kind, \
             client_id, client_secret, ca_file, allow_plain_http and token_endpoint",
        ),
    ]);
}

#[test]
fn numbers_out_of_range() {
    each_brings(&[
        (
            campus("[refresh]\nat = 1.5"),
            "tokend.toml:7: refresh.at: 1.5 is not between 0 and 1; expected a number between 0 and 1, such as 0.66",
        ),
        (
            campus("[refresh]\nat = nan"),
            "tokend.toml:7: refresh.at: NaN is not between 0 and 1; expected a number between 0 and 1, such as 0.66",
        ),
        (
            campus("[refresh]\njitter = -1"),
            "tokend.toml:7: refresh.jitter: -1 is not at least 0 and below 1; expected a number of at least 0; below 1 together with `at`, such as 0.07",
        ),
        (
            campus("[refresh]\nat = 0.95"),
            "tokend.toml:7: refresh.at: 0.95 and the jitter of 0.07 make 1 or more, which is the whole life; expected less, \
             such as 0.66 and 0.07",
        ),
        (
            campus("[providers]\nmax_requests_per_second = 0"),
            "tokend.toml:7: providers.max_requests_per_second: is zero, with which nothing is ever renewed; expected a whole \
             number of at least 1, such as 5",
        ),
        (
            campus("[providers]\nmax_requests_per_second = -1"),
            "tokend.toml:7: providers.max_requests_per_second: is out of range; expected a whole number of at least 1, such \
             as 5",
        ),
        (
            campus("[server]\nmax_connections = 0"),
            "tokend.toml:7: server.max_connections: is zero, which lets nobody in; expected a whole number of at least 1, such as 4096",
        ),
        (
            campus("[server]\nstate_dir = 'state'"),
            "tokend.toml:7: server.state_dir: \"state\" is not an absolute path; expected one that starts with '/'",
        ),
        (
            campus(&format!("[server]\nsocket = '/{}'", "x".repeat(107))),
            "tokend.toml:7: server.socket: is a path of 108 bytes; expected at most 107",
        ),
    ]);
}

#[test]
fn a_wrong_type() {
    each_brings(&[
        ("profiles = 5".to_owned(), "tokend.toml:1: profiles: is a whole number; expected sections [profiles.NAME]"),
        ("profiles.x = 5".to_owned(), "tokend.toml:1: profiles.x: is not a table; expected a section [profiles.x]"),
        (
            campus("allow_plain_http = 'yes'"),
            "tokend.toml:6: profiles.campus.allow_plain_http: is text in quotes; expected true or false",
        ),
        (campus("[access]\nusers = ['x']"), "tokend.toml:6: access: is a table; expected sections [[access]]"),
    ]);
}

#[test]
fn a_syntax_error_stops_at_once() {
    each_brings(&[
        (
            campus("[server\nsocket = 5\ncolour = 1"),
            "tokend.toml:6: is not TOML: unclosed table, expected `]`; see https://toml.io",
        ),
        (campus("kind = 'glp'"), "tokend.toml:6: is not TOML: duplicate key; see https://toml.io"),
    ]);
}

#[test]
fn all_that_is_wrong_is_named_at_once_in_the_order_of_lines() {
    let text = format!(
        "[refresh]\nat = 7\n[[access]]\nprofiles = ['gone', 'legacy']\n{}befor = '1m'\n{}",
        legacy("").replace("LEGACY_SECRET", "GONE"),
        campus("").replace("central", "x")
    );
    let lines: Vec<_> =
        Machine::new().errors(&text).iter().map(|error| error.split(": ").take(2).collect()).collect::<Vec<String>>();
    assert_eq!(
        lines,
        [
            "tokend.toml:2refresh.at",
            "tokend.toml:3access",
            "tokend.toml:6profiles.legacy.cluster",
            "tokend.toml:9profiles.legacy.client_secret",
            "tokend.toml:10profiles.legacy.befor",
            "tokend.toml:13profiles.campus.kind",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read() {
    let machine = Machine::new();
    let path = |name: &str| machine.folder.path().join(name);
    let expected = "expected a TOML file that the daemon may read (--config FILE, $TOKEND_CONFIG)";
    machine.file("open.toml", CAMPUS, 0o666);
    machine.file("long.toml", &"#".repeat(1024 * 1024 + 1), 0o644);
    for (name, problem) in [
        ("missing.toml", format!("cannot be read: entity not found; {expected}")),
        ("credentials", format!("is not a regular file; {expected}")),
        ("long.toml", format!("is longer than 1024 KiB; {expected}")),
        ("open.toml", "can be changed by everybody (mode 0666); chmod o-w DIR/open.toml".to_owned()),
    ] {
        let errors = Config::load(&path(name), &machine.environment).expect_err("it cannot be read");
        let messages: Vec<_> = errors.iter().map(|error| error.to_string().replace(&machine.dir(), "DIR")).collect();
        assert_eq!(messages, [format!("DIR/{name}: {problem}")]);
        assert_eq!(check(&path(name), &machine.environment).errors, errors);
    }
}

#[test]
fn a_key_that_is_mistyped_is_not_missing_as_well() {
    each_brings(&[
        (
            campus("").replace("client_id", "clientid"),
            "tokend.toml:4: profiles.campus.clientid: is not a key of tokend; did you mean client_id?",
        ),
        (
            legacy("clustr = 'EU-1'"),
            "tokend.toml:6: profiles.legacy.clustr: is not a key of tokend; did you mean cluster?",
        ),
        (
            campus("[[access]]\nprofiles = ['campus']\nuser = ['netops']"),
            "tokend.toml:8: access.user: is not a key of tokend; did you mean users?",
        ),
        (
            campus("[[access]]\nprofile = ['campus']\nusers = ['netops']"),
            "tokend.toml:7: access.profile: is not a key of tokend; did you mean profiles?",
        ),
    ]);
}
