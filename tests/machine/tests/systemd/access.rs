//! Who may read what: users, groups and units, asked for by other users' processes and services.

use harness::Ran;
use serde_json::Value;

use crate::checks::Checks;
use crate::scene::Scene;

const RULES: &str = r#"
[audit]
reads = true
[[access]]
profiles = ["campus"]
users = ["netops"]
[[access]]
profiles = ["office"]
groups = ["automation"]
[[access]]
profiles = ["lab"]
units = ["aruba-exporter.service"]
[[access]]
profiles = ["depot"]
units = ["report@.service"]
[[access]]
profiles = ["plant"]
units = ["automation.slice"]
"#;

fn start(scene: &Scene) {
    let profiles = ["campus", "office", "lab", "depot", "plant"].map(|name| scene.central(name));
    scene.configure(RULES, &profiles);
    scene.enable();
    for name in ["campus", "office", "lab", "depot", "plant"] {
        let _ = scene.token(name);
    }
}

/// A command as the main process of a transient service of the user `exporter`.
fn in_service(scene: &Scene, unit: &str, more: &[&str], command: &[&str]) -> Ran {
    let unit = format!("--unit={unit}");
    let run = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--property=User=exporter", &unit];
    scene.machine.run(&[&run, more, &["--"], command].concat())
}

/// A command as `exporter` in a cgroup of its own making, below that of the service which it was given.
fn nested(scene: &Scene, unit: &str, below: &str, command: &str) -> Ran {
    let script = format!(
        "c=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/{below}; mkdir -p \"$c\"; echo $$ > \"$c/cgroup.procs\"; \
         exec setpriv --reuid exporter --regid exporter --init-groups -- {command}"
    );
    let unit = format!("--unit={unit}");
    let run = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--property=Delegate=yes", &unit];
    scene.machine.run(&[&run[..], &["--", "bash", "-c", &script]].concat())
}

/// Users and groups, primary and supplementary.
pub(crate) fn by_user_and_group(scene: &mut Scene, checks: &mut Checks) {
    start(scene);
    checks.ends("the user of a rule reads its name", &scene.run_as("netops", &["tokenctl", "get", "campus"]), 0);
    for name in ["office", "lab", "no-such-name"] {
        checks.ends(&format!("and not {name}"), &scene.run_as("netops", &["tokenctl", "get", name]), 4);
    }
    checks.ends("another user does not", &scene.run_as("exporter", &["tokenctl", "get", "campus"]), 4);
    let as_member = |groups: &str, name: &str| {
        let groups = format!("--groups={groups}");
        let who = ["setpriv", "--reuid=guest", "--regid=guest", &groups, "--", "tokenctl", "get", name];
        scene.machine.run(&who)
    };
    checks.ends("a member of a rule's group reads its name", &as_member("tokend-users,automation", "office"), 0);
    checks.ends("who is only of the socket's group does not", &as_member("tokend-users", "office"), 4);
    checks.ends("who is only of the rule's group cannot open the socket", &as_member("automation", "office"), 4);
    checks.ends("only root and tokend reload", &scene.run_as("netops", &["tokenctl", "reload"]), 4);
    checks.ends("tokend does", &scene.run_as("tokend", &["tokenctl", "reload"]), 0);
    scene.machine.does(&["journalctl", "--sync"]);
    let records = scene.machine.says(&["journalctl", "--output=json", "TARGET=audit", "F_NAME=lab"]);
    checks.holds("a refusal is in the journal with who it was", &records, &["\"F_UID\":\"2001\""]);
}

/// The unit that the system's manager runs a peer in.
pub(crate) fn by_unit(scene: &mut Scene, checks: &mut Checks) {
    start(scene);
    let get = |name: &'static str| ["tokenctl", "get", name];
    let whoami = ["tokenctl", "whoami", "--output", "json"];
    let ran = in_service(scene, "aruba-exporter.service", &[], &get("lab"));
    checks.ends("the service of a rule reads its name", &ran, 0);
    let ran = in_service(scene, "aruba-exporter.service", &[], &get("campus"));
    checks.ends("and no other", &ran, 4);
    let seen: Value = serde_json::from_str(&in_service(scene, "aruba-exporter.service", &[], &whoami).stdout).unwrap();
    checks.equal("whoami tells its unit", seen["unit"].as_str(), Some("aruba-exporter.service"));
    checks.equal("and which names it may have", names(&seen), vec!["lab"]);
    is_recorded(scene, checks);
    checks.ends("the same program of the same user outside does not", &scene.run_as("exporter", &get("lab")), 4);
    checks.ends("nor in another service", &in_service(scene, "other.service", &[], &get("lab")), 4);
    let ran = in_service(scene, "aruba-exporter.service", &["--slice=automation.slice"], &get("lab"));
    checks.ends("in whatever slice it is", &ran, 0);

    checks.ends("an instance of a template", &in_service(scene, "report@daily.service", &[], &get("depot")), 0);
    checks.ends("not a service of a like name", &in_service(scene, "report.service", &[], &get("depot")), 4);
    checks.ends("a slice", &in_service(scene, "any.service", &["--slice=automation.slice"], &get("plant")), 0);
    let ran = in_service(scene, "any.service", &["--slice=automation-night.slice"], &get("plant"));
    checks.ends("a slice in that slice", &ran, 0);
    checks.ends("not a service beside it", &in_service(scene, "any.service", &[], &get("plant")), 4);
}

/// What `whoami` says may be read.
fn names(seen: &Value) -> Vec<&str> {
    seen["names"].as_array().unwrap().iter().map(|name| name["name"].as_str().unwrap()).collect()
}

/// What the service was given and refused stands in the journal, with its unit.
fn is_recorded(scene: &Scene, checks: &mut Checks) {
    let token = scene.token("lab");
    scene.machine.does(&["journalctl", "--sync"]);
    let of = |outcome: &str| {
        let outcome = format!("F_OUTCOME={outcome}");
        let unit = "F_UNIT=aruba-exporter.service";
        scene.machine.says(&["journalctl", "--output=json", "TARGET=audit", unit, &outcome])
    };
    let ran = scene.ctl(&["get", "lab", "--output", "json"]);
    let lab: Value = serde_json::from_str(&ran.stdout).unwrap();
    let fingerprint = format!("\"F_FINGERPRINT\":{}", lab["fingerprint"]);
    let given = ["\"F_UID\":\"2002\"", "\"F_REQUEST\":\"get\"", "\"F_NAME\":\"lab\"", &fingerprint];
    checks.holds("what it was given is in the journal, with its unit", &of("served"), &given);
    checks.equal("by its fingerprint and not as it is", of("served").contains(&token), false);
    checks.holds("what it was refused too", &of("refused"), &["\"F_NAME\":\"campus\"", "\"F_UID\":\"2002\""]);
}

/// What a delegated cgroup calls itself does not count.
pub(crate) fn impostors(scene: &mut Scene, checks: &mut Checks) {
    start(scene);
    let get = "tokenctl get lab";
    checks.ends(
        "the service itself reads",
        &in_service(scene, "aruba-exporter.service", &[], &["tokenctl", "get", "lab"]),
        0,
    );
    let posing = [
        ("session.service", "app.slice/aruba-exporter.service"),
        ("container.service", "aruba-exporter.service"),
        ("container.service", "system.slice/aruba-exporter.service"),
        ("container.service", "init.scope/../aruba-exporter.service"),
    ];
    for (unit, below) in posing {
        checks.ends(&format!("{unit}/{below} does not"), &nested(scene, unit, below, get), 4);
    }
    crate::user::manager(scene);
    let run = ["systemd-run", "--user", "--quiet", "--wait", "--pipe", "--collect", "--unit=aruba-exporter.service"];
    let ran = crate::user::session(scene, &[&run[..], &["tokenctl", "get", "lab"]].concat());
    checks.ends("aruba-exporter.service of a user's own manager does not", &ran, 4);
    let seen = nested(scene, "container.service", "aruba-exporter.service", "tokenctl whoami --output json");
    let seen: Value = serde_json::from_str(&seen.stdout).unwrap();
    checks.equal("whoami tells the unit that was delegated", seen["unit"].as_str(), Some("container.service"));
    let ran = nested(scene, "aruba-exporter.service", "worker", get);
    checks.ends("a part of the service itself reads", &ran, 0);
    let ran = nested(scene, "container.service", "automation.slice", "tokenctl get plant");
    checks.ends("a slice that is delegated is not the system's", &ran, 4);
}
