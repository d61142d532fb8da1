//! Nobody reads the log.

use std::fs::File;
use std::time::Duration;

use harness::Peer;
use machine::Held;
use nix::fcntl::{FcntlArg, fcntl};

use crate::checks::Checks;
use crate::scene::Scene;
use crate::story::{is_alive, starts, stops, through};

/// Reads of a peer, an audit record each: more than the stream to journald holds, of which systemd makes the buffer
/// 8 MiB. A pipe or a datagram socket holds a hundredth of it.
const READS: usize = 30_000;
/// Reloads, several lines each.
const RELOADS: usize = 40;

/// Fills what nobody reads.
fn talks(scene: &Scene) {
    let mut peer = Peer::connect(&scene.machine.path("/run/tokend/tokend.sock"));
    for _ in 0..READS {
        let _ = peer.get("campus", Duration::from_secs(10));
    }
    let pid = scene.property("MainPID");
    for _ in 0..RELOADS {
        // One that was not restarted meanwhile.
        let _ = scene.machine.run(&["kill", "-HUP", &pid]);
    }
}

fn journald(scene: &Scene) -> Held<'_> {
    let show = ["systemctl", "show", "--value", "--property", "MainPID", "systemd-journald.service"];
    scene.machine.hold(&scene.machine.says(&show))
}

/// journald's own protocol, as the unit has it.
pub(crate) fn journald_is_stopped(scene: &Scene, checks: &mut Checks) {
    scene.configure("");
    scene.start();
    let weather = through(scene, checks, || journald(scene), |_| talks(scene));
    starts(scene, checks);
    talks(scene);
    stops(scene, checks);
    drop(weather);
    is_alive(scene, checks);
}

/// Text on stderr, which is a stream to journald.
pub(crate) fn the_stream_is_not_read(scene: &Scene, checks: &mut Checks) {
    let text = "[Service]\nExecStart=\nExecStart=/usr/sbin/tokend --log-format text\nStandardError=journal\n";
    scene.drop_in("text", text);
    scene.configure("");
    scene.start();
    let weather = through(scene, checks, || journald(scene), |_| talks(scene));
    starts(scene, checks);
    talks(scene);
    stops(scene, checks);
    drop(weather);
    is_alive(scene, checks);
}

/// Text on stderr, which is a pipe that nobody reads.
pub(crate) fn stderr_is_not_read(scene: &Scene, checks: &mut Checks) {
    const PIPE: &str = "/run/nobody-reads";
    scene.machine.does(&["mkfifo", PIPE]);
    let pipe = File::options().read(true).write(true).open(scene.machine.path(PIPE)).unwrap();
    fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let text =
        format!("[Service]\nExecStart=\nExecStart=/usr/sbin/tokend --log-format text\nStandardError=file:{PIPE}\n");
    scene.drop_in("text", &text);
    scene.configure("");
    // The weather is there from the start on; what is said before the rotation fills the pipe.
    scene.start();
    through(scene, checks, || (), |_| talks(scene));
    starts(scene, checks);
    stops(scene, checks);
    drop(pipe);
    scene.drop_in("text", "");
    is_alive(scene, checks);
}
