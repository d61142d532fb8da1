//! tokend in a user's own manager, as on a workstation.

use harness::Ran;

use crate::checks::Checks;
use crate::scene::Scene;

/// What a login would start; without one, for a machine that has no logind.
const MANAGER: &str = "[Service]\nType=notify\nUser=%i\nDelegate=yes\nSlice=user.slice\n\
                       Environment=XDG_RUNTIME_DIR=/run/user/%i\n\
                       ExecStartPre=+install --directory --mode=0700 --owner=%i /run/user/%i\n\
                       ExecStart=/lib/systemd/systemd --user\n";
const UID: &str = "2001";
const RUNTIME: &str = "XDG_RUNTIME_DIR=/run/user/2001";

pub(crate) fn manager(scene: &Scene) {
    scene.machine.put("/etc/systemd/system/user@.service", MANAGER, 0o644);
    scene.machine.does(&["systemctl", "daemon-reload"]);
    scene.machine.does(&["install", "--directory", "--owner=netops", "--mode=0700", "/home/netops"]);
    scene.machine.does(&["systemctl", "start", &format!("user@{UID}.service")]);
}

/// A command in that user's session.
pub(crate) fn session(scene: &Scene, command: &[&str]) -> Ran {
    scene.run_as("netops", &[&["env", "HOME=/home/netops", RUNTIME], command].concat())
}

/// The units of a user: the socket where tokenctl finds it, and the same habits.
pub(crate) fn on_a_workstation(scene: &mut Scene, checks: &mut Checks) {
    manager(scene);
    let secret = "/home/netops/.config/tokend/campus.secret";
    let profile = scene.central_with("campus", &format!("{{ file = \"{secret}\" }}"));
    scene.machine.put(secret, &scene.population.central.client_secret, 0o600);
    scene.machine.put("/home/netops/.config/tokend/tokend.toml", profile, 0o600);
    scene.machine.does(&["chown", "--recursive", "netops:", "/home/netops"]);

    let ran = session(scene, &["systemctl", "--user", "enable", "--now", "tokend.service"]);
    checks.ends("systemctl --user enable --now tokend.service", &ran, 0);
    let mode = scene.machine.says(&["stat", "--format=%U %a", "/run/user/2001/tokend.sock"]);
    checks.equal("the socket is the user's alone", mode.as_str(), "netops 600");
    let get = ["tokenctl", "get", "campus", "--wait", "60s"];
    let first = session(scene, &get);
    checks.ends("tokenctl finds it by itself", &first, 0);
    let state = scene
        .machine
        .shell("stat --format=%a /home/netops/.config/tokend/state /home/netops/.local/state/tokend/state");
    checks.equal("the state folder is the user's alone", state.stdout.as_str(), "700\n");

    let show = |name: &str| {
        let ran = session(scene, &["systemctl", "--user", "show", "--value", "--property", name, "tokend.service"]);
        ran.stdout.trim().to_owned()
    };
    checks.ends("systemctl --user reload", &session(scene, &["systemctl", "--user", "reload", "tokend.service"]), 0);
    let status = show("StatusText");
    checks.check("a status for people", status.contains('1'), format!("{status:?}"));
    let (pid, requests) = (show("MainPID"), scene.requests());
    scene.is_stored(&pid, first.stdout.trim_end());
    scene.machine.does(&["kill", "-KILL", &pid]);
    let again = session(scene, &get);
    checks.ends("after a crash", &again, 0);
    checks.check(
        "the token is the same",
        again.stdout == first.stdout,
        format!("process {}, then {}", pid, show("MainPID")),
    );
    checks.equal("the provider was asked for nothing", scene.requests(), requests);

    let status = scene.machine.says(&["cat", &format!("/proc/{}/status", show("MainPID"))]);
    checks.holds("it cannot gain privileges, and has a filter", &status, &["NoNewPrivs:\t1", "Seccomp:\t2"]);
}
