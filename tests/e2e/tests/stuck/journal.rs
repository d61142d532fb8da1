//! Nobody reads journald's socket: one of our own in a mount namespace, where only root can put it.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use harness::{Binaries, World, until};
use nix::unistd::geteuid;

use super::scene::{configure, full_socket, lives_and_ends, start};

/// `tokend` to which the folder `journal` of this world is journald's. None, and a word about it, where that is not
/// possible.
fn tokend(test: &str, world: &World) -> Option<Command> {
    if !geteuid().is_root() {
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: only root can put a socket in journald's place");
        return None;
    }
    let script = "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && \
                  mount --bind \"$JOURNAL\" /run/systemd/journal && exec \"$0\" --log-format journald \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "/bin/sh", "-c", script]).arg(&Binaries::built().tokend);
    command.env("JOURNAL", world.path("journal")).stdin(Stdio::null());
    Some(command)
}

#[test]
fn a_journald_that_reads_nothing_costs_nothing_but_lines_of_the_log() {
    let world = World::new(3_301);
    configure(&world);
    let name = "a_journald_that_reads_nothing_costs_nothing_but_lines_of_the_log";
    let Some(mut command) = tokend(name, &world) else { return };
    fs::create_dir(world.path("journal")).unwrap();
    let _deaf = full_socket(&world.path("journal/socket"));
    let daemon = start(&world, &mut command);
    lives_and_ends(&world, daemon);
}

/// The fields of one event, as journald gets them: NAME, a line end, the length, and the value.
fn event(journal: &UnixDatagram) -> HashMap<String, String> {
    let mut buffer = vec![0; 65_536];
    let length = journal.recv(&mut buffer).unwrap();
    let mut rest = &buffer[..length];
    let mut fields = HashMap::new();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let name = String::from_utf8_lossy(&rest[..end]).into_owned();
        if let Some((name, value)) = name.split_once('=') {
            fields.insert(name.to_owned(), value.to_owned());
            rest = &rest[end + 1..];
            continue;
        }
        let (size, value) = rest[end + 1..].split_at(8);
        let size = usize::try_from(u64::from_le_bytes(size.try_into().unwrap())).unwrap();
        fields.insert(name, String::from_utf8_lossy(&value[..size]).into_owned());
        rest = &value[size + 1..];
    }
    fields
}

#[test]
fn each_event_has_its_priority_and_its_fields_however_late_it_is_sent() {
    let world = World::new(3_302);
    configure(&world);
    let name = "each_event_has_its_priority_and_its_fields_however_late_it_is_sent";
    let Some(mut command) = tokend(name, &world) else { return };
    fs::create_dir(world.path("journal")).unwrap();
    let (journal, _) = full_socket(&world.path("journal/socket"));
    let daemon = start(&world, &mut command);
    let _ = world.ctl().token("campus");
    let mut events: Vec<HashMap<String, String>> = Vec::new();
    let mut find = |what: &str, message: &str| {
        until(what, || {
            events.push(event(&journal));
            let has = |event: &&HashMap<String, String>| event.get("MESSAGE").is_some_and(|it| it.contains(message));
            events.iter().find(has).cloned()
        })
    };
    let ready = find("it is ready", "tokend is ready");
    let expected =
        [("PRIORITY", "5"), ("F_PROFILES", "2"), ("TARGET", "tokend::startup"), ("SYSLOG_IDENTIFIER", "tokend")];
    for (field, value) in expected {
        assert_eq!(ready.get(field).map(String::as_str), Some(value), "{ready:?}");
    }
    let served = find("a read is there", "get campus: served ");
    let uid = geteuid().to_string();
    let expected =
        [("PRIORITY", "5"), ("TARGET", "audit"), ("F_UID", &uid), ("F_NAME", "campus"), ("F_OUTCOME", "served")];
    for (field, value) in expected {
        assert_eq!(served.get(field).map(String::as_str), Some(value), "{served:?}");
    }
    assert!(daemon.terminate().success());
}
