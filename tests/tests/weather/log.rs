//! Nobody reads the log.

use std::fs::File;
use std::os::fd::AsRawFd as _;

use nix::fcntl::{FcntlArg, fcntl};
use tokend_tests::machine::Held;

use crate::checks::Checks;
use crate::scene::Scene;
use crate::story::{is_alive, starts, stops, through};

/// Reads of a peer, an audit record each, and reloads, several lines each. A pipe or a socket holds some 300 lines.
const TALK: &str = "pid=$(systemctl show --value --property MainPID tokend.service); \
                    for ((i = 0; i < 40; i++)); do kill -HUP $pid; sleep 0.02; done; \
                    for ((i = 0; i < 400; i++)); do timeout 5 tokenctl get campus >/dev/null || exit 0; done";

fn talks(scene: &Scene) {
    let ran = scene.machine.run(&["timeout", "60", "bash", "-c", TALK]);
    assert!(ran.status == 0 || ran.status == 124, "{}", ran.stderr);
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
    assert!(pipe.as_raw_fd() >= 0, "it is open throughout");
    scene.drop_in("text", "");
    is_alive(scene, checks);
}
