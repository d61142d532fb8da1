//! A disk that fails between the request that spends something and the record of what it brought. Only root can mount
//! one.

use std::fs::{self, File};
use std::thread::{self, JoinHandle};

use harness::{Daemon, PATIENCE, Ran, until};
use sandbox::{Endpoint, Fault, FaultRule};
use tokend_client::{Client, Token};

use super::scene::{CENTRAL, CHAIN, CHAIN_STEM, Scene};
use super::space::Mount;

/// What the provider takes to answer, in milliseconds: longer than a full disk takes to make, less than the daemon
/// waits.
const ANSWER: u64 = 5_000;

/// A small disk.
const TMPFS: [&str; 5] = ["-t", "tmpfs", "-o", "size=4m", "none"];

/// The provider takes its time for the next answer there.
fn slow_answer(scene: &Scene, endpoint: Endpoint) {
    scene.world.provider().provider().add_fault(FaultRule::new(Fault::Delay(ANSWER)).at(endpoint));
}

/// Does something to the disk between the request that comes now and its answer.
fn amid_request(scene: &Scene, endpoint: Endpoint, before: u64, befall: impl FnOnce()) {
    let sandbox = scene.world.provider();
    assert!(sandbox.wait_until(PATIENCE, |p| p.count(endpoint) > before), "nothing was sent");
    let sent = sandbox.now();
    befall();
    assert!(sandbox.now() < sent + ANSWER, "the answer was faster than this machine: nothing was shown");
}

/// A rotation was sent, something befell the disk, and the answer is still to come.
struct Rotation {
    daemon: Daemon,
    /// The token before it.
    old: String,
    /// How many refreshes there were before it.
    before: u64,
    /// Who asked for it.
    asking: JoinHandle<Ran>,
}

impl Rotation {
    fn begin(scene: &Scene, befall: impl FnOnce()) -> Self {
        let daemon = scene.world.start();
        scene.import();
        let (old, before) = (scene.ctl.token(CHAIN), scene.refreshes());
        slow_answer(scene, Endpoint::ClassicRefresh);
        let ctl = scene.ctl.clone();
        let asking = thread::spawn(move || ctl.run(&["refresh", CHAIN]));
        amid_request(scene, Endpoint::ClassicRefresh, before, befall);
        Self { daemon, old, before, asking }
    }
}

fn read(scene: &Scene) -> Token {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Client::builder().socket(scene.world.socket()).build().token(CHAIN)).unwrap()
}

fn accepts(scene: &Scene, token: &str) -> bool {
    let sandbox = scene.world.provider();
    sandbox.provider().accepts(sandbox.now(), token)
}

/// A pair was received that cannot be stored: it is nowhere to be seen, and everybody hears of it.
fn assert_held_in_memory(scene: &Scene, old: &str, problem: &str) {
    let status = scene.await_status("last_error", "could not be stored and is held in memory");
    assert!(status["last_error"].as_str().is_some_and(|said| said.contains(problem)), "{status}");
    assert_eq!((&status["health"], &status["chain"]["state"]), (&"failing".into(), &"in flight".into()), "{status}");
    let token = read(scene);
    assert!(token.secret() == old && token.renewing(), "the old one, which may be dead: {token:?}");
    assert!(!scene.ctl.token(CENTRAL).is_empty());
}

#[test]
fn on_a_disk_that_fills_up_before_the_answer_comes_the_new_pair_is_stored_and_outlives_a_kill() {
    let scene = Scene::new(41, 7200);
    let Some(disk) = Mount::new(&scene.state_dir(), &TMPFS) else { return };
    let Rotation { daemon, old, before, asking } = Rotation::begin(&scene, || drop(disk.fill()));
    let new = until("there is another token", || Some(scene.ctl.token(CHAIN)).filter(|token| *token != old));
    assert!(accepts(&scene, &new));
    let status = scene.await_status("health", "good");
    assert_eq!(status["chain"]["state"], "settled", "{status}");
    assert_eq!(asking.join().unwrap().status, 0);
    daemon.kill();
    let _daemon = scene.world.start();
    assert_eq!(scene.ctl.token(CHAIN), new);
    assert_eq!(scene.refreshes(), before + 1);
}

#[test]
fn a_pair_that_cannot_be_stored_is_kept_and_tried_until_there_is_room() {
    let scene = Scene::new(42, 7200);
    let Some(disk) = Mount::new(&scene.state_dir(), &TMPFS) else { return };
    let mut filler = None;
    let Rotation { daemon, old, before, .. } = Rotation::begin(&scene, || {
        // As on a file system that cannot promise space.
        fs::remove_file(scene.file(CHAIN_STEM, ".spare")).unwrap();
        filler = Some(disk.fill());
    });
    assert_held_in_memory(&scene, &old, "no room");
    assert_eq!(scene.refreshes(), before + 1, "the spent token is not sent again");
    fs::remove_file(filler.unwrap()).unwrap();
    scene.await_status("health", "good");
    let new = scene.ctl.token(CHAIN);
    assert!(new != old && accepts(&scene, &new));
    daemon.kill();
    let _daemon = scene.world.start();
    assert_eq!(scene.ctl.token(CHAIN), new);
    assert_eq!(scene.refreshes(), before + 1);
}

#[test]
fn a_pair_that_a_dead_disk_does_not_take_is_never_seen_and_the_chain_is_lost_by_name_after_a_kill() {
    let scene = Scene::new(43, 7200);
    let image = scene.world.path("disk.img");
    let Some(disk) = Mount::ext4(&scene.state_dir(), &image) else { return };
    let Rotation { daemon, old, .. } = Rotation::begin(&scene, || disk.turn_read_only());
    assert_held_in_memory(&scene, &old, "Read-only file system");
    daemon.kill();
    drop(disk);
    let _disk = Mount::ext4(&scene.state_dir(), &image).expect("it could be mounted before");
    let _daemon = scene.world.start();
    let status =
        until("the chain is lost", || Some(scene.status(CHAIN)).filter(|status| status["health"] == "chain_lost"));
    let why = status["chain"]["why"].as_str().unwrap_or_default();
    assert!(why.contains("the daemon stopped before it could be stored"), "{status}");
    scene.import();
}

#[test]
fn a_login_waits_for_the_room_that_its_pair_needs_and_then_it_is_stored_on_a_full_disk_too() {
    /// For the record of the login itself, and not for the largest pair.
    const ROOM: u64 = 64 * 1024;
    let scene = Scene::new(44, 7200);
    let Some(disk) = Mount::new(&scene.state_dir(), &TMPFS) else { return };
    let filler = disk.fill();
    let file = File::options().write(true).open(&filler).unwrap();
    file.set_len(file.metadata().unwrap().len() - ROOM).unwrap();
    drop(file);
    scene.add_login();
    let daemon = scene.world.start();
    let status = scene.await_status("last_error", "no login, because it could not be recorded: no room");
    assert_eq!(status["health"], "unavailable", "{status}");
    let logins = |scene: &Scene| scene.world.provider().provider().count(Endpoint::Login);
    assert_eq!(logins(&scene), 0, "the login's quota is not spent");

    slow_answer(&scene, Endpoint::ClassicCode);
    fs::remove_file(filler).unwrap();
    // It would look again within a minute.
    assert_eq!(scene.ctl.run(&["reload"]).status, 0);
    amid_request(&scene, Endpoint::ClassicCode, 0, || drop(disk.fill()));
    scene.await_status("health", "good");
    let token = scene.ctl.token(CHAIN);
    assert!(accepts(&scene, &token));
    daemon.kill();
    let _daemon = scene.world.start();
    assert_eq!(scene.ctl.token(CHAIN), token);
    assert_eq!(logins(&scene), 1);
}
