//! A second daemon, a socket that is taken or stale, and the modes of what is made.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use harness::{Daemon, World};

/// Writes another configuration beside the world's, with these paths; returns its file.
fn second(world: &World, socket: &Path, state: &Path) -> PathBuf {
    let text = fs::read_to_string(world.config()).unwrap();
    let quoted = |path: &Path| format!("\"{}\"", path.display());
    let text =
        text.replace(&quoted(&world.socket()), &quoted(socket)).replace(&quoted(&world.path("state")), &quoted(state));
    let file = world.path("second.toml");
    fs::write(&file, text).unwrap();
    file
}

/// Starts a daemon that has to refuse; returns what it says.
fn refuses(world: &World, config: &Path) -> String {
    let log = world.path("second.log");
    let status = Daemon::spawn(config, &log, "info").ended();
    let said = fs::read_to_string(&log).unwrap();
    fs::remove_file(log).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    println!("{}", said.trim_end().replace(world.folder().to_str().unwrap(), "DIR"));
    said
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused_and_told_of_the_first() {
    let world = World::new(1101);
    world.configure("", &[world.central("campus")]);
    let daemon = world.start();
    let token = world.ctl().token("campus");
    let socket = world.path("second.sock");
    let config = second(&world, &socket, &world.path("state"));
    let said = refuses(&world, &config);
    assert!(said.contains(&format!("in use by another tokend (pid {},", daemon.pid())), "{said}");
    assert!(said.contains("a `state_dir` of its own"), "{said}");
    assert!(!socket.exists());
    assert_eq!(world.ctl().token("campus"), token, "the first one goes on");

    daemon.kill();
    let mut daemon = Daemon::spawn(&config, &world.log(), "info");
    daemon.listens(&socket);
    assert!(daemon.terminate().success(), "the lock of a killed daemon is nobody's");
}

#[test]
fn a_second_daemon_on_the_same_socket_is_refused_and_the_socket_stays() {
    let world = World::new(1102);
    world.configure("", &[world.central("campus")]);
    let _daemon = world.start();
    let token = world.ctl().token("campus");
    let before = fs::symlink_metadata(world.socket()).unwrap().ino();
    let config = second(&world, &world.socket(), &world.path("second"));
    let said = refuses(&world, &config);
    assert!(said.contains("another daemon serves"), "{said}");
    assert!(said.contains("another [server] socket"), "{said}");
    assert_eq!(fs::symlink_metadata(world.socket()).unwrap().ino(), before);
    assert_eq!(world.ctl().token("campus"), token, "the first one goes on");
}

#[test]
fn a_stale_socket_is_replaced() {
    let world = World::new(1103);
    world.configure("", &[world.central("campus")]);
    let daemon = world.start();
    daemon.kill();
    assert!(world.socket().exists(), "nobody has removed it");
    assert_eq!(world.ctl().run(&["ping"]).status, 3);
    let _daemon = world.start();
    assert!(!world.ctl().token("campus").is_empty());
}

#[test]
fn a_live_socket_of_something_else_and_what_is_no_socket_are_left_alone() {
    let world = World::new(1104);
    world.configure("", &[world.central("campus")]);
    let other = UnixListener::bind(world.socket()).unwrap();
    let said = refuses(&world, &world.config());
    assert!(said.contains("another daemon serves"), "{said}");
    assert!(fs::symlink_metadata(world.socket()).unwrap().file_type().is_socket());
    drop(other);

    fs::remove_file(world.socket()).unwrap();
    fs::write(world.socket(), "somebody's notes").unwrap();
    let said = refuses(&world, &world.config());
    assert!(said.contains("exists and is no socket"), "{said}");
    assert_eq!(fs::read_to_string(world.socket()).unwrap(), "somebody's notes");
}

#[test]
fn what_is_made_is_closed_to_others() {
    let world = World::new(1105);
    world.configure("", &[world.classic_with_login("legacy")]);
    let daemon = world.start();
    assert!(!world.ctl().token("legacy").is_empty());
    assert_eq!(world.ctl().run(&["refresh", "legacy"]).status, 0);
    assert_eq!(mode(&world.socket()), 0o660);
    assert_eq!(mode(&world.path("state")), 0o700);
    let files = || {
        let entries = fs::read_dir(world.path("state")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<PathBuf>>()
    };
    assert!(files().len() >= 3, "a chain, a quota, a lock: {:?}", files());
    assert!(daemon.terminate().success());
    for file in files() {
        assert!(file.is_file(), "{}", file.display());
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    let left: Vec<String> = fs::read_dir(world.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.') || name.ends_with(".sock"))
        .collect();
    assert_eq!(left, [""; 0], "neither the socket nor anything temporary is left");
}

#[test]
fn a_state_folder_that_others_may_enter_is_refused() {
    let world = World::new(1106);
    world.configure("", &[world.classic("legacy")]);
    fs::create_dir(world.path("state")).unwrap();
    fs::set_permissions(world.path("state"), fs::Permissions::from_mode(0o777)).unwrap();
    let said = refuses(&world, &world.config());
    assert!(said.contains("state"), "{said}");
    assert!(!world.socket().exists());
}
