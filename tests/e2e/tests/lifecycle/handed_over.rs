//! A socket that somebody else made and hands over, as systemd does (sd_listen_fds(3)).

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};

use harness::{Binaries, Daemon, World};

/// Gives this socket to a daemon as descriptor 3. The shell's process becomes the daemon's, so that LISTEN_PID is
/// right: `pid` is `$$`, or somebody else's.
fn hand_over(world: &World, socket: OwnedFd, pid: &str) -> Daemon {
    let script = format!("exec 3<&0 </dev/null; LISTEN_PID={pid} LISTEN_FDS=1 exec \"$0\" --config \"$1\" --log debug");
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(script).arg(&Binaries::built().tokend).arg(world.config()).stdin(Stdio::from(socket));
    Daemon::launch(&mut command, &world.log())
}

#[test]
fn it_is_served_and_its_path_is_left_alone() {
    let world = World::new(1201);
    world.configure("", &[world.central("campus")]);
    let path = world.path("handed-over.sock");
    let ours = UnixListener::bind(&path).unwrap();
    let before = fs::symlink_metadata(&path).unwrap().ino();
    let daemon = hand_over(&world, ours.try_clone().unwrap().into(), "$$");
    // A connection waits in the socket's queue until the daemon takes it.
    let ctl = harness::Ctl::new(&path);
    let first = ctl.token("campus");
    assert!(!world.socket().exists(), "no socket of its own");
    assert!(daemon.terminate().success());
    assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), before, "the path is not the daemon's to remove");

    let daemon = hand_over(&world, ours.into(), "$$");
    assert_ne!(ctl.token("campus"), first, "the next daemon has taken it over");
    daemon.kill();
    assert!(path.exists());
}

#[test]
fn one_that_is_meant_for_another_process_is_not_taken() {
    let world = World::new(1202);
    world.configure("", &[world.central("campus")]);
    let path = world.path("handed-over.sock");
    let ours = UnixListener::bind(&path).unwrap();
    let mut daemon = hand_over(&world, ours.into(), "1");
    daemon.listens(&world.socket());
    assert!(!world.ctl().token("campus").is_empty());
    assert!(daemon.terminate().success());
}

#[test]
fn what_is_no_listening_stream_socket_is_refused() {
    let world = World::new(1203);
    world.configure("", &[world.central("campus")]);
    let datagram = UnixDatagram::bind(world.path("datagram.sock")).unwrap();
    let daemon = hand_over(&world, datagram.into(), "$$");
    let status = daemon.ended();
    let said = fs::read_to_string(world.log()).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("LISTEN_FDS: one listening Unix stream socket is expected"), "{said}");
    println!("{}", said.trim_end());
    assert!(!world.socket().exists());
}
