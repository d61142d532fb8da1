//! A directory of users that does not answer: those whom only it knows wait for it, and nobody else does.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::stat::Mode;
use tokend_tests::harness::{Binaries, Daemon, World, timed, until};

use super::stranger::{STRANGER, Stranger};

/// The files of users and groups, in a mount namespace of the daemon's own, where opening them waits for somebody who
/// writes.
struct Stuck {
    users: PathBuf,
    groups: PathBuf,
}

impl Stuck {
    fn new(world: &World) -> Self {
        let stuck = Self { users: world.path("passwd"), groups: world.path("group") };
        for pipe in [&stuck.users, &stuck.groups] {
            nix::unistd::mkfifo(pipe, Mode::from_bits_truncate(0o644)).unwrap();
        }
        stuck
    }

    fn start(&self, world: &World) -> Daemon {
        let script = "mount --bind \"$1\" /etc/passwd && mount --bind \"$2\" /etc/group && \
                      exec \"$3\" --log debug --config \"$4\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).args([&self.users, &self.groups]);
        command.arg(&Binaries::built().tokend).arg(world.config()).stdin(Stdio::null());
        Daemon::launch(&mut command, &world.log())
    }

    /// From now on it answers.
    fn answer(&self) {
        let users = format!("stranger:x:{STRANGER}:4444::/:/bin/sh\n");
        for (pipe, text) in [(&self.users, users), (&self.groups, "strangers:x:4444:\n".to_owned())] {
            let pipe = pipe.clone();
            // It ends with this process.
            std::thread::spawn(move || while fs::write(&pipe, &text).is_ok() {});
        }
    }
}

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
    stuck.answer();
    until("the directory is heard", || daemon.log().contains("the user \"stranger\" is found").then_some(()));
    until("the group is heard", || daemon.log().contains("the group \"strangers\" may connect").then_some(()));
    let stranger = Stranger { gid: 4444, ..stranger };
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
