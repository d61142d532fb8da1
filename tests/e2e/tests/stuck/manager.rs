//! Nobody reads the service manager's socket.

use std::os::unix::net::UnixDatagram;

use harness::{World, until};
use nix::sys::signal::Signal;

use super::scene::{configure, full_socket, lives_and_ends, start, tokend};

#[test]
fn a_manager_that_reads_nothing_costs_nothing() {
    let world = World::new(3_201);
    configure(&world);
    let notify = world.path("notify");
    let _deaf = full_socket(&notify);
    let mut command = tokend(&world.log());
    command.env("NOTIFY_SOCKET", &notify).env("WATCHDOG_USEC", "200000");
    let daemon = start(&world, &mut command);
    lives_and_ends(&world, daemon);
}

fn heard(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 4096];
    let length = manager.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_manager_that_was_busy_hears_in_order_what_it_must_hear_and_signs_of_life_go_on() {
    let world = World::new(3_202);
    configure(&world);
    let notify = world.path("notify");
    let (manager, full) = full_socket(&notify);
    let mut command = tokend(&world.log());
    command.env("NOTIFY_SOCKET", &notify).env("WATCHDOG_USEC", "200000");
    let daemon = start(&world, &mut command);
    let ctl = world.ctl();
    let _ = ctl.token("campus");
    assert_eq!(ctl.run(&["reload"]).status, 0);
    for _ in 0..full {
        assert_eq!(heard(&manager), "X=1");
    }
    let mut states = Vec::new();
    let state = |word: &String| ["READY=1", "RELOADING=1", "STOPPING=1", "FDSTORE=1"].contains(&word.as_str());
    until("it is ready, with its tokens in store", || {
        states.extend(Some(heard(&manager)).filter(state));
        (states.len() == 4).then_some(())
    });
    let store = states.iter().position(|word| word == "FDSTORE=1").unwrap();
    assert!(store > 0);
    states.remove(store);
    assert_eq!(states, ["READY=1", "RELOADING=1", "READY=1"]);
    until("it is alive", || (heard(&manager) == "WATCHDOG=1").then_some(()));
    daemon.signal(Signal::SIGTERM);
    until("it says that it is stopping", || (heard(&manager) == "STOPPING=1").then_some(()));
    assert!(daemon.ended().success());
}
