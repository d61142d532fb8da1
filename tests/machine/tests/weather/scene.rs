//! A machine with the units of this checkout and the programs of this build, a provider on its loopback, and two names:
//! `campus`, whose tokens live for seconds, and `legacy`, a Classic chain.

use std::path::Path;

use harness::{Binaries, Ran, until};
use machine::Machine;
use sandbox::Population;
use serde_json::{Value, json};

const SEED: u64 = 4002;
/// Where the provider listens inside.
const PORT: u16 = 8080;
/// Seconds a token of `campus` lives: a daemon that renews nothing is found out within a scenario.
const LIFE: u64 = 16;
/// Seconds one of `legacy` lives; it is rotated after two thirds of them.
const CLASSIC_LIFE: u64 = 30;
/// Seconds. tokend gives a sign of life twice in that time.
const WATCHDOG: u64 = 8;
/// Where secrets lie, apart from the configuration.
pub(crate) const SECRETS: &str = "/srv/secrets";

pub(crate) struct Scene {
    pub(crate) machine: Machine,
    population: Population,
}

impl Scene {
    /// tokend is installed, and neither configured nor started.
    pub(crate) fn new() -> Self {
        let machine = Machine::boot().unwrap_or_else(|why| panic!("the machine does not come up: {why}"));
        let scene = Self { machine, population: Population::settle(SEED).1 };
        scene.install();
        scene.provider();
        scene
    }

    /// What the package would do, without a package.
    fn install(&self) {
        let Binaries { tokend, tokenctl } = Binaries::built();
        let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systemd");
        let machine = &self.machine;
        machine.put_file(tokend, "/usr/sbin/tokend", 0o755);
        machine.put_file(tokenctl, "/usr/bin/tokenctl", 0o755);
        for unit in ["tokend.service", "tokend.socket"] {
            machine.put_file(&units.join(unit), &format!("/usr/lib/systemd/system/{unit}"), 0o644);
        }
        machine.put_file(&units.join("tokend.sysusers"), "/usr/lib/sysusers.d/tokend.conf", 0o644);
        machine.put_file(&units.join("tokend.tmpfiles"), "/usr/lib/tmpfiles.d/tokend.conf", 0o644);
        machine.put("/usr/lib/sysusers.d/people.conf", "u netops 2001\nm netops tokend-users\n", 0o644);
        machine.does(&["systemd-sysusers", "tokend.conf", "people.conf"]);
        machine.does(&["systemd-tmpfiles", "--create", "tokend.conf"]);
        machine.does(&["install", "--directory", "--group=tokend", "--mode=0750", SECRETS]);
        let watched = format!("[Service]\nWatchdogSec={WATCHDOG}\nEnvironment=TOKEND_LOG=debug\n");
        self.drop_in("watched", &watched);
    }

    fn provider(&self) {
        let sandbox = env!("CARGO_BIN_EXE_machine-sandbox");
        let unit = format!(
            "[Service]\nExecStart={sandbox} --listen 127.0.0.1:{PORT} --seed {SEED} --central-life \
             {LIFE} --classic-life {CLASSIC_LIFE}\nStandardOutput=null\nStandardError=null\n"
        );
        self.machine.put("/etc/systemd/system/provider.service", unit, 0o644);
        self.machine.does(&["systemctl", "daemon-reload"]);
        self.machine.does(&["systemctl", "start", "provider.service"]);
        until("the provider answers", || self.machine.connect(PORT).ok());
    }

    /// Adds lines to tokend's unit, as an administrator would.
    pub(crate) fn drop_in(&self, name: &str, text: &str) {
        self.machine.put(&format!("/etc/systemd/system/tokend.service.d/{name}.conf"), text, 0o644);
        self.machine.does(&["systemctl", "daemon-reload"]);
    }

    /// Writes a file that tokend may read and nobody else.
    pub(crate) fn private(&self, path: &str, text: &str) {
        self.machine.put(path, text, 0o640);
        self.machine.does(&["chgrp", "tokend", path]);
    }

    /// A `central` profile of the provider's with this source of its secret.
    pub(crate) fn central(&self, name: &str, secret: &str) -> String {
        let client = &self.population.central.client_id;
        format!(
            "[profiles.{name}]\nkind = \"central\"\nclient_id = \"{client}\"\nclient_secret = {secret}\nallow_plain_http = \
             true\ntoken_endpoint = \"http://127.0.0.1:{PORT}/as/token.oauth2\"\n"
        )
    }

    /// Its secret's text.
    pub(crate) fn central_secret(&self) -> &str {
        &self.population.central.client_secret
    }

    /// Writes the configuration: the two names of the scene and more.
    pub(crate) fn configure(&self, more: &str) {
        let (campus, legacy) = (format!("{SECRETS}/campus"), format!("{SECRETS}/legacy"));
        let classic = &self.population.classic;
        self.private(&campus, &self.population.central.client_secret);
        self.private(&legacy, &classic.client_secret);
        let campus = self.central("campus", &format!("{{ file = \"{campus}\" }}"));
        let legacy = format!(
            "[profiles.legacy]\nkind = \"classic\"\nclient_id = \"{}\"\nclient_secret = {{ file = \"{legacy}\" \
             }}\nallow_plain_http = true\nbase_url = \"http://127.0.0.1:{PORT}\"\n",
            classic.client_id
        );
        self.private("/etc/tokend/tokend.toml", &format!("[audit]\nreads = true\n{campus}{legacy}{more}"));
    }

    /// Starts tokend and gives its chain a beginning.
    pub(crate) fn start(&self) {
        self.machine.does(&["systemctl", "start", "tokend.service"]);
        let client = json!({ "client_id": self.population.classic.client_id }).to_string();
        let download = self.operator("POST", "download-token", &client).to_string();
        let ran = self.machine.run_with(&["tokenctl", "import", "legacy", "-"], download.as_bytes());
        assert_eq!(ran.status, 0, "tokenctl import: {}", ran.stderr);
        let ran = self.ctl(&["get", "campus", "--wait", "60s"]);
        assert_eq!(ran.status, 0, "tokenctl get campus: {}", ran.stderr);
    }

    /// The next refresh of a chain is carried out at once, and its answer comes so much later.
    pub(crate) fn hold_back_an_answer(&self, millis: u128) {
        let rule = json!({ "fault": { "delay": millis }, "endpoints": ["classic-refresh"] });
        self.operator("POST", "faults", &rule.to_string());
    }

    /// Refreshes of chains that the provider has granted.
    pub(crate) fn rotations(&self) -> usize {
        let log = self.operator("GET", "log", "");
        let granted = |entry: &&Value| entry["endpoint"] == "classic-refresh" && entry["status"] == 200;
        log["entries"].as_array().unwrap().iter().filter(granted).count()
    }

    /// How many requests of any kind the provider has seen.
    pub(crate) fn requests(&self) -> u64 {
        self.operator("GET", "log?after=999999999", "")["seen"].as_u64().unwrap()
    }

    /// `GET` or `POST` of the provider's interface for operators.
    fn operator(&self, method: &str, what: &str, body: &str) -> Value {
        self.machine.ask_sandbox(PORT, method, what, body)
    }

    /// `systemctl VERB tokend.service`, for a minute and a half at most: status 124 after that.
    pub(crate) fn systemctl(&self, verb: &str) -> Ran {
        self.machine.run(&["timeout", "90", "systemctl", verb, "tokend.service"])
    }

    /// A property of tokend's unit.
    pub(crate) fn property(&self, name: &str) -> String {
        self.machine.says(&["systemctl", "show", "--value", "--property", name, "tokend.service"])
    }

    /// `tokenctl` as root, for 30 s at most: status 124 after that.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> Ran {
        self.machine.run(&[&["timeout", "30", "tokenctl"], arguments].concat())
    }

    /// The end of the journal.
    pub(crate) fn journal(&self) -> String {
        self.machine.run(&["journalctl", "--no-pager", "--lines=60", "--output=short-monotonic"]).stdout
    }
}
