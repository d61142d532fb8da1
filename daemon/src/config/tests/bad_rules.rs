//! What is wrong with an access rule is named with file, line, key and remedy.

use super::*;

#[test]
fn a_rule_that_is_for_nobody_or_for_nothing() {
    let rule = |lines: &str| campus(&format!("[[access]]\n{lines}"));
    each_brings(&[
        (
            rule("profiles = ['campus']"),
            "tokend.toml:6: access: is for nobody; expected at least one of users, groups and units with somebody in it",
        ),
        (
            rule("profiles = ['campus']\nusers = []"),
            "tokend.toml:6: access: is for nobody; expected at least one of users, groups and units with somebody in it",
        ),
        (
            rule("users = ['netops']"),
            "tokend.toml:6: access.profiles: is missing or empty; expected a list of patterns, such as [\"campus\", \"msp/*\"]",
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
            "tokend.toml:7: access.profiles: \"/x\" is not a pattern of token names; expected PROFILE, PROFILE/* and \
             PROFILE/ID, where * stands for any characters but '/'",
        ),
        (
            rule("profiles = ['campus']\nunits = ['exporter']"),
            "tokend.toml:8: access.units: \"exporter\" is not a unit's whole name; expected \"exporter.service\"",
        ),
        (
            rule("profiles = ['campus']\nunits = ['x.service', 'exporter*.service']"),
            "tokend.toml:8: access.units: \"exporter*.service\" is a pattern; expected a unit's whole name, a template such as \
             \"exporter@.service\" for all its instances, or a slice such as \"automation.slice\" for all units in it",
        ),
        (
            rule("profiles = ['campus']\nunits = ['exporter.timer']"),
            "tokend.toml:8: access.units: \"exporter.timer\" is a timer, in which no process runs; expected the service that \
             runs, such as \"aruba-exporter.service\"",
        ),
        (
            rule("profiles = ['campus']\nunits = ['-.slice']"),
            "tokend.toml:8: access.units: \"-.slice\" is the slice in which everything runs; expected a slice such as \
             \"automation.slice\", or a rule for users or groups",
        ),
        (
            rule("profiles = ['campus']\nusers = [4294967295]"),
            "tokend.toml:8: access.users: 4294967295 is out of range; expected a name, or a number below 4294967295",
        ),
    ]);
}
