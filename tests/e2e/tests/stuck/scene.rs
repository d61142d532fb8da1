//! What takes nothing more, and a daemon that has to live with it.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::{Binaries, Daemon, World, timed, until};
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use sandbox::{Endpoint, Fault, FaultRule};

/// Longer than any end takes that waits for the log for a second and for the manager for two, on a busy machine.
const END: Duration = Duration::from_secs(20);

/// Milliseconds that the answer to a refresh is kept back.
const SLOW: u64 = 3_000;

/// A pipe that has room for nothing and is never read, for as long as it is kept.
pub(crate) fn full_pipe(path: &Path) -> File {
    mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let pipe = File::options().read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).unwrap();
    while nix::unistd::write(pipe.as_fd(), &[b'x'; 4096]).is_ok() {}
    pipe
}

/// A socket that takes no datagram until it is read; with how many wait in it.
pub(crate) fn full_socket(path: &Path) -> (UnixDatagram, usize) {
    let (socket, sender) = (UnixDatagram::bind(path).unwrap(), UnixDatagram::unbound().unwrap());
    sender.set_nonblocking(true).unwrap();
    let count = std::iter::from_fn(|| sender.send_to(b"X=1\n", path).ok()).count();
    socket.set_read_timeout(Some(harness::PATIENCE)).unwrap();
    (socket, count)
}

/// `tokend` whose stderr is this file.
pub(crate) fn tokend(stderr: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec \"$0\" \"$@\" 2>\"$STDERR\""]).arg(&Binaries::built().tokend);
    command.env("STDERR", stderr).stdin(Stdio::null());
    command
}

/// Profiles of two kinds, and a file to begin the chain of one with.
pub(crate) fn configure(world: &World) {
    world.configure("[audit]\nreads = true", &[world.central("campus"), world.classic("legacy")]);
}

/// Starts it and waits until peers are served.
pub(crate) fn start(world: &World, command: &mut Command) -> Daemon {
    let mut daemon = Daemon::launch(command.arg("--config").arg(world.config()), &world.log());
    daemon.listens(&world.socket());
    daemon
}

/// It serves, renews, reloads and rotates; SIGTERM comes while a refresh token is on the wire and ends it once the new
/// pair is stored.
pub(crate) fn lives_and_ends(world: &World, daemon: Daemon) {
    let ctl = world.ctl();
    let old = ctl.token("campus");
    for _ in 0..20 {
        daemon.signal(Signal::SIGHUP);
        assert_eq!(ctl.run(&["get", "nobody-has-this"]).status, 5);
    }
    let ran = ctl.run(&["reload"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let ran = ctl.run(&["refresh", "campus"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_ne!(ctl.token("campus"), old);

    let file = world.download_token("token.json");
    let ran = ctl.run(&["import", "legacy", file.to_str().unwrap()]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    world.provider().provider().add_fault(FaultRule::new(Fault::Delay(SLOW)).at(Endpoint::ClassicRefresh));
    let asking = std::thread::spawn(move || ctl.run(&["refresh", "legacy"]));
    let refreshes = || world.provider().provider().count(Endpoint::ClassicRefresh);
    until("the refresh token is on the wire", || (refreshes() == 2).then_some(()));
    (0..20).for_each(|_| daemon.signal(Signal::SIGHUP));
    let (ended, took) = timed(|| daemon.terminate());
    assert!(ended.success(), "{ended}");
    assert!(took < END, "{took:?}");
    assert_eq!(asking.join().unwrap().status, 0, "who waited for the rotation has its answer");
    println!("it ended within {took:?}");

    let _daemon = world.start();
    let token =
        until("the new pair is there", || Some(world.ctl().run(&["get", "legacy"])).filter(|ran| ran.status == 0));
    assert!(!token.stdout.is_empty());
    assert_eq!(world.ctl().status_of("legacy")["chain"]["state"], "settled");
    let ran = world.ctl().run(&["refresh", "legacy"]);
    assert_eq!(ran.status, 0, "the chain goes on: {}", ran.stderr);
}
