//! Restarts under load: peers see no error, and the provider no request for a name that is still good.

use harness::{Frozen, Procfs, until};
use nix::unistd::Pid;

use crate::checks::Checks;
use crate::scene::{Reader, Scene};

/// Peers of both sorts, reading.
pub(crate) fn load(scene: &Scene) -> [(&'static str, Reader); 2] {
    [
        ("one connection", scene.reader("held", &["campus"])),
        ("a tokenctl for each read", scene.reader("once", &["campus"])),
    ]
}

pub(crate) fn ends_well(checks: &mut Checks, load: [(&'static str, Reader); 2]) {
    for (how, reader) in load {
        let tally = reader.stop();
        let good = tally.complaints.is_empty() && tally.reads > 0 && tally.tokens == 1;
        checks.check(&format!("a peer with {how} had one token throughout and no error"), good, tally);
    }
}

/// A token that is held, and how many requests it took.
pub(crate) fn started(scene: &Scene) -> (String, u64) {
    scene.enable();
    let token = scene.token("campus");
    scene.is_stored(&scene.main_pid(), &token);
    (token, scene.requests())
}

/// Lets peers read from this daemon for a while.
fn reads(scene: &Scene) {
    scene.machine.does(&["bash", "-ec", "for i in {1..25}; do tokenctl get campus >/dev/null; done"]);
}

/// A crash: SIGKILL.
pub(crate) fn a_crash(scene: &mut Scene, checks: &mut Checks) {
    let (token, requests) = started(scene);
    let load = load(scene);
    let mut pid = scene.main_pid();
    for _ in 0..3 {
        reads(scene);
        scene.machine.does(&["kill", "-KILL", &pid]);
        pid = scene.another_than(&pid);
    }
    checks.equal("after three crashes the token is the same", scene.token("campus") == token, true);
    checks.equal("the provider was asked for nothing", scene.requests(), requests);
    ends_well(checks, load);
    let disk = scene.machine.run(&["grep", "--recursive", "--files-with-matches", "--", &token, "/var/lib/tokend"]);
    checks.equal("and the token is not on the disk", (disk.status, disk.stdout.as_str()), (1, ""));
}

/// An ordered restart.
pub(crate) fn a_restart(scene: &mut Scene, checks: &mut Checks) {
    let (token, requests) = started(scene);
    let load = load(scene);
    for _ in 0..3 {
        reads(scene);
        let pid = scene.main_pid();
        checks.ends("systemctl restart", &scene.systemctl("restart"), 0);
        let new = scene.main_pid();
        checks.check("another process serves", new != pid, format!("{pid}, {new}"));
    }
    checks.equal("the token is the same", scene.token("campus") == token, true);
    checks.equal("the provider was asked for nothing", scene.requests(), requests);
    ends_well(checks, load);
}

/// One thread that hangs is as good as all of them: either is missed by the watchdog, though the other one goes on.
pub(crate) fn a_stuck_thread(scene: &mut Scene, checks: &mut Checks) {
    scene.drop_in("tokend.service", "watchdog", "[Service]\nWatchdogSec=2\n");
    let (token, requests) = started(scene);
    let load = load(scene);
    for which in ["socket", "core"] {
        reads(scene);
        let pid = scene.main_pid();
        let process = Procfs::of(scene.machine.outside(&pid));
        let threads = process.threads();
        let thread = match which {
            "socket" => threads.iter().find(|(_, name)| name == which).expect("it has a thread of its own").0,
            // The core's is the one that began.
            _ => scene.machine.outside(&pid),
        };
        let log = scene.log();
        let Some(frozen) = Frozen::freeze(thread) else {
            skipped::test_because(
                "a_stuck_thread_under_load",
                "no single thread of another process may be stopped, ptrace(2)",
            );
            break;
        };
        let standing: Vec<Pid> = threads.into_iter().map(|(id, _)| id).filter(|id| is_traced(*id)).collect();
        checks.equal(&format!("of its threads the {which}'s alone stands still"), standing, vec![thread]);
        let new = scene.another_than(&pid);
        drop(frozen);
        checks.check("it is replaced", new != pid, format!("{pid}, {new}"));
        let more = scene.log()[log.len()..].to_owned();
        checks.holds("by the watchdog", &more, &["Watchdog timeout", "killed, status=6/ABRT"]);
    }
    reads(scene);
    checks.equal("the token is the same", scene.token("campus") == token, true);
    checks.equal("the provider was asked for nothing", scene.requests(), requests);
    ends_well(checks, load);
}

/// Whether a thread has been stopped by a tracer, proc_pid_stat(5).
fn is_traced(thread: Pid) -> bool {
    let stat = Procfs::of(thread).file("stat");
    stat.rsplit_once(") ").expect("a name in parentheses").1.starts_with('t')
}

/// A daemon that hangs is ended by the watchdog and followed by another.
pub(crate) fn a_hang(scene: &mut Scene, checks: &mut Checks) {
    scene.drop_in("tokend.service", "watchdog", "[Service]\nWatchdogSec=2\n");
    let (token, requests) = started(scene);
    let pid = scene.main_pid();
    let told = || scene.property("tokend.service", "WatchdogTimestampMonotonic");
    for _ in 0..4 {
        let last = told();
        until("the watchdog hears that the daemon lives", || (told() != last).then_some(()));
    }
    checks.equal("a daemon that lives is left alone", scene.main_pid(), pid.clone());
    let load = load(scene);
    reads(scene);
    scene.machine.does(&["kill", "-STOP", &pid]);
    let new = scene.another_than(&pid);
    reads(scene);
    checks.check("a stopped one is replaced", new != pid, format!("{pid}, {new}"));
    checks.holds("by the watchdog", &scene.log(), &["Watchdog timeout", "killed, status=6/ABRT"]);
    let core = scene.machine.shell("ls /core* /var/lib/systemd/coredump/* /var/lib/tokend/core* 2>/dev/null");
    checks.equal("without a core dump", core.stdout.as_str(), "");
    checks.equal("the token is the same", scene.token("campus") == token, true);
    checks.equal("the provider was asked for nothing", scene.requests(), requests);
    ends_well(checks, load);
}
