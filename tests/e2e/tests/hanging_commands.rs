//! Commands of secrets that never end keep nobody else waiting.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use harness::{Daemon, ProfileText, World, timed, until};

/// Far more than run at a time: one after the other, with 10 s for each, they would take minutes.
const HANGING: usize = 60;

/// Much less than that, and much more than a busy machine needs.
const SOON: Duration = Duration::from_secs(60);

fn by_command(world: &World, name: &str, script: &str) -> ProfileText {
    let file = format!("{{ file = \"{}\" }}", world.path("central.secret").display());
    let command = format!("{{ command = [\"/bin/sh\", \"-c\", \"{script}\"] }}");
    ProfileText(world.central(name).0.replace(&file, &command))
}

#[test]
fn commands_that_hang_keep_neither_a_quick_one_nor_a_rotation_waiting() {
    let world = World::new(57);
    let mut profiles: Vec<_> =
        (0..HANGING).map(|number| by_command(&world, &format!("a{number}"), "exec sleep 1000")).collect();
    let secret = world.path("central.secret");
    profiles.push(by_command(&world, "quick", &format!("cat {}", secret.display())));
    profiles.push(world.classic("legacy"));
    world.configure("", &profiles);
    let daemon = Daemon::start(&world.config(), &world.socket(), &world.log(), "info");
    let ctl = world.ctl();
    let (_, took) = timed(|| ctl.token("quick"));
    assert!(took < SOON, "{took:?}");
    let download = world.download_token("download.json");
    let (imported, took) = timed(|| ctl.run(&["import", "legacy", download.to_str().unwrap()]));
    assert_eq!(imported.status, 0, "{}", imported.stderr);
    assert!(took < SOON, "{took:?}");
    let first = ctl.token("legacy");
    assert_eq!(ctl.run(&["refresh", "legacy"]).status, 0);
    until("the chain was rotated", || (ctl.token("legacy") != first).then_some(()));
    assert!(daemon.terminate().success());
}
