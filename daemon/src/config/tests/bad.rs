//! What is wrong is named with file, line, key and remedy.

use super::*;

/// Texts and the one message that each of them brings.
fn each_brings(table: &[(String, &str)]) {
    let machine = whole_machine();
    for (text, message) in table {
        assert_eq!(machine.errors(text), [*message], "{text}");
    }
}

fn campus(lines: &str) -> String {
    format!("{CAMPUS}{lines}")
}

fn msp(lines: &str) -> String {
    format!("{MSP}{lines}")
}

fn legacy(lines: &str) -> String {
    format!("{LEGACY}{lines}")
}

#[test]
fn an_unknown_key() {
    each_brings(&[
        (
            campus("clientid = 'x'"),
            "tokend.toml:6: profiles.campus.clientid: is not a key of tokend; did you mean client_id?",
        ),
        (
            campus("colour = 'x'"),
            "tokend.toml:6: profiles.campus.colour: is not a key of tokend; right here are kind, client_id, client_secret, \
             allow_plain_http, ca_file and token_endpoint",
        ),
        (campus("[sever]"), "tokend.toml:6: sever: is not a key of tokend; did you mean server?"),
        (
            campus("[refresh]\nbefore = '10m'"),
            "tokend.toml:7: refresh.before: is not a key of tokend; right here are at and jitter",
        ),
        (
            campus("[[access]]\nprofiles = ['campus']\nusers = [5]\nuser = 'x'"),
            "tokend.toml:9: access.user: is not a key of tokend; did you mean users?",
        ),
        (
            campus("\"a b\" = 1"),
            "tokend.toml:6: profiles.campus.\"a b\": is not a key of tokend; right here are kind, \
             client_id, client_secret, allow_plain_http, ca_file and token_endpoint",
        ),
    ]);
}

#[test]
fn a_wrong_kind_or_a_key_of_another_kind() {
    each_brings(&[
        (
            campus("").replace("central", "centrel"),
            "tokend.toml:3: profiles.campus.kind: there is no kind \"centrel\"; right are \"central\", \"glp\" and \"classic\"",
        ),
        (
            campus("").replace("kind = \"central\"\n", ""),
            "tokend.toml:2: profiles.campus.kind: is missing; right is \"central\", \"glp\" or \"classic\"",
        ),
        (
            campus("workspace_id = 'x'"),
            "tokend.toml:6: profiles.campus.workspace_id: belongs to kind glp, and this profile is central; remove it or \
             change kind",
        ),
        (
            campus("base_url = 'x'"),
            "tokend.toml:6: profiles.campus.base_url: belongs to kind glp and classic, and this profile is central; remove \
             it or change kind",
        ),
        (
            msp("[profiles.msp.login]\nusername = 'x'"),
            "tokend.toml:7: profiles.msp.login: belongs to kind classic, and this profile is glp; remove it or change kind",
        ),
    ]);
}

#[test]
fn a_bad_name_or_id() {
    each_brings(&[
        (
            campus("").replace("profiles.campus", "profiles.'my campus'"),
            "tokend.toml:2: profiles.\"my campus\": is no profile's name; a profile name is 1 to 64 letters, digits, '.', '_' \
             or '-', of which the first is a letter or a digit",
        ),
        (
            msp("").replace("00000001", "1"),
            "tokend.toml:6: profiles.msp.workspace_id: \"0000000000000000000000001\" is no workspace id; right are 32 hex \
             digits, with or without hyphens",
        ),
        (
            campus("").replace("\"id\"", "\"\""),
            "tokend.toml:4: profiles.campus.client_id: is empty, or has blanks around it or control characters in it; right \
             is the client's id",
        ),
        (
            msp("tenants.warm = ['']"),
            "tokend.toml:7: profiles.msp.tenants.warm: holds a name that is empty or longer than 256 bytes; right is a \
             workspace id or name",
        ),
        (
            msp("tenants.warm = [\n'00000000-0000-0000-0000-000000000001']"),
            "tokend.toml:8: profiles.msp.tenants.warm: \"00000000-0000-0000-0000-000000000001\" is the profile's own \
             workspace, not a tenant of it; remove it",
        ),
    ]);
}

#[test]
fn a_bad_duration() {
    let right = "right is a number and one of ms, s, m, h, d, such as \"90s\" or \"20m\"";
    let message = |text: &str| format!("tokend.toml:7: profiles.legacy.before: {text}");
    for (typed, problem) in [
        ("'10 minutes'", format!("\"10 minutes\" is no span of time; {right}")),
        ("'-5m'", format!("\"-5m\" is no span of time; {right}")),
        ("600", format!("is a whole number; {right}")),
        ("'0s'", "is zero, which leaves no time to renew; right is some minutes, such as \"10m\"".to_owned()),
        ("'3h'", "\"3h\" is more than a third of the 2 hours that a token lives; right is at most \"40m\"".to_owned()),
    ] {
        each_brings(&[(legacy(&format!("cluster = 'EU-1'\nbefore = {typed}")), &message(&problem))]);
    }
}

#[test]
fn an_unknown_cluster_or_none_or_two_gateways() {
    each_brings(&[
        (
            legacy("cluster = 'EU1'"),
            "tokend.toml:6: profiles.legacy.cluster: there is no cluster \"EU1\"; did you mean EU-1? right are US-1, US-2, \
             US-WEST-4, US-WEST-5, US-EAST-1, EU-1, EU-CENTRAL-2, EU-CENTRAL-3, CANADA-1, APAC-1, APAC-EAST-1, \
             APAC-SOUTH-1, UAE-NORTH-1 and CHINA-1, or base_url in its place",
        ),
        (
            legacy("cluster = 'UK-1'"),
            "tokend.toml:6: profiles.legacy.cluster: the gateway of UK-1 is not known to tokend; right is base_url = \
             \"https://GATEWAY\" instead",
        ),
        (
            legacy("cluster = 'EU-1'\nbase_url = 'https://x.example.net'"),
            "tokend.toml:6: profiles.legacy.cluster: stands beside base_url; right is one of the two",
        ),
        (
            legacy(""),
            "tokend.toml:2: profiles.legacy.cluster: is missing; right is a cluster's name such as \"EU-1\", or base_url = \
             \"https://GATEWAY\" in its place",
        ),
    ]);
}

#[test]
fn plain_http_off_loopback_and_other_addresses() {
    let off_loopback = "is plain http, which would show the credentials to the network; right is https:// (plain http only \
                        goes to 127.0.0.0/8 or [::1] written as such, with allow_plain_http = true)";
    each_brings(&[
        (
            campus("token_endpoint = 'http://sso.example.net/as/token.oauth2'\nallow_plain_http = true"),
            &format!("tokend.toml:6: profiles.campus.token_endpoint: {off_loopback}"),
        ),
        (
            msp("base_url = 'http://localhost:5000'\nallow_plain_http = true"),
            &format!("tokend.toml:7: profiles.msp.base_url: {off_loopback}"),
        ),
        (
            legacy("base_url = 'http://127.0.0.1:5000'"),
            "tokend.toml:6: profiles.legacy.base_url: is plain http; right is https://, or for tests on this machine \
             allow_plain_http = true in [profiles.legacy]",
        ),
        (
            campus("token_endpoint = 'sso.example.net/as/token.oauth2'"),
            "tokend.toml:6: profiles.campus.token_endpoint: is not a URL (relative URL without a base); right is a whole URL \
             such as https://sso.example.net/as/token.oauth2",
        ),
        (
            campus("token_endpoint = 'https://sso.example.net'"),
            "tokend.toml:6: profiles.campus.token_endpoint: has no path; right is a whole URL such as \
             https://sso.example.net/as/token.oauth2",
        ),
    ]);
}

#[test]
fn a_ca_file_that_cannot_be_used() {
    let right = "right is the absolute path of a PEM file with at least one certificate of an authority";
    let machine = whole_machine();
    machine.file("empty.pem", "no certificate\n", 0o644);
    machine.file("damaged.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o644);
    for (path, problem) in [
        ("authority.pem", "is not an absolute path"),
        ("DIR/missing.pem", "DIR/missing.pem cannot be read: entity not found"),
        ("DIR", "DIR is not a regular file"),
        ("DIR/empty.pem", "there is no certificate in the file"),
        ("DIR/damaged.pem", "certificate number 1 of the file is damaged"),
    ] {
        let errors = machine.errors(&campus(&format!("ca_file = '{path}'")));
        assert_eq!(errors, [format!("tokend.toml:6: profiles.campus.ca_file: {problem}; {right}")]);
    }
}

#[test]
fn a_rule_that_is_for_nobody_or_for_nothing() {
    let rule = |lines: &str| campus(&format!("[[access]]\n{lines}"));
    each_brings(&[
        (
            rule("profiles = ['campus']"),
            "tokend.toml:6: access: is for nobody; right is at least one of users, groups and units with somebody in it",
        ),
        (
            rule("profiles = ['campus']\nusers = []"),
            "tokend.toml:6: access: is for nobody; right is at least one of users, groups and units with somebody in it",
        ),
        (
            rule("users = ['netops']"),
            "tokend.toml:6: access.profiles: is missing or empty; right is a list of patterns, such as [\"campus\", \"msp/*\"]",
        ),
        (
            rule("profiles = 'campus'\nusers = ['netops']").replace("'campus'\n", "['campus', 'campus/Acme Corp']\n"),
            "tokend.toml:7: access.profiles: \"campus/Acme Corp\" names a tenant by its workspace name, which the provider's \
             customers can change; use its id (`tokenctl tenants PROFILE` lists them), or * for all",
        ),
        (
            rule("profiles = ['campus/cafe']\nusers = ['netops']"),
            "tokend.toml:7: access.profiles: \"campus/cafe\" names a tenant by something that is no workspace id: that is 32 \
             hex digits, or * for all",
        ),
        (
            rule("profiles = ['campus', '/x']\nusers = ['netops']"),
            "tokend.toml:7: access.profiles: \"/x\" is no pattern of token names; right are PROFILE, PROFILE/* and \
             PROFILE/ID, where * stands for any characters but '/'",
        ),
        (
            rule("profiles = ['campus']\nunits = ['exporter']"),
            "tokend.toml:8: access.units: \"exporter\" is no unit's whole name; right is \"exporter.service\"",
        ),
        (
            rule("profiles = ['campus']\nunits = ['x.service', 'exporter*.service']"),
            "tokend.toml:8: access.units: \"exporter*.service\" is a pattern; right is a unit's whole name, a template such as \
             \"exporter@.service\" for all its instances, or a slice such as \"automation.slice\" for all units in it",
        ),
        (
            rule("profiles = ['campus']\nunits = ['exporter.timer']"),
            "tokend.toml:8: access.units: \"exporter.timer\" is a timer, in which no process runs; right is the service that \
             runs, such as \"aruba-exporter.service\"",
        ),
        (
            rule("profiles = ['campus']\nunits = ['-.slice']"),
            "tokend.toml:8: access.units: \"-.slice\" is the slice in which everything runs; right is a slice such as \
             \"automation.slice\", or a rule for users or groups",
        ),
        (
            rule("profiles = ['campus']\nusers = [4294967295]"),
            "tokend.toml:8: access.users: 4294967295 is out of range; right is a name, or a number below 4294967295",
        ),
    ]);
}

#[test]
fn what_is_recorded_is_true_or_false() {
    each_brings(&[
        (
            campus("[audit]\nreads = 'all'"),
            "tokend.toml:7: audit.reads: is text in quotes; right is true or false, without quotes",
        ),
        (campus("[audit]\nread = true"), "tokend.toml:7: audit.read: is not a key of tokend; did you mean reads?"),
        (campus("[audits]"), "tokend.toml:6: audits: is not a key of tokend; did you mean audit?"),
        (
            campus("audit.writes.x = 1"),
            "tokend.toml:6: profiles.campus.audit: is not a key of tokend; right here are kind, \
             client_id, client_secret, allow_plain_http, ca_file and token_endpoint",
        ),
    ]);
}

#[test]
fn numbers_out_of_range() {
    each_brings(&[
        (
            campus("[refresh]\nat = 1.5"),
            "tokend.toml:7: refresh.at: 1.5 is not between 0 and 1; right is a share of the life such as 0.66",
        ),
        (
            campus("[refresh]\nat = nan"),
            "tokend.toml:7: refresh.at: NaN is not between 0 and 1; right is a share of the life such as 0.66",
        ),
        (
            campus("[refresh]\njitter = -1"),
            "tokend.toml:7: refresh.jitter: -1 is not at least 0 and below 1; right is a share of the life such as 0.07",
        ),
        (
            campus("[refresh]\nat = 0.95"),
            "tokend.toml:7: refresh.at: 0.95 and the jitter of 0.07 make 1 or more, which is the whole life; right is less, \
             such as 0.66 and 0.07",
        ),
        (
            campus("[providers]\nmax_requests_per_second = 0"),
            "tokend.toml:7: providers.max_requests_per_second: is zero, with which nothing is ever renewed; right is a whole \
             number of at least 1, such as 5",
        ),
        (
            campus("[providers]\nmax_requests_per_second = -1"),
            "tokend.toml:7: providers.max_requests_per_second: is out of range; right is a whole number of at least 1, such \
             as 5",
        ),
        (
            campus("[server]\nmax_connections = 0"),
            "tokend.toml:7: server.max_connections: is zero, which lets nobody in; right is a whole number such as 256",
        ),
        (
            campus("[server]\nstate_dir = 'state'"),
            "tokend.toml:7: server.state_dir: \"state\" is not an absolute path; right is one that starts with '/'",
        ),
        (
            campus(&format!("[server]\nsocket = '/{}'", "x".repeat(107))),
            "tokend.toml:7: server.socket: is a path of 108 bytes; right are at most 107",
        ),
    ]);
}

#[test]
fn a_wrong_type() {
    each_brings(&[
        ("profiles = 5".to_owned(), "tokend.toml:1: profiles: is a whole number; right is sections [profiles.NAME]"),
        ("profiles.x = 5".to_owned(), "tokend.toml:1: profiles.x: is not a table; right is a section [profiles.x]"),
        (
            campus("allow_plain_http = 'yes'"),
            "tokend.toml:6: profiles.campus.allow_plain_http: is text in quotes; right is true or false, without quotes",
        ),
        (campus("[access]\nusers = ['x']"), "tokend.toml:6: access: is a table; right is sections [[access]]"),
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
    let right = "right is a TOML file that the daemon may read (--config FILE, $TOKEND_CONFIG)";
    machine.file("open.toml", CAMPUS, 0o666);
    machine.file("long.toml", &"#".repeat(1024 * 1024 + 1), 0o644);
    for (name, problem) in [
        ("missing.toml", format!("cannot be read: entity not found; {right}")),
        ("credentials", format!("is not a regular file; {right}")),
        ("long.toml", format!("is longer than 1024 KiB; {right}")),
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
