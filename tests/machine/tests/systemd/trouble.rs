//! Configurations that are wrong, and daemons that crash.

use harness::until;

use crate::checks::Checks;
use crate::scene::Scene;

/// While tokend cannot start the socket stays, and peers wait in it until the cause is mended.
pub(crate) fn a_bad_configuration(scene: &mut Scene, checks: &mut Checks) {
    let good = scene.central("campus");
    scene.configure("", &[good.replace("client_id", "clientid")]);
    let ran = scene.machine.run(&["systemctl", "enable", "--now", "tokend.service"]);
    checks.check(
        "a service with a bad configuration does not start",
        ran.status != 0,
        format!("status {}", ran.status),
    );
    checks.holds(
        "the journal says what is wrong, and where",
        &scene.log(),
        &["tokend.toml:4: profiles.campus.clientid"],
    );

    let waiting = scene.reader("once", &["campus"]);
    let tries = || scene.property("tokend.service", "NRestarts").parse::<u32>().unwrap();
    // More than systemd's usual limit, five in ten seconds, allows.
    let restarts = until("it was tried eight times", || Some(tries()).filter(|&tries| tries >= 8));
    checks.check("it is tried again and again", true, format!("{restarts} restarts"));
    checks.equal("the socket is not given up", scene.property("tokend.socket", "ActiveState").as_str(), "active");

    scene.configure("", &[good]);
    scene.another_than("0");
    checks.ends("once it is mended it comes up by itself", &scene.ctl(&["get", "campus", "--wait", "60s"]), 0);
    until("the waiting peer was served", || (scene.requests() > 0).then_some(()));
    let tally = waiting.stop();
    checks.check(
        "a peer that came in between waited, and was served",
        tally.complaints.is_empty() && tally.reads > 0,
        tally,
    );
}

/// A daemon that crashes as often as it starts: the socket stays, and no peer notices more than a delay.
pub(crate) fn a_crash_loop(scene: &mut Scene, checks: &mut Checks) {
    scene.enable();
    let _ = scene.token("campus");
    let readers = [scene.reader("held", &["campus"]), scene.reader("once", &["campus"])];
    let mut pid = scene.main_pid();
    for _ in 0..8 {
        scene.machine.does(&["kill", "-KILL", &pid]);
        pid = scene.another_than(&pid);
    }
    checks.equal("eight crashes are eight restarts", scene.property("tokend.service", "NRestarts").as_str(), "8");
    checks.equal("the socket is not given up", scene.property("tokend.socket", "ActiveState").as_str(), "active");
    for (how, reader) in ["one connection", "a tokenctl for each read"].into_iter().zip(readers) {
        let tally = reader.stop();
        checks.check(&format!("a peer with {how} has no error"), tally.complaints.is_empty() && tally.reads > 0, tally);
    }
}
