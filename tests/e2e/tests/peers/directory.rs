//! A directory of users that does not answer: those whom only it knows wait for it, and nobody else does.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::{Binaries, Daemon, World, timed, until};
use nix::sys::stat::Mode;

use super::stranger::{STRANGER, Stranger};

/// The files of users and groups, in a mount namespace of the daemon's own, under pipes: opening one waits for somebody
/// who writes.
struct Stuck {
    files: [PathBuf; 2],
    pipes: [PathBuf; 2],
}

impl Stuck {
    fn new(world: &World) -> Self {
        let paths = |suffix: &str| ["passwd", "group"].map(|name| world.path(&format!("{name}.{suffix}")));
        let stuck = Self { files: paths("file"), pipes: paths("pipe") };
        let users = format!("stranger:x:{STRANGER}:{STRANGERS}::/:/bin/sh\n");
        fs::write(&stuck.files[0], users).unwrap();
        fs::write(&stuck.files[1], format!("strangers:x:{STRANGERS}:\n")).unwrap();
        for pipe in &stuck.pipes {
            nix::unistd::mkfifo(pipe, Mode::from_bits_truncate(0o644)).unwrap();
        }
        stuck
    }

    fn start(&self, world: &World) -> Daemon {
        let script = "for of in \"$1\" \"$3\"; do mount --bind \"$of\" /etc/passwd || exit; done
                      for of in \"$2\" \"$4\"; do mount --bind \"$of\" /etc/group || exit; done
                      exec \"$5\" --log debug --config \"$6\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).args(self.files.iter().chain(&self.pipes));
        command.arg(&Binaries::built().tokend).arg(world.config()).stdin(Stdio::null());
        Daemon::launch(&mut command, &world.log())
    }

    /// From now on it answers.
    fn answer(&self, daemon: &Daemon) {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &daemon.pid().to_string(), "umount", "--lazy"]);
        assert!(command.args(["/etc/passwd", "/etc/group"]).status().unwrap().success());
        for pipe in &self.pipes {
            // Those who wait for it find nothing, and who comes later finds the file.
            drop(File::options().read(true).write(true).open(pipe).unwrap());
        }
    }
}

/// The number of the group that only the directory knows.
const STRANGERS: u32 = 4444;

fn can_mount(world: &World) -> bool {
    let probe = ["--mount", "mount", "--bind"];
    let folder = world.folder();
    let done = Command::new("unshare").args(probe).args([folder, folder]).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

#[test]
fn who_is_known_by_number_is_served_while_the_directory_hangs_and_the_others_when_it_answers() {
    let world = World::new(871);
    let Some(stranger) = Stranger::of(&world) else { return };
    if !can_mount(&world) {
        return println!("SKIPPED: nothing can be mounted here");
    }
    let rules = "[[access]]\nprofiles = [\"campus\"]\nusers = [\"stranger\", \"root\"]";
    world.configure(rules, &[world.central("campus")]);
    let text = fs::read_to_string(world.config()).unwrap();
    fs::write(world.config(), text.replace("[server]", "[server]\ngroup = \"strangers\"")).unwrap();
    let stuck = Stuck::new(&world);
    let mut daemon = stuck.start(&world);
    let ((), time) = timed(|| daemon.listens(&world.socket()));
    println!("it listens after {time:?}");
    assert!(time < Duration::from_secs(10), "{time:?}");
    assert!(!world.ctl().token("campus").is_empty());
    let notes = world.ctl().run(&["status"]);
    assert!(notes.stderr.contains("the user \"stranger\" could not be looked up"), "{}", notes.stderr);
    let reload = world.ctl().run(&["reload"]);
    assert_eq!(reload.status, 0, "{}", reload.stderr);
    assert!(reload.stderr.contains("there was no answer within 10 s"), "{}", reload.stderr);

    let refused = stranger.run(&["get", "campus"]);
    assert_eq!(refused.status, 4, "the socket is not its group's yet: {}", refused.stderr);
    stuck.answer(&daemon);
    until("the directory is heard", || daemon.log().contains("the user \"stranger\" is found").then_some(()));
    until("the group is heard", || daemon.log().contains("the group \"strangers\" may connect").then_some(()));
    let stranger = Stranger { gid: STRANGERS, ..stranger };
    assert_eq!(stranger.run(&["get", "campus"]).status, 0);
    assert!(daemon.terminate().success());
}

#[test]
fn a_daemon_that_waits_for_the_directory_ends_when_it_is_asked_to() {
    let world = World::new(872);
    if Stranger::of(&world).is_none() || !can_mount(&world) {
        return println!("SKIPPED: nothing can be mounted here");
    }
    world.configure("[[access]]\nprofiles = [\"campus\"]\nusers = [\"stranger\"]", &[world.central("campus")]);
    let stuck = Stuck::new(&world);
    let daemon = stuck.start(&world);
    until("it asks the directory", || {
        let threads = fs::read_dir(format!("/proc/{}/task", daemon.pid())).ok()?;
        (threads.count() > 1).then_some(())
    });
    let (status, time) = timed(|| daemon.terminate());
    println!("{status:?} after {time:?}");
    assert!(time < Duration::from_secs(10), "{time:?}");
}
