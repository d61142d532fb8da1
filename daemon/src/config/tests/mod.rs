//! The whole configuration, from text to values and to messages.

mod bad;
mod bad_profiles;
mod bad_rules;
mod bad_secrets;
mod beginnings;
mod changes;
mod documented;
mod good;
mod machine;
mod mutations;
mod outside;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokend_proto::ProfileName;

use super::purpose::Purpose;
use super::validate::validate;
use super::*;
use crate::access::cgroup::UnitLookup;
use crate::os::accounts::Accounts;
use crate::secret::{ProcessEnv, SecretSource};

/// A machine with some users, an environment, and a folder for secret files.
struct Machine {
    folder: tempfile::TempDir,
    environment: Environment,
}

struct Directory;

impl Accounts for Directory {
    fn user(&self, name: &str) -> io::Result<Option<u32>> {
        match name {
            "netops" => Ok(Some(1001)),
            "ldap" => Err(io::Error::from(io::ErrorKind::TimedOut)),
            _ => Ok(None),
        }
    }

    fn group(&self, name: &str) -> io::Result<Option<u32>> {
        Ok(match name {
            "automation" => Some(2001),
            _ => None,
        })
    }
}

impl Machine {
    fn new() -> Self {
        Self::with(&[("LEGACY_SECRET", "hunter2"), ("STATE_DIRECTORY", "/var/lib/private/tokend:/other")])
    }

    fn with(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut all: Vec<(OsString, OsString)> =
            variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let credentials = folder.path().join("credentials");
        std::fs::create_dir(&credentials).expect("a folder");
        all.push(("CREDENTIALS_DIRECTORY".into(), credentials.into()));
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        let environment = Environment {
            process_env: Arc::new(ProcessEnv::new(all, uid, gid)),
            accounts: Arc::new(Directory),
            unit_lookup: || UnitLookup::Works,
        };
        let machine = Self { folder, environment };
        machine.file("credentials/campus", "hunter2\n", 0o400);
        machine.file("msp.secret", "hunter2\n", 0o600);
        machine
    }

    fn file(&self, name: &str, text: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode set");
    }

    /// `DIR` in the text stands for the machine's folder.
    fn load(&self, text: &str) -> Result<Config, Report> {
        self.read(text, Purpose::Start)
    }

    fn read(&self, text: &str, purpose: Purpose) -> Result<Config, Report> {
        let text = text.replace("DIR", &self.dir());
        validate(&text, Path::new("tokend.toml"), &self.environment, purpose, &Numbers::default())
    }

    fn dir(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// All messages of errors of a check.
    fn errors(&self, text: &str) -> Vec<String> {
        let report = self.read(text, Purpose::Check).map(|config| config.warnings).expect_err("it is wrong");
        report.errors.iter().map(|error| error.to_string().replace(&self.dir(), "DIR")).collect()
    }

    /// All messages of warnings of a reload.
    fn warnings(&self, text: &str) -> Vec<String> {
        let config = self.read(text, Purpose::Reload).unwrap_or_else(|report| panic!("{:#?}", report.errors));
        config.warnings.iter().map(|warning| warning.replace(&self.dir(), "DIR")).collect()
    }
}

/// A profile that is right; a test may add what it is about.
const CAMPUS: &str = r#"
[profiles.campus]
kind = "central"
client_id = "id"
client_secret = { env = "LEGACY_SECRET" }
"#;

const MSP: &str = r#"
[profiles.msp]
kind = "glp"
client_id = "id"
client_secret = { env = "LEGACY_SECRET" }
workspace_id = "00000000000000000000000000000001"
"#;

const LEGACY: &str = r#"
[profiles.legacy]
kind = "classic"
client_id = "id"
client_secret = { env = "LEGACY_SECRET" }
"#;

/// Everything that a configuration can say.
const EVERYTHING: &str = r#"
[server]
socket = "/run/tokend/tokend.sock"
group = "automation"
state_dir = "/var/lib/tokend"
max_connections = 100
max_connections_per_uid = 10

[providers]
max_requests_per_second = 7

[refresh]
at = 0.5
jitter = 0.1

[state]
key = { file = "DIR/state.key" }

[audit]
reads = true

[profiles.campus]
kind = "central"
client_id = "campus-id"
client_secret = [{ credential = "campus" }, { env = "LEGACY_SECRET" }]
token_endpoint = "http://127.0.0.1:5000/as/token.oauth2/"
allow_plain_http = true

[profiles.msp]
kind = "glp"
workspace_id = "497F6ECA-6276-4993-bfeb-53cbbbba6f08"
client_id = "msp-id"
client_secret = { file = "DIR/msp.secret" }
ca_file = "DIR/authority.pem"
[profiles.msp.tenants]
warm = ["Acme Corp", "11111111-1111-1111-1111-111111111111"]

[profiles.legacy]
kind = "classic"
cluster = "EU-1"
client_id = "legacy-id"
client_secret = { env = "LEGACY_SECRET" }
before = "20m"
param_style = "query"
[profiles.legacy.login]
username = "api@example.net"
password = { command = ["/usr/local/bin/fetch-password", "central"] }
customer_id = "0123"

[[access]]
profiles = ["campus", "msp/*"]
users = ["netops", 1234]
groups = ["automation", "77"]

[[access]]
profiles = ["legacy"]
groups = ["automation"]
units = ["aruba-exporter.service", "exporter@.service", "automation.slice"]
admin = true
"#;

/// A machine on which [`EVERYTHING`] is right.
fn whole_machine() -> Machine {
    let machine = Machine::new();
    machine.file("state.key", &"0a".repeat(32), 0o600);
    machine.file("authority.pem", include_str!("authority.pem"), 0o644);
    machine
}

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
