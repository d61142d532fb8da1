//! A machine with tokend installed, a provider on its loopback, and people.

use std::fmt::Display;
use std::path::Path;
use std::process::Child;

use harness::{Ran, until};
use machine::Machine;
use sandbox::Population;
use serde_json::Value;

use crate::packages::packages;

/// What ids, secrets and tokens follow from. Each provider is its machine's own.
const SEED: u64 = 4001;
/// Where the provider listens inside.
const PORT: u16 = 8080;
/// The users of a test. netops may open the socket, guest may not.
const PEOPLE: &str = "u netops 2001 \"an operator\" /home/netops\nu exporter 2002 \"a program\"\nu guest 2003 \"nobody in particular\"\n\
                      g automation 2100\n\
                      m netops tokend-users\nm exporter tokend-users\n";

pub(crate) struct Scene {
    pub(crate) machine: Machine,
    pub(crate) population: Population,
}

impl Scene {
    /// tokend is installed and configured, and neither enabled nor started.
    pub(crate) fn new() -> Self {
        let machine = Machine::boot().unwrap_or_else(|why| panic!("the machine does not come up: {why}"));
        let scene = Self { machine, population: Population::settle(SEED).1 };
        scene.install(&packages().unwrap().this);
        scene.machine.put("/etc/sysusers.d/people.conf", PEOPLE, 0o644);
        scene.machine.does(&["systemd-sysusers", "people.conf"]);
        scene.configure("", &[scene.central("campus")]);
        scene.provider("");
        scene
    }

    /// Installs a package of the host's.
    pub(crate) fn install(&self, package: &Path) {
        self.machine.put_file(package, "/root/tokend.deb", 0o644);
        self.machine.does(&["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--install", "/root/tokend.deb"]);
    }

    /// A `central` profile whose secret is in a file.
    pub(crate) fn central(&self, name: &str) -> String {
        self.secret(name, &self.population.central.client_secret);
        self.central_with(name, &format!("{{ file = \"/etc/tokend/{name}.secret\" }}"))
    }

    /// A `central` profile with this secret.
    pub(crate) fn central_with(&self, name: &str, secret: &str) -> String {
        format!(
            "[profiles.{name}]\nkind = \"central\"\nclient_id = \"{}\"\nclient_secret = {secret}\nallow_plain_http = \
             true\ntoken_endpoint = \"http://127.0.0.1:{PORT}/as/token.oauth2\"\n",
            self.population.central.client_id
        )
    }

    /// A `classic` profile that takes an import.
    pub(crate) fn classic(&self, name: &str) -> String {
        self.secret(name, &self.population.classic.client_secret);
        format!(
            "[profiles.{name}]\nkind = \"classic\"\nclient_id = \"{}\"\nclient_secret = {{ file = \
             \"/etc/tokend/{name}.secret\" }}\nallow_plain_http = true\nbase_url = \"http://127.0.0.1:{PORT}\"\n",
            self.population.classic.client_id
        )
    }

    /// A secret's file as the documentation has it: root's, readable by the daemon's group.
    fn secret(&self, name: &str, text: &str) {
        let path = format!("/etc/tokend/{name}.secret");
        self.machine.put(&path, text, 0o640);
        self.machine.does(&["chgrp", "tokend", &path]);
    }

    /// Writes the configuration, whole.
    pub(crate) fn configure(&self, more: &str, profiles: &[String]) {
        let text = format!("{more}\n{}", profiles.join("\n"));
        self.machine.put("/etc/tokend/tokend.toml", text, 0o640);
        self.machine.does(&["chgrp", "tokend", "/etc/tokend/tokend.toml"]);
    }

    /// Adds lines to a unit, as an administrator would.
    pub(crate) fn drop_in(&self, unit: &str, name: &str, text: &str) {
        self.machine.put(&format!("/etc/systemd/system/{unit}.d/{name}.conf"), text, 0o644);
        self.machine.does(&["systemctl", "daemon-reload"]);
    }

    /// Starts the provider as a service that comes up at boot too, or starts it again with other options.
    pub(crate) fn provider(&self, options: &str) {
        let sandbox = env!("CARGO_BIN_EXE_machine-sandbox");
        let unit = format!(
            "[Service]\nExecStart={sandbox} --listen 127.0.0.1:{PORT} --seed {SEED} {options}\nStandardOutput=null\n\
             [Install]\nWantedBy=multi-user.target\n"
        );
        self.machine.put("/etc/systemd/system/provider.service", unit, 0o644);
        self.machine.does(&["systemctl", "daemon-reload"]);
        self.machine.does(&["systemctl", "enable", "provider.service"]);
        self.machine.does(&["systemctl", "restart", "provider.service"]);
        until("the provider answers", || self.provider_is_up().then_some(()));
    }

    pub(crate) fn provider_is_up(&self) -> bool {
        self.machine.connect(PORT).is_ok()
    }

    /// `GET` or `POST` of the provider's interface for operators.
    pub(crate) fn operator(&self, method: &str, what: &str, body: &str) -> Value {
        self.machine.ask_sandbox(PORT, method, what, body)
    }

    /// How many requests of any kind the provider has seen.
    pub(crate) fn requests(&self) -> u64 {
        self.operator("GET", "log?after=999999999", "")["seen"].as_u64().unwrap()
    }

    /// What is left to do after the installation.
    pub(crate) fn enable(&self) {
        self.machine.does(&["systemctl", "enable", "--now", "tokend.service"]);
    }

    /// `systemctl VERB tokend.service`.
    pub(crate) fn systemctl(&self, verb: &str) -> Ran {
        self.machine.run(&["systemctl", verb, "tokend.service"])
    }

    /// A property of a unit.
    pub(crate) fn property(&self, unit: &str, name: &str) -> String {
        self.machine.says(&["systemctl", "show", "--value", "--property", name, unit])
    }

    /// The daemon's process.
    pub(crate) fn main_pid(&self) -> String {
        self.property("tokend.service", "MainPID")
    }

    /// Waits for a daemon that is ready and is not this process.
    pub(crate) fn another_than(&self, pid: &str) -> String {
        until("another tokend is ready", || {
            let new = self.main_pid();
            let active = self.property("tokend.service", "ActiveState") == "active";
            (active && new != "0" && new != pid).then_some(new)
        })
    }

    /// Waits until this process has put this token into the memory that the service manager keeps for the next one.
    pub(crate) fn is_stored(&self, pid: &str, token: &str) {
        let script = "for fd in /proc/$0/fd/*; do \
                      [[ $(readlink $fd) == /memfd:* ]] && grep --quiet --text --fixed-strings -- \"$1\" $fd && exit; \
                      done; exit 1";
        until("the token is where a restart finds it", || {
            (self.machine.run(&["bash", "-c", script, pid, token]).status == 0).then_some(())
        });
    }

    /// `tokenctl` as root.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> Ran {
        self.machine.run(&[&["tokenctl"], arguments].concat())
    }

    /// A command as somebody else, in a process of no unit.
    pub(crate) fn run_as(&self, user: &str, command: &[&str]) -> Ran {
        self.machine.run(&[&as_user(user)[..], command].concat())
    }

    /// The token that a name has now.
    pub(crate) fn token(&self, name: &str) -> String {
        let ran = self.ctl(&["get", name, "--wait", "60s"]);
        assert_eq!(ran.status, 0, "tokenctl get {name}: {}", ran.stderr);
        ran.stdout.trim_end().to_owned()
    }

    /// A peer that reads these names in a loop: see the program `reader`.
    pub(crate) fn reader(&self, how: &str, names: &[&str]) -> Reader {
        let command = [&as_user("netops")[..], &[env!("CARGO_BIN_EXE_reader"), how], names].concat();
        Reader(self.machine.spawn(&command))
    }

    /// The end of the journal.
    pub(crate) fn journal(&self) -> String {
        self.machine.run(&["journalctl", "--no-pager", "--lines=120", "--output=short-monotonic"]).stdout
    }

    /// What tokend's units and systemd about them have said since the boot.
    pub(crate) fn log(&self) -> String {
        self.machine.says(&["journalctl", "--no-pager", "--boot", "--unit=tokend.service", "--unit=tokend.socket"])
    }
}

fn as_user(user: &str) -> [&str; 7] {
    ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"]
}

/// A running reader.
pub(crate) struct Reader(Child);

/// What a reader came to.
pub(crate) struct Tally {
    pub(crate) reads: u64,
    /// Different ones.
    pub(crate) tokens: u64,
    pub(crate) complaints: Vec<String>,
}

impl Reader {
    /// Ends it.
    pub(crate) fn stop(mut self) -> Tally {
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let report: Value = serde_json::from_str(&said)
            .unwrap_or_else(|_| panic!("{}: {said}{}", output.status, String::from_utf8_lossy(&output.stderr)));
        let complaints = report["complaints"].as_array().unwrap().iter().map(ToString::to_string).collect();
        Tally { reads: report["reads"].as_u64().unwrap(), tokens: report["tokens"].as_u64().unwrap(), complaints }
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} reads, {} tokens, {} errors", self.reads, self.tokens, self.complaints.len())?;
        if self.complaints.is_empty() { Ok(()) } else { write!(f, ": {:?}", self.complaints) }
    }
}
