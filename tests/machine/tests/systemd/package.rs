//! The life of the package on a machine.

use harness::Ran;

use crate::checks::Checks;
use crate::packages::packages;
use crate::scene::Scene;

fn exists(scene: &Scene, path: &str) -> bool {
    scene.machine.run(&["test", "-e", path]).status == 0
}

/// Installed it does nothing until it is enabled; removed it leaves what is the administrator's; purged it leaves
/// nothing of its own.
pub(crate) fn from_installation_to_purge(scene: &mut Scene, checks: &mut Checks) {
    let machine = &scene.machine;
    checks.equal(
        "dpkg has it",
        machine.says(&["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", "tokend"]).trim(),
        "ii",
    );
    let state = |unit| machine.run(&["systemctl", "is-enabled", unit]).stdout.trim().to_owned();
    checks.equal(
        "nothing is enabled",
        [state("tokend.service"), state("tokend.socket")].join(" ").as_str(),
        "disabled disabled",
    );
    checks.equal("nothing runs", scene.property("tokend.socket", "ActiveState").as_str(), "inactive");
    let id = machine.says(&["id", "--name", "--groups", "tokend"]);
    checks.equal("the daemon's user is in one group", id.as_str(), "tokend");
    checks.ends("the peers' group is there", &machine.run(&["getent", "group", "tokend-users"]), 0);
    for (path, mode) in [
        ("/etc/tokend", "root:tokend 750"),
        ("/etc/tokend/tokend.toml", "root:tokend 640"),
        ("/usr/sbin/tokend", "root:root 755"),
        ("/usr/bin/tokenctl", "root:root 755"),
    ] {
        checks.equal(path, machine.says(&["stat", "--format=%U:%G %a", path]).as_str(), mode);
    }

    let ran = machine.run(&["systemctl", "enable", "--now", "tokend.service"]);
    checks.ends("systemctl enable --now tokend.service is all that is left to do", &ran, 0);
    let ran = scene.run_as("netops", &["tokenctl", "get", "campus", "--wait", "60s"]);
    checks.ends("a peer is served", &ran, 0);

    checks.ends("dpkg --remove", &dpkg(scene, "--remove", "tokend"), 0);
    checks.equal("nothing runs any more", scene.machine.run(&["pgrep", "--exact", "tokend"]).stdout.as_str(), "");
    checks.equal("the socket is gone", exists(scene, "/run/tokend/tokend.sock"), false);
    checks.equal(
        "configuration and state stay",
        exists(scene, "/etc/tokend/tokend.toml") && exists(scene, "/var/lib/tokend"),
        true,
    );
    let ran = scene.machine.run(&["systemctl", "list-units", "--failed", "--no-legend"]);
    checks.equal("no unit is left failed", ran.stdout.as_str(), "");

    scene.install(&packages().unwrap().this);
    let ran = scene.machine.run(&["systemctl", "enable", "--now", "tokend.service"]);
    checks.ends("installed and enabled again", &ran, 0);
    checks.ends("it serves with the configuration that stayed", &scene.ctl(&["get", "campus", "--wait", "60s"]), 0);

    checks.ends("dpkg --purge", &dpkg(scene, "--purge", "tokend"), 0);
    for path in ["/var/lib/tokend", "/etc/tokend/tokend.toml", "/usr/sbin/tokend", "/lib/systemd/system/tokend.service"]
    {
        checks.equal(&format!("{path} is gone"), exists(scene, path), false);
    }
    let links = scene.machine.shell("find /etc/systemd -name 'tokend*' -not -path '*/tokend*.d/*'").stdout;
    checks.equal("no link to a unit is left", links.as_str(), "");
    checks.equal("a secret of the administrator's is not", exists(scene, "/etc/tokend/campus.secret"), true);
}

/// From one version to the next, with peers reading.
pub(crate) fn an_upgrade_under_load(scene: &mut Scene, checks: &mut Checks) {
    let (token, requests) = crate::restarts::started(scene);
    let pid = scene.main_pid();
    let socket = || scene.machine.says(&["stat", "--format=%i", "/run/tokend/tokend.sock"]);
    let version = || scene.machine.says(&["dpkg-query", "--show", "--showformat=${Version}", "tokend"]);
    let (before, old) = (socket(), version());
    let load = crate::restarts::load(scene);
    scene.install(&packages().unwrap().next);
    checks.check("the next version is installed", version() != old, format!("{old}, {}", version()));
    let new = scene.another_than(&pid);
    checks.check("by another process", new != pid, format!("{pid}, {new}"));
    checks.equal("behind the same socket", socket(), before);
    checks.equal("the token is the same", scene.token("campus") == token, true);
    checks.equal("the provider was asked for nothing", scene.requests(), requests);
    crate::restarts::ends_well(checks, load);
}

fn dpkg(scene: &Scene, action: &str, what: &str) -> Ran {
    scene.machine.run(&["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", action, what])
}
