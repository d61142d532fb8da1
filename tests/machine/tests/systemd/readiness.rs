//! READY, STATUS and the like.

use harness::until;

use crate::checks::Checks;
use crate::scene::Scene;

fn status(scene: &Scene) -> String {
    scene.property("tokend.service", "StatusText")
}

/// The service is ready when the socket is served, whatever the provider does, and says how its names are.
pub(crate) fn ready_and_status(scene: &mut Scene, checks: &mut Checks) {
    scene.machine.does(&["systemctl", "stop", "provider.service"]);
    scene.configure("", &[scene.central("campus"), scene.central("office")]);
    let ran = scene.machine.run(&["systemctl", "enable", "--now", "tokend.service"]);
    checks.ends("it is ready without its provider", &ran, 0);
    checks.ends("and served at once", &scene.ctl(&["ping"]), 0);
    let said = until("a status with trouble", || Some(status(scene)).filter(|text| text.contains("trouble")));
    checks.check("the status tells of the trouble", true, format!("{said:?}"));
    scene.machine.does(&["systemctl", "start", "provider.service"]);
    let said = until("a status without", || {
        Some(status(scene)).filter(|text| text.contains("2") && !text.is_empty() && !text.contains("trouble"))
    });
    checks.check("and of its end", true, format!("{said:?}"));
    let shown = scene.machine.run(&["systemctl", "status", "--no-pager", "--lines=0", "tokend.service"]);
    checks.holds("systemctl status shows it", &shown.stdout, &["active (running)", &format!("Status: {said:?}")]);
}

/// A daemon that cannot serve is never ready.
pub(crate) fn never_ready(scene: &mut Scene, checks: &mut Checks) {
    // What only a start finds: the state folder is another process's.
    scene.machine.does(&["install", "--directory", "--owner=tokend", "--mode=0700", "/var/lib/tokend"]);
    let mut other = scene.machine.spawn(&["flock", "/var/lib/tokend/lock", "sleep", "infinity"]);
    until("the folder is taken", || {
        (scene.machine.run(&["flock", "--nonblock", "/var/lib/tokend/lock", "true"]).status != 0).then_some(())
    });
    scene.machine.does(&["chown", "tokend:tokend", "/var/lib/tokend/lock"]);
    checks.ends("tokend check finds nothing", &scene.run_as("tokend", &["tokend", "check"]), 0);
    let ran = scene.machine.run(&["systemctl", "start", "tokend.service"]);
    checks.check("a start that fails afterwards is a failure", ran.status != 0, format!("status {}", ran.status));
    checks.holds("with its reason in the journal", &scene.log(), &["tokend: ", "/var/lib/tokend"]);
    let _ = other.kill();
    let _ = other.wait();
    scene.machine.does(&["systemctl", "stop", "tokend.service"]);
    // What never says that it is ready, is not.
    scene.drop_in(
        "tokend.service",
        "silent",
        "[Service]\nExecStart=\nExecStart=/bin/sleep infinity\nTimeoutStartSec=2\n",
    );
    let ran = scene.machine.run(&["systemctl", "start", "tokend.service"]);
    checks.check("a daemon that does not say READY is not ready", ran.status != 0, format!("status {}", ran.status));
    checks.holds("and is ended in time", &scene.log(), &["start operation timed out"]);
    checks.equal("the socket stays", scene.property("tokend.socket", "ActiveState").as_str(), "active");
}

/// What goes to the journal holds no secret, at any level.
pub(crate) fn journal(scene: &mut Scene, checks: &mut Checks) {
    scene.drop_in("tokend.service", "log", "[Service]\nEnvironment=TOKEND_LOG=trace\n");
    scene.configure(
        "[audit]\nreads = true",
        &[scene.central("campus"), scene.central("office"), scene.classic("legacy")],
    );
    scene.enable();
    let client = format!("{{\"client_id\": \"{}\"}}", scene.population.classic.client_id);
    let download = scene.operator("POST", "download-token", &client);
    let first = download["refresh_token"].as_str().unwrap().to_owned();
    let ran = scene.machine.run_with(&["tokenctl", "import", "legacy", "-"], download.to_string().as_bytes());
    checks.ends("tokenctl import", &ran, 0);
    let mut tokens = vec![scene.token("campus"), scene.token("office"), scene.token("legacy")];
    for name in ["campus", "legacy"] {
        checks.ends(&format!("tokenctl refresh {name}"), &scene.ctl(&["refresh", name]), 0);
        tokens.push(scene.token(name));
    }
    scene.operator("POST", "reset", &format!("{{\"client_id\": \"{}\"}}", scene.population.central.client_id));
    let ran =
        scene.machine.run_with(&["tokenctl", "reject", "office", "--token-stdin"], scene.token("office").as_bytes());
    checks.ends("a secret that the provider refuses", &ran, 7);
    scene.machine.does(&["systemctl", "restart", "tokend.service"]);
    let _ = scene.ctl(&["get", "campus", "--wait", "2s"]);

    scene.machine.does(&["journalctl", "--sync"]);
    let journal = scene.machine.says(&["journalctl", "--output=export", "--all"]);
    let fields =
        ["PRIORITY=6", "PRIORITY=4", "SYSLOG_IDENTIFIER=tokend", "TARGET=tokend", "_SYSTEMD_UNIT=tokend.service"];
    checks.holds("journald's own fields are there", &journal, &fields);
    let people = &scene.population;
    let secrets = [&people.central.client_secret, &people.classic.client_secret, &people.password, &first];
    let all: Vec<&String> = secrets.into_iter().chain(&tokens).collect();
    let found = all.iter().filter(|secret| journal.contains(secret.as_str())).count();
    let seen = format!("{found} of {} in {} bytes", all.len(), journal.len());
    checks.check("no secret and no token is in the journal", found == 0, seen);
    let served = journal.matches("F_OUTCOME=served").count();
    checks.check("in which each read is recorded", served > 1, format!("{served} records"));
    let names = journal.matches("campus").count();
    checks.check("which does tell of the names", names > 0, format!("{names} times"));
}
