//! The configurations in README.md, loaded as the daemon would load them.

#![allow(clippy::unwrap_used, reason = "a test ends where an unwrap fails")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use tokend::access::cgroup::UnitLookup;
use tokend::config::{Config, Environment};
use tokend::core::settings::Kind;
use tokend::os::accounts::Accounts;
use tokend::secret::ProcessEnv;

const README: &str = include_str!("../../README.md");

/// An authority for every `ca_file`.
const AUTHORITY: &[u8] = include_bytes!("../src/config/tests/authority.pem");

/// A machine that has every user and group.
struct Everybody;

impl Accounts for Everybody {
    fn user(&self, _: &str) -> io::Result<Option<u32>> {
        Ok(Some(1000))
    }

    fn group(&self, _: &str) -> io::Result<Option<u32>> {
        Ok(Some(1000))
    }
}

#[test]
fn every_configuration_in_the_readme_is_right_and_every_kind_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path());
    let mut shown = BTreeSet::new();
    for block in blocks("toml") {
        let config = load(block, folder.path(), &environment);
        assert_eq!(config.warnings, Vec::<String>::new(), "{block}");
        shown.extend(config.settings.profiles.values().map(|profile| match &profile.kind {
            Kind::ClientCredentials(asked) => asked.word,
            Kind::Glp { tenants: None, .. } => "glp",
            Kind::Glp { tenants: Some(_), .. } => "glp with tenants",
            Kind::Classic { login: None, .. } => "classic",
            Kind::Classic { login: Some(_), .. } => "classic with a login",
        }));
    }
    let kinds = ["central", "classic", "classic with a login", "glp", "glp with tenants", "oauth2"];
    assert_eq!(shown, BTreeSet::from(kinds));
}

fn load(block: &str, folder: &Path, environment: &Environment) -> Config {
    let moved = block.replace("/etc/tokend", folder.to_str().unwrap());
    let path = folder.join("tokend.toml");
    fs::write(&path, moved).unwrap();
    Config::load(&path, environment).unwrap_or_else(|errors| panic!("{block}\n{errors:#?}"))
}

/// The secrets of the README: `/etc/tokend` is `folder`.
fn environment(folder: &Path) -> Environment {
    for secret in ["office.secret", "msp.secret", "branch.secret", "clearpass.secret"] {
        write(&folder.join(secret), b"hunter2\n");
    }
    write(&folder.join("example-ca.pem"), AUTHORITY);
    let credentials = folder.join("credentials");
    fs::create_dir(&credentials).unwrap();
    write(&credentials.join("campus"), b"hunter2\n");
    let variables: [(OsString, OsString); 2] =
        [("LEGACY_SECRET".into(), "hunter2".into()), ("CREDENTIALS_DIRECTORY".into(), credentials.into())];
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    Environment {
        process_env: Arc::new(ProcessEnv::new(variables, uid, gid)),
        accounts: Arc::new(Everybody),
        unit_lookup: || UnitLookup::Works,
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The fenced blocks of a language.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let fence = format!("```{language}\n");
    let starts: Vec<usize> = README.match_indices(&fence).map(|(at, _)| at + fence.len()).collect();
    starts.into_iter().map(|start| {
        let rest = &README[start..];
        &rest[..rest.find("```").expect("a fence that is opened is closed")]
    })
}

#[test]
fn every_source_that_the_readme_points_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let paths: Vec<&str> = README.split('`').filter(|word| word.contains("/src/") && !word.contains(' ')).collect();
    assert!(paths.len() >= 10, "{paths:?}");
    for path in paths {
        assert!(root.join(path).exists(), "{path}");
    }
}
