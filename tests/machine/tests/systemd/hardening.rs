//! The unit's promises, probed by a program that runs in the daemon's place.

use std::collections::BTreeMap;

use crate::checks::Checks;
use crate::scene::Scene;

/// What tokend needs, and has.
const NEEDED: [&str; 7] = [
    "write-its-own-folder",
    "socket-unix",
    "socket-inet",
    "socket-inet6",
    "listen-on-loopback",
    "see-other-processes-cgroups",
    "see-the-boot-id",
];
/// What only an ordinary user is kept from: root is root already.
const OF_A_USER: &str = "set-user-id-program";

/// Lines of the unit that say how the daemon runs, not what it may do.
const OF_THE_DAEMON: [&str; 10] = [
    "Type=",
    "NotifyAccess=",
    "Exec",
    "Restart",
    "WatchdogSec=",
    "Timeout",
    "KillMode=",
    "FileDescriptor",
    "StateDirectory=",
    "User=",
];

const PROBE: &str = "/usr/local/libexec/probe";

/// What the probe said of each thing: allowed, or why not.
type Findings = BTreeMap<String, Result<(), String>>;

/// Every promise is probed in the unit's own [Service] section, once as its user and once as root, so that it is the
/// unit that forbids and not only the user's rights; and without these lines, where the same thing has to succeed.
pub(crate) fn every_promise(scene: &mut Scene, checks: &mut Checks) {
    let machine = &scene.machine;
    machine.does(&["install", env!("CARGO_BIN_EXE_probe"), PROBE]);
    machine.does(&["install", "--mode=4755", "/usr/bin/id", "/usr/local/libexec/set-user-id"]);
    machine.does(&["touch", "/home/marker", "/root/marker", "/tmp/marker", "/var/tmp/marker", "/dev/marker"]);
    machine.does(&["mkdir", "--parents", "/run/tokend"]);

    let text = machine.says(&["cat", &scene.property("tokend.service", "FragmentPath")]);
    let (_, section) = text.split_once("[Service]\n").unwrap();
    let (section, _) = section.split_once("[Install]").unwrap();
    let kept = |line: &&str| !OF_THE_DAEMON.iter().any(|key| line.starts_with(key));
    let shipped: String = section.lines().filter(kept).map(|line| format!("{line}\n")).collect();

    let bare = probe(scene, "bare", "");
    let hardened = probe(scene, "hardened", &format!("User=tokend\n{shipped}"));
    let as_root = probe(scene, "hardened-root", &shipped);
    let user = probe(scene, "user", "User=tokend\n");
    checks.check("the probe tried as much each time", hardened.len() == bare.len(), format!("{} things", bare.len()));

    for (name, found) in &hardened {
        if NEEDED.contains(&name.as_str()) {
            checks.check(&format!("{name} is allowed: tokend needs it"), found.is_ok(), format!("{found:?}"));
            continue;
        }
        let control = if name == OF_A_USER { &user[name] } else { &bare[name] };
        let root = if name == OF_A_USER { found } else { &as_root[name] };
        let seen = match (found, root, control) {
            (Err(why), Err(as_root), Ok(())) if why == as_root => why.clone(),
            (Err(why), Err(as_root), Ok(())) => format!("{why}; as root: {as_root}"),
            (found, root, control) => format!("{found:?}, as root {root:?}, without the unit's lines {control:?}"),
        };
        let good = found.is_err() && root.is_err() && control.is_ok();
        checks.check(&format!("{name} is denied, as root too, and allowed elsewhere"), good, seen);
    }
}

fn probe(scene: &Scene, name: &str, lines: &str) -> Findings {
    let (unit, out) = (format!("probe-{name}.service"), format!("/var/log/probe-{name}"));
    let text = format!(
        "[Service]\nType=oneshot\n{lines}\nStateDirectory=probe-{name}\nExecStart={PROBE} /var/lib/probe-{name}\n\
         StandardOutput=truncate:{out}\n"
    );
    scene.machine.put(&format!("/etc/systemd/system/{unit}"), text, 0o644);
    scene.machine.does(&["systemctl", "daemon-reload"]);
    scene.machine.does(&["systemctl", "start", &unit]);
    let said = scene.machine.says(&["cat", &out]);
    let found = said.lines().map(|line| match line.split_once(' ').unwrap() {
        (name, "allowed") => (name.to_owned(), Ok(())),
        (name, denied) => (name.to_owned(), Err(denied.strip_prefix("denied ").unwrap().to_owned())),
    });
    found.collect()
}

/// Neither systemd's verifier nor its rating has anything to object.
pub(crate) fn verified_and_rated(scene: &mut Scene, checks: &mut Checks) {
    let machine = &scene.machine;
    for unit in ["tokend.service", "tokend.socket"] {
        let ran = machine.run(&["systemd-analyze", "verify", "--man=no", unit]);
        checks.check(
            &format!("systemd-analyze verify {unit} is silent"),
            ran.status == 0 && ran.stderr.is_empty(),
            format!("status {}, {:?}", ran.status, ran.stderr),
        );
        let ran = machine.run(&[
            "env",
            "XDG_RUNTIME_DIR=/run",
            "systemd-analyze",
            "--user",
            "verify",
            "--man=no",
            &format!("/usr/lib/systemd/user/{unit}"),
        ]);
        checks.check(
            &format!("and of the user's {unit}"),
            ran.status == 0 && ran.stderr.is_empty(),
            format!("status {}, {:?}", ran.status, ran.stderr),
        );
    }
    let rate = |limit: &str| {
        machine.run(&["systemd-analyze", "security", "--no-pager", "--offline=true", limit, "tokend.service"])
    };
    // Ten times the score.
    let ran = rate("--threshold=14");
    let said = ran.stdout.lines().last().unwrap_or_default().to_owned();
    checks.check("systemd-analyze security is at most 1.4", ran.status == 0, said);
    checks.check("which it would deny of less", rate("--threshold=1").status != 0, "threshold 0.1");
}
