//! PID 1 takes no messages.

use std::time::Duration;

use tokend_tests::harness::{PATIENCE, until, within};
use tokend_tests::load::Stopwatch;
use tokend_tests::machine::Held;

use crate::checks::Checks;
use crate::scene::Scene;
use crate::story::{Daemon, OnTheWire, Peer, is_alive};

/// Two periods of the watchdog.
const BUSY: Duration = Duration::from_secs(16);
/// Two messages each; its socket holds some ten of them.
const RELOADS: usize = 15;

fn busy<'s>(scene: &'s Scene, checks: &mut Checks) -> (Held<'s>, OnTheWire) {
    let rotation = OnTheWire::begin(scene);
    let weather = scene.machine.hold("1");
    rotation.is_caught(checks);
    for _ in 0..RELOADS {
        let ran = scene.ctl(&["reload"]);
        if ran.status != 0 {
            checks.ends("a reload is answered", &ran, 0);
        }
    }
    (weather, rotation)
}

/// For two periods of the watchdog, with reloads, a rotation, and tokens to be handed over to it.
pub(crate) fn pid_1_is_busy(scene: &Scene, checks: &mut Checks) {
    scene.configure("");
    scene.start();
    let daemon = Daemon::of(scene);
    let watch = Stopwatch::start();
    let (weather, rotation) = busy(scene, checks);
    let mut peer = Peer::new(scene);
    rotation.ends(checks);
    checks.ends("the next rotation begins and ends amid it", &scene.ctl(&["refresh", "legacy"]), 0);
    let _: Option<()> = within(BUSY.saturating_sub(watch.elapsed()), Duration::from_millis(250), || {
        peer.reads();
        None
    });
    peer.was_served(checks);
    drop(weather);
    let last = scene.property("WatchdogTimestampMonotonic");
    let goes_on = || (scene.property("WatchdogTimestampMonotonic") != last).then_some(());
    let heard = within(PATIENCE, Duration::from_millis(250), goes_on).is_some();
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
    let changed = within(PATIENCE, Duration::from_millis(250), || (scene.property("StatusText") != said).then_some(()));
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
    // Its status is PID 1's to take.
    let ended = within(PATIENCE, Duration::from_millis(100), || state().starts_with('Z').then_some(())).is_some();
    checks.check("SIGTERM ends it within the unit's 45 s", ended && watch.elapsed() < Duration::from_secs(45), {
        format!("{:?}", watch.elapsed())
    });
    rotation.ends(checks);
    drop(weather);
    until("PID 1 has seen its end", || (scene.property("MainPID") == "0").then_some(()));
    checks.equal("it ended by itself", scene.property("Result").as_str(), "success");
    checks.equal("nothing was restarted", scene.property("NRestarts").as_str(), "0");
    is_alive(scene, checks);
}
