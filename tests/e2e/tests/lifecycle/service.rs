//! What the service manager hears: READY, STATUS, RELOADING, STOPPING, WATCHDOG (sd_notify(3)).

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use harness::{Daemon, Frozen, PATIENCE, Procfs, World, until};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use sandbox::{Endpoint, Fault, FaultRule};

use super::manager::Manager;

#[test]
fn it_is_ready_without_a_provider_and_says_how_its_names_do() {
    let world = World::new(1401);
    let down = FaultRule::new(Fault::Reset).at(Endpoint::CentralToken).forever();
    world.provider().provider().add_fault(down);
    world.configure("", &[world.central("campus"), world.glp("msp", &[]), world.classic("legacy")]);
    let manager = Manager::new(&world);
    let daemon = manager.start();
    manager.waits_for("READY=1");
    let heard = manager.heard();
    assert!(heard[0].starts_with("READY=1\nSTATUS=3 names: "), "nothing is said before: {heard:?}");
    until("its status says what is wrong", || {
        let status = manager.status();
        (status.starts_with("3 names: 1 good, 2 in trouble (campus: ")
            && status.ends_with("; legacy: its chain of refresh tokens was never started)"))
        .then(|| println!("{status}"))
    });
    world.provider().provider().clear_faults();
    until("its status says that it is over", || {
        (manager.status() == "3 names: 2 good, 1 in trouble (legacy: its chain of refresh tokens was never started)")
            .then_some(())
    });
    let statuses: Vec<String> = manager.heard();
    assert!(statuses.windows(2).all(|two| two[0] != two[1]), "the same is not said twice: {statuses:?}");

    assert!(daemon.terminate().success());
    assert_eq!(manager.count("STOPPING=1"), 1);
    assert_eq!(manager.status(), "stopping");
}

#[test]
fn a_bad_configuration_is_never_ready() {
    let world = World::new(1402);
    world.configure("", &[world.central("campus")]);
    fs::write(world.config(), "[profiles.campus]\nkind = \"centrall\"\n").unwrap();
    let manager = Manager::new(&world);
    assert_eq!(manager.start().ended().code(), Some(1));
    assert_eq!(manager.heard(), [""; 0]);
}

#[test]
fn a_reload_is_announced_and_its_outcome_told() {
    let world = World::new(1403);
    world.configure("", &[world.central("campus")]);
    let manager = Manager::new(&world);
    let daemon = manager.start();
    let _ = manager.ctl().token("campus");
    manager.waits_for("READY=1");

    daemon.signal(Signal::SIGHUP);
    until("it is ready again", || (manager.count("READY=1") == 2).then_some(()));
    let heard = manager.heard();
    let begun = heard.iter().position(|text| text.starts_with("RELOADING=1\n")).unwrap();
    let stamp = heard[begun].lines().nth(1).unwrap().strip_prefix("MONOTONIC_USEC=").unwrap();
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    assert!(stamp.parse::<i64>().unwrap() / 1_000_000 <= now.tv_sec());
    let ended = heard.iter().rposition(|text| text.starts_with("READY=1\n")).unwrap();
    assert!(begun < ended);
    assert!(heard[ended].ends_with("; the configuration was reloaded\n"), "{}", heard[ended]);

    fs::write(world.config(), "[profiles.campus]\nkind = \"centrall\"\n").unwrap();
    let ran = manager.ctl().run(&["reload"]);
    assert_ne!(ran.status, 0);
    until("it is ready again", || (manager.count("READY=1") == 3).then_some(()));
    let status = manager.status();
    println!("{status}");
    assert!(status.contains("1 name: 1 good; the new configuration was refused and the one before is in force: "));
    assert_eq!(manager.count("RELOADING=1"), 2);
}

#[test]
fn an_end_that_waits_for_a_rotation_says_so_and_asks_for_time() {
    let world = World::new(1404);
    world.configure("", &[world.classic("legacy")]);
    let manager = Manager::new(&world);
    let daemon = manager.start();
    let file = world.download_token("token.json");
    assert_eq!(manager.ctl().run(&["import", "legacy", file.to_str().unwrap()]).status, 0);
    world.provider().provider().add_fault(FaultRule::new(Fault::Delay(2_000)).at(Endpoint::ClassicRefresh));
    let ctl = manager.ctl();
    let refreshing = std::thread::spawn(move || ctl.run(&["refresh", "legacy"]));
    let refreshes = || world.provider().provider().count(Endpoint::ClassicRefresh);
    until("the refresh token is on the wire", || (refreshes() == 2).then_some(()));
    daemon.signal(Signal::SIGTERM);
    manager.waits_for("STOPPING=1");
    assert_eq!(manager.count("EXTEND_TIMEOUT_USEC=60000000"), 1);
    assert_eq!(manager.status(), "stopping, once the rotation on the wire has ended");
    assert!(daemon.ended().success());
    assert_eq!(refreshing.join().unwrap().status, 0);
    assert_eq!(manager.count("FDSTORE=1"), 0, "a chain is on the disk and nowhere else");
}

/// `WATCHDOG_USEC`: both threads answer twice in this time.
const WATCHDOG: Duration = Duration::from_secs(1);

fn watched(world: &World) -> (Manager<'_>, Daemon) {
    world.configure("", &[world.central("campus")]);
    let mut manager = Manager::new(world);
    manager.watchdog = Some((u64::try_from(WATCHDOG.as_micros()).unwrap(), true));
    let daemon = manager.start();
    let _ = manager.ctl().token("campus");
    (manager, daemon)
}

fn pings_go_on(manager: &Manager<'_>) {
    let before = manager.count("WATCHDOG=1");
    until("it is alive", || (manager.count("WATCHDOG=1") >= before + 2).then_some(()));
}

#[test]
fn either_thread_that_is_stuck_stops_the_signs_of_life() {
    let world = World::new(1405);
    let (manager, daemon) = watched(&world);
    pings_go_on(&manager);
    let all = Procfs::of(daemon.pid()).threads();
    let socket = all.iter().find(|(_, name)| name == "socket").expect("it has a thread of its own").0;
    for (thread, which) in [(socket, "the socket's"), (daemon.pid(), "the core's")] {
        let Some(frozen) = Frozen::freeze(thread) else {
            return skipped::because("this user may not stop a single thread of another process, ptrace(2)");
        };
        let before = manager.count("WATCHDOG=1");
        // A span to count over, in which a thread that is well answers six times.
        std::thread::sleep(3 * WATCHDOG);
        // It may have answered just before it stood still.
        let said = manager.count("WATCHDOG=1") - before;
        assert!(said <= 1, "{which} thread is stuck, and {said} signs of life were given");
        drop(frozen);
        pings_go_on(&manager);
    }
}

/// How often each of the daemon's threads has been woken from a wait.
fn wakes(daemon: &Daemon) -> BTreeMap<Pid, u64> {
    let of = |(thread, _): (Pid, String)| {
        // One that ends meanwhile is no thread any more.
        let status = fs::read_to_string(format!("/proc/{}/task/{thread}/status", daemon.pid())).ok()?;
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        Some((thread, count.trim().parse().unwrap()))
    };
    Procfs::of(daemon.pid()).threads().into_iter().filter_map(of).collect()
}

/// How often they were woken between two looks; `None` if a thread has come or gone: nobody knows what that one did.
fn woken(before: &BTreeMap<Pid, u64>, now: &BTreeMap<Pid, u64>) -> Option<u64> {
    let same = before.keys().eq(now.keys());
    same.then(|| now.values().sum::<u64>() - before.values().sum::<u64>())
}

#[test]
fn an_idle_daemon_is_woken_twice_for_each_sign_of_life() {
    let world = World::new(1406);
    let (manager, daemon) = watched(&world);
    pings_go_on(&manager);
    // What came of the first token comes to rest first.
    let rested = until("nothing but the watchdog is left", || {
        let (before, said) = (wakes(&daemon), manager.count("WATCHDOG=1"));
        until("four more", || (manager.count("WATCHDOG=1") >= said + 4).then_some(()));
        let (woken, said) = (woken(&before, &wakes(&daemon))?, manager.count("WATCHDOG=1") - said);
        // One wake-up at either end may be counted without its sign of life.
        (woken <= 2 * said as u64 + 1).then_some((woken, said))
    });
    println!("{} wake-ups for {} signs of life (patience {PATIENCE:?})", rested.0, rested.1);
    assert!(Procfs::of(daemon.pid()).descriptors() < 64);
}

#[test]
fn a_watchdog_that_is_meant_for_another_process_is_not_answered() {
    let world = World::new(1407);
    world.configure("", &[world.central("campus")]);
    let mut manager = Manager::new(&world);
    // Often: many signs of life in what follows.
    manager.watchdog = Some((2_000, true));
    let daemon = manager.start();
    let _ = manager.ctl().token("campus");
    assert!(daemon.terminate().success());
    assert!(manager.count("WATCHDOG=1") > 1);
    manager.watchdog = Some((2_000, false));
    let daemon = manager.start();
    let _ = manager.ctl().token("campus");
    assert!(daemon.terminate().success());
    assert_eq!(manager.count("WATCHDOG=1"), 0);
}
