//! What happens when nobody asks.

use harness::until;

use crate::checks::Checks;
use crate::scene::Scene;

/// After a boot tokens are fetched and renewed before any peer has connected.
pub(crate) fn renewal_without_a_peer(scene: &mut Scene, checks: &mut Checks) {
    // Lives so short that a renewal is soon due.
    scene.provider("--life 4");
    checks.ends("systemctl enable tokend.service", &scene.systemctl("enable"), 0);
    let enabled = |unit| scene.machine.run(&["systemctl", "is-enabled", unit]).stdout.trim().to_owned();
    checks.equal("it enables the socket too", enabled("tokend.socket").as_str(), "enabled");
    checks.equal("and starts nothing yet", scene.property("tokend.socket", "ActiveState").as_str(), "inactive");

    scene.machine.reboot().unwrap();
    let asked = || scene.operator("GET", "counts", "")["central-token"].as_u64().unwrap_or(0);
    until("the provider is up", || scene.provider_is_up().then_some(()));
    let requests = until("three tokens were fetched", || Some(asked()).filter(|&count| count >= 3));
    checks.check("after a boot a name is fetched and renewed", true, format!("{requests} requests"));
    checks.equal("before anybody has connected", scene.property("tokend.socket", "NConnections").as_str(), "0");
    checks.equal("by the service", scene.property("tokend.service", "ActiveState").as_str(), "active");
}

/// A machine that boots without its provider comes up all the same.
pub(crate) fn without_a_network(scene: &mut Scene, checks: &mut Checks) {
    scene.machine.does(&["systemctl", "disable", "--now", "provider.service"]);
    scene.machine.does(&["systemctl", "enable", "tokend.service"]);
    scene.machine.reboot().unwrap();
    let state = scene.machine.run(&["systemctl", "is-system-running"]).stdout;
    checks.equal("a boot without the provider succeeds", state.trim(), "running");
    checks.equal("the service is ready", scene.property("tokend.service", "SubState").as_str(), "running");
    checks.ends("a peer gets the answer to try later", &scene.ctl(&["get", "campus", "--wait", "0s"]), 6);
    scene.machine.does(&["systemctl", "start", "provider.service"]);
    checks.ends("and is served once the provider is there", &scene.ctl(&["get", "campus", "--wait", "60s"]), 0);
}
