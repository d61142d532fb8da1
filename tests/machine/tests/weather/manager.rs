//! PID 1 takes no messages.

use std::time::Duration;

use harness::{PATIENCE, Stopwatch, timed, until, within};
use machine::Held;

use crate::checks::Checks;
use crate::scene::Scene;
use crate::story::{Daemon, LOOK, OnTheWire, Peer, is_alive};

/// Two periods of the watchdog.
const BUSY: Duration = Duration::from_secs(16);
/// Two messages each; its socket holds some ten of them.
const RELOADS: usize = 15;

/// A rotation is on the wire, and then PID 1 stands still and its socket is full.
fn busy<'s>(scene: &'s Scene, checks: &mut Checks) -> (Held<'s>, OnTheWire) {
    let calm = timed(|| reloads(scene, checks)).1;
    let rotation = OnTheWire::begin(scene);
    let weather = scene.machine.hold("1");
    rotation.is_caught(checks);
    let busy = timed(|| reloads(scene, checks)).1;
    // Each would wait for as long as there is patience with PID 1; how fast a machine is does not matter to that.
    let good = busy < calm * 5 + Duration::from_secs(10);
    checks.check("reloads do not wait for PID 1", good, format!("{RELOADS} in {busy:?}, in calm weather {calm:?}"));
    (weather, rotation)
}

fn reloads(scene: &Scene, checks: &mut Checks) {
    for _ in 0..RELOADS {
        let ran = scene.ctl(&["reload"]);
        if ran.status != 0 {
            checks.ends("a reload is answered", &ran, 0);
        }
    }
}

/// For two periods of the watchdog, with reloads, a rotation, and tokens to be handed over to it.
pub(crate) fn pid_1_is_busy(scene: &Scene, checks: &mut Checks) {
    scene.configure("");
    scene.start();
    let daemon = Daemon::of(scene);
    let (weather, rotation) = busy(scene, checks);
    let watch = Stopwatch::start();
    let mut peer = Peer::new(scene);
    let _ = within(PATIENCE, LOOK, || {
        peer.reads();
        (watch.elapsed() > BUSY && peer.saw_a_renewal()).then_some(())
    });
    peer.was_served(checks);
    rotation.ends(scene, checks);
    drop(weather);
    let last = scene.property("WatchdogTimestampMonotonic");
    let goes_on = || (scene.property("WatchdogTimestampMonotonic") != last).then_some(());
    let heard = within(PATIENCE, LOOK, goes_on).is_some();
    checks.check("afterwards the watchdog hears of it", heard, "");
    daemon.is_the_same(scene, checks);
    checks.equal("it is ready, and not reloading", scene.property("ActiveState").as_str(), "active");
    // The status that it sends next.
    scene.configure(
        "[profiles.office]\nkind = \"central\"\nclient_id = \"office\"\nclient_secret = { file = \"/none\" }\n\
                     token_endpoint = \"https://127.0.0.1:1/\"\n",
    );
    let said = scene.property("StatusText");
    let _ = scene.ctl(&["reload"]);
    let changed = within(PATIENCE, LOOK, || (scene.property("StatusText") != said).then_some(()));
    checks.check("what it says of itself arrives again", changed.is_some(), format!("after {said:?}"));
    scene.configure("");
    let _ = scene.ctl(&["reload"]);
    checks.ends("systemctl restart", &scene.systemctl("restart"), 0);
    let before = scene.requests();
    checks.ends("peers are served", &scene.ctl(&["get", "campus", "--wait", "20s"]), 0);
    checks.equal("the token was handed over", scene.requests(), before);
    checks.ends("systemctl stop", &scene.systemctl("stop"), 0);
    is_alive(scene, checks);
}

/// SIGTERM meanwhile: the daemon ends, though nobody takes its word for it.
pub(crate) fn pid_1_is_busy_at_the_end(scene: &Scene, checks: &mut Checks) {
    scene.configure("");
    scene.start();
    let daemon = Daemon::of(scene);
    let (weather, rotation) = busy(scene, checks);
    scene.machine.does(&["kill", "-TERM", daemon.pid()]);
    let watch = Stopwatch::start();
    let state = || scene.machine.run(&["ps", "-o", "stat=", "-p", daemon.pid()]).stdout;
    // A zombie: its status is PID 1's to take.
    let has_ended = || matches!(state().chars().next(), None | Some('Z'));
    let ended = within(PATIENCE, LOOK, || has_ended().then_some(())).is_some();
    checks.check("SIGTERM ends it within the unit's 45 s", ended && watch.elapsed() < Duration::from_secs(45), {
        format!("{:?}", watch.elapsed())
    });
    rotation.has_ended(checks);
    drop(weather);
    until("PID 1 has seen its end", || (scene.property("MainPID") == "0").then_some(()));
    checks.equal("it ended by itself", scene.property("Result").as_str(), "success");
    checks.equal("nothing was restarted", scene.property("NRestarts").as_str(), "0");
    is_alive(scene, checks);
}
