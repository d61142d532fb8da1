//! The socket, and what starts the service.

use harness::until;

use crate::checks::Checks;
use crate::scene::Scene;

/// With only the socket started, a peer that connects starts the daemon and is served.
pub(crate) fn on_first_connect(scene: &mut Scene, checks: &mut Checks) {
    let machine = &scene.machine;
    machine.does(&["systemctl", "start", "tokend.socket"]);
    checks.equal("the socket listens", scene.property("tokend.socket", "SubState").as_str(), "listening");
    checks.equal("the service sleeps", scene.property("tokend.service", "ActiveState").as_str(), "inactive");
    checks.equal("and asks for nothing", scene.requests(), 0);
    let mode = ["stat", "--format=%U:%G %a %F", "/run/tokend/tokend.sock"];
    checks.equal("the socket's mode", machine.says(&mode).as_str(), "tokend:tokend-users 660 socket");

    let ran = scene.run_as("netops", &["tokenctl", "get", "campus", "--wait", "60s"]);
    checks.ends("a member of tokend-users who connects is served", &ran, 0);
    checks.equal("by a service that was started for it", scene.systemctl("is-active").stdout.trim(), "active");
    checks.equal("with one request to the provider", scene.requests(), 1);
    let ran = scene.run_as("guest", &["tokenctl", "get", "campus"]);
    checks.ends("who is no member is refused", &ran, 4);
    checks.holds("and told which group it takes", &ran.stderr, &["tokend-users"]);

    let state = machine.says(&["stat", "--format=%U:%G %a %F", "/var/lib/tokend"]);
    checks.equal("the state folder's mode", state.as_str(), "tokend:tokend 700 directory");
    let ran = scene.run_as("netops", &["ls", "/var/lib/tokend"]);
    checks.check("peers cannot look into it", ran.status != 0, ran.stderr.trim());
    let ran = scene.run_as("netops", &["cat", "/etc/tokend/tokend.toml"]);
    checks.check("nor into the configuration", ran.status != 0, ran.stderr.trim());

    let inode = || machine.says(&["stat", "--format=%i", "/run/tokend/tokend.sock"]);
    let before = inode();
    checks.ends("systemctl stop", &scene.systemctl("stop"), 0);
    checks.equal(
        "the socket outlives the service",
        (scene.property("tokend.socket", "ActiveState"), inode()),
        ("active".to_owned(), before),
    );
    let ran = scene.run_as("netops", &["tokenctl", "ping"]);
    checks.ends("and the next peer starts it again", &ran, 0);
    until("the service is active", || (scene.property("tokend.service", "ActiveState") == "active").then_some(()));
}
