//! What is wrong with a profile is named with file, line, key and remedy.

use super::*;

#[test]
fn a_wrong_kind_or_a_key_of_another_kind() {
    each_brings(&[
        (
            campus("").replace("central", "centrel"),
            "tokend.toml:3: profiles.campus.kind: there is no kind \"centrel\"; expected one of \"central\", \"glp\", \
             \"classic\" and \"oauth2\"",
        ),
        (
            campus("").replace("kind = \"central\"\n", ""),
            "tokend.toml:2: profiles.campus.kind: is missing; expected \"central\", \"glp\", \"classic\" or \
             \"oauth2\"",
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
fn an_oauth2_profile_says_where_and_how() {
    let profile = |more: &str| {
        format!(
            "[profiles.any]\nkind = 'oauth2'\nclient_id = 'id'\nclient_secret = {{ env = 'LEGACY_SECRET' }}\n{more}"
        )
    };
    let endpoint = "token_endpoint = 'https://sso.example.net/token'\n";
    for (more, expected) in [
        (
            String::new(),
            "tokend.toml:1: profiles.any.token_endpoint: is missing; expected a URL, such as \
             \"https://clearpass.example.net/api/oauth\"",
        ),
        (
            format!("{endpoint}auth = 'digest'"),
            "tokend.toml:6: profiles.any.auth: there is no way \"digest\" to authenticate; expected \"form\", \"basic\" or \
             \"json\"",
        ),
        (
            format!("{endpoint}life = '2s'"),
            "tokend.toml:6: profiles.any.life: \"2s\" is out of range; expected at least \"10s\" and at most \"1d\"",
        ),
        (
            format!("{endpoint}life = 'long'"),
            "tokend.toml:6: profiles.any.life: \"long\" is no span of time; expected a number and one of ms, s, m, h, d, \
             such as \"90s\" or \"20m\"",
        ),
        (
            format!("{endpoint}scope = ''"),
            "tokend.toml:6: profiles.any.scope: is empty, or has blanks around it or control characters in it; expected \
             the scopes in quotes, with a blank between two of them, such as \"read write\"",
        ),
        (
            format!("{endpoint}workspace_id = 'x'"),
            "tokend.toml:6: profiles.any.workspace_id: belongs to kind glp, and this profile is oauth2; remove it or \
             change kind",
        ),
    ] {
        assert_eq!(whole_machine().errors(&profile(&more)), [expected]);
    }
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
            "tokend.toml:6: profiles.msp.workspace_id: \"0000000000000000000000001\" is no workspace id; expected 32 hex \
             digits, with or without hyphens",
        ),
        (
            campus("").replace("\"id\"", "\"\""),
            "tokend.toml:4: profiles.campus.client_id: is empty, or has blanks around it or control characters in it; \
             expected the client's id",
        ),
        (
            msp("tenants.warm = ['']"),
            "tokend.toml:7: profiles.msp.tenants.warm: holds a name that is empty or longer than 256 bytes; expected a \
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
    let expected = "expected a number and one of ms, s, m, h, d, such as \"90s\" or \"20m\"";
    let message = |text: &str| format!("tokend.toml:7: profiles.legacy.before: {text}");
    for (typed, problem) in [
        ("'10 minutes'", format!("\"10 minutes\" is no span of time; {expected}")),
        ("'-5m'", format!("\"-5m\" is no span of time; {expected}")),
        ("600", "is a whole number; expected a span of time, at most \"40m\", such as \"10m\"".to_owned()),
        ("'0s'", "is zero, which leaves no time to renew; expected some minutes, such as \"10m\"".to_owned()),
        ("'3h'", "\"3h\" is more than a third of the 2 hours that a token lives; expected at most \"40m\"".to_owned()),
    ] {
        each_brings(&[(legacy(&format!("cluster = 'EU-1'\nbefore = {typed}")), &message(&problem))]);
    }
}

#[test]
fn an_unknown_style_of_parameters() {
    let styles = "expected \"form\", or \"query\" or \"json\" for a gateway that insists";
    let message = |problem: &str| format!("tokend.toml:7: profiles.legacy.param_style: {problem}");
    each_brings(&[
        (legacy("cluster = 'EU-1'\nparam_style = 'JSON'"), &message(&format!("there is no style \"JSON\"; {styles}"))),
        (
            legacy("cluster = 'EU-1'\nparam_style = 7"),
            &message("is a whole number; expected \"form\", \"query\" or \"json\""),
        ),
    ]);
}

#[test]
fn an_unknown_cluster_or_none_or_two_gateways() {
    each_brings(&[
        (
            legacy("cluster = 'EU1'"),
            "tokend.toml:6: profiles.legacy.cluster: there is no cluster \"EU1\"; did you mean EU-1? expected one of US-1, US-2, \
             US-WEST-4, US-WEST-5, US-EAST-1, EU-1, EU-CENTRAL-2, EU-CENTRAL-3, CANADA-1, APAC-1, APAC-EAST-1, \
             APAC-SOUTH-1, UAE-NORTH-1 and CHINA-1, or base_url in its place",
        ),
        (
            legacy("cluster = 'UK-1'"),
            "tokend.toml:6: profiles.legacy.cluster: the gateway of UK-1 is not known to tokend; expected base_url = \
             \"https://GATEWAY\" instead",
        ),
        (
            legacy("cluster = 'EU-1'\nbase_url = 'https://x.example.net'"),
            "tokend.toml:6: profiles.legacy.cluster: stands beside base_url; expected one of the two",
        ),
        (
            legacy(""),
            "tokend.toml:2: profiles.legacy.cluster: is missing; expected a cluster's name such as \"EU-1\", or base_url = \
             \"https://GATEWAY\" in its place",
        ),
    ]);
}

#[test]
fn plain_http_off_loopback_and_other_addresses() {
    let off_loopback = "is plain http, which would show the credentials to the network; expected https:// (plain http only \
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
            "tokend.toml:6: profiles.legacy.base_url: is plain http; expected https://, or for tests on this machine \
             allow_plain_http = true in [profiles.legacy]",
        ),
        (
            campus("token_endpoint = 'sso.example.net/as/token.oauth2'"),
            "tokend.toml:6: profiles.campus.token_endpoint: is not a URL (relative URL without a base); expected a whole URL \
             such as https://sso.example.net/as/token.oauth2",
        ),
        (
            campus("token_endpoint = 'https://sso.example.net'"),
            "tokend.toml:6: profiles.campus.token_endpoint: has no path; expected a whole URL such as \
             https://sso.example.net/as/token.oauth2",
        ),
    ]);
}

#[test]
fn a_ca_file_that_cannot_be_used() {
    let expected = "expected the absolute path of a PEM file with at least one certificate of an authority";
    let machine = whole_machine();
    machine.file("empty.pem", "no certificate\n", 0o644);
    machine.file("damaged.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o644);
    for (path, problem) in [
        ("authority.pem", "is not an absolute path"),
        ("DIR/missing.pem", "DIR/missing.pem cannot be read: entity not found"),
        ("DIR", "DIR is not a regular file"),
        ("DIR/empty.pem", "DIR/empty.pem has no certificate in it"),
        ("DIR/damaged.pem", "DIR/damaged.pem is damaged: its certificate number 1 cannot be used"),
    ] {
        let errors = machine.errors(&campus(&format!("ca_file = '{path}'")));
        assert_eq!(errors, [format!("tokend.toml:6: profiles.campus.ca_file: {problem}; {expected}")]);
    }
}
