//! What is written about the keys, held against what is accepted.

use std::collections::BTreeSet;

use super::*;
use crate::config::keys::{
    ACCESS, AUDIT, CENTRAL, CLASSIC, GLP, LOGIN, OAUTH2, PROFILE, PROVIDERS, ProfileKind, REFRESH, SECRET, SERVER,
    STATE, TABLES, TENANTS, Table, Unsaid,
};
use crate::config::template;
use crate::config::template::Secrets;

/// A key that nobody would mistype another one as.
const NO_KEY: &str = "qqqqqqqq";

/// The keys that are right where [`NO_KEY`] stands, as the message about it lists them.
fn accepted(text: &str) -> BTreeSet<String> {
    let errors = whole_machine().errors(text);
    let list = errors.iter().find_map(|error| {
        let (_, list) = error.split_once("; expected one of ")?;
        (error.contains(NO_KEY) || error.contains("holds a key that is unknown")).then_some(list)
    });
    let list = list.unwrap_or_else(|| panic!("nothing about {NO_KEY} in {errors:#?}"));
    list.replace(" and ", ", ").split(", ").map(str::to_owned).collect()
}

fn documented(tables: &[&Table]) -> BTreeSet<String> {
    tables.iter().flat_map(|table| table.keys).map(|key| key.name.to_owned()).collect()
}

#[test]
fn every_key_that_is_accepted_is_explained_and_no_other() {
    let here = format!("{NO_KEY} = 1\n");
    for (text, tables) in [
        (format!("[server]\n{here}"), &[&SERVER][..]),
        (format!("[providers]\n{here}"), &[&PROVIDERS]),
        (format!("[refresh]\n{here}"), &[&REFRESH]),
        (format!("[state]\n{here}"), &[&STATE]),
        (format!("{CAMPUS}{here}"), &[&PROFILE, &CENTRAL]),
        (format!("{MSP}{here}"), &[&PROFILE, &GLP]),
        (format!("{MSP}[profiles.msp.tenants]\n{here}"), &[&TENANTS]),
        (format!("{LEGACY}{here}"), &[&PROFILE, &CLASSIC]),
        (format!("{LEGACY}[profiles.legacy.login]\n{here}"), &[&LOGIN]),
        (format!("{}{here}", CAMPUS.replace("central", "oauth2")), &[&PROFILE, &OAUTH2]),
        (format!("[[access]]\n{here}"), &[&ACCESS]),
        (format!("[audit]\n{here}"), &[&AUDIT]),
        (CAMPUS.replace("{ env", &format!("{{ {NO_KEY}")), &[&SECRET]),
    ] {
        assert_eq!(accepted(&text), documented(tables), "{text}");
    }
}

#[test]
fn every_section_that_is_accepted_is_explained_and_no_other() {
    let explained: BTreeSet<String> = TABLES
        .iter()
        .filter_map(|table| table.header.trim_matches(['[', ']']).split(['.', ']']).next().map(str::to_owned))
        .collect();
    assert_eq!(accepted(&format!("{NO_KEY} = 1")), explained);
}

/// All that is said to be the default, written out.
fn defaults(tables: &[&Table]) -> String {
    let keys = tables.iter().flat_map(|table| table.keys).filter(|key| key.default == Unsaid::Example);
    keys.map(|key| format!("{} = {}\n", key.name, key.example)).collect()
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let machine = Machine::with(&[("LEGACY_SECRET", "hunter2")]);
    let cluster = "cluster = 'EU-1'\n";
    let unsaid = machine.load(&format!("{CAMPUS}{MSP}{LEGACY}{cluster}")).expect("it is right");
    let said = machine
        .load(&format!(
            "[server]\n{}[providers]\n{}[refresh]\n{}{CAMPUS}{}{MSP}{}{LEGACY}{cluster}{}",
            defaults(&[&SERVER]),
            defaults(&[&PROVIDERS]),
            defaults(&[&REFRESH]),
            defaults(&[&PROFILE, &CENTRAL]),
            defaults(&[&PROFILE, &GLP]),
            defaults(&[&PROFILE, &CLASSIC]),
        ))
        .unwrap_or_else(|report| panic!("{:#?}", report.errors));
    assert_eq!(said.server, unsaid.server);
    assert_eq!(format!("{:?}", said.settings), format!("{:?}", unsaid.settings));
}

#[test]
fn every_cluster_is_named() {
    let doc = CLASSIC.keys.iter().find(|key| key.name == "cluster").expect("it is a key").doc;
    for name in super::super::profile::cluster::names() {
        assert!(doc.contains(name), "{name}");
    }
}

/// Every setting, switched on.
fn switched_on(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c.is_ascii_alphabetic() || c == '[') => setting.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The secrets and authorities that the examples name.
fn machine_of_examples() -> Machine {
    let machine = whole_machine();
    for name in ["msp", "legacy", "legacy-password", "clearpass"] {
        machine.file(&format!("credentials/{name}"), "hunter2\n", 0o400);
    }
    machine.file("credentials/state-key", &"0a".repeat(32), 0o400);
    machine
}

#[test]
fn what_is_installed_is_right_as_it_is_and_with_everything_switched_on() {
    let machine = machine_of_examples();
    let installed = template::installed();
    let warnings = machine.warnings(&installed);
    assert!(
        matches!(&warnings[..], [one] if one.contains("there are none, so there is nothing to do")),
        "{warnings:?}"
    );

    let all = switched_on(&installed).replace("/etc/tokend/example-ca.pem", "DIR/authority.pem");
    let config = machine.load(&all).unwrap_or_else(|report| panic!("{all}\n{:#?}", report.errors));
    assert_eq!(config.profiles.len(), ProfileKind::ALL.len());
    assert!(config.state_key.is_some());
    for key in TABLES.iter().flat_map(|table| table.keys) {
        assert!(installed.contains(&format!("{} = ", key.name)) || key.value.starts_with("a section"), "{}", key.name);
    }
}

#[test]
fn what_init_writes_is_right_once_the_secrets_are_there() {
    use ProfileKind::{Central, Classic, Glp, Oauth2};
    let machine = machine_of_examples();
    for secret in ["campus", "msp", "legacy", "clearpass"] {
        machine.file(&format!("{secret}.secret"), "hunter2\n", 0o600);
    }
    for kinds in [&[Central][..], &[Glp], &[Classic], &[Oauth2], &[Central, Glp, Classic, Oauth2]] {
        for secrets in [Secrets::Credentials, Secrets::Files("/DIR".into())] {
            let text = template::starter(kinds, secrets).replace("/DIR", "DIR");
            let config = machine.load(&text).unwrap_or_else(|report| panic!("{text}\n{:#?}", report.errors));
            assert_eq!(config.profiles.len(), kinds.len());
            // A person has to put ids into it.
            assert!(config.warnings.len() >= kinds.len());
            for warning in &config.warnings {
                assert!(warning.contains("is what `tokend init` wrote"), "{warning}");
            }
        }
    }
}
