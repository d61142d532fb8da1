//! Records that are no longer what was written.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Daemon, PATIENCE, until};
use sandbox::{Endpoint, Fault, FaultRule, RuleId};
use tokend_proto::{Fingerprint, Secret};

use super::scene::{CENTRAL, CHAIN, CHAIN_STEM, Scene};

/// What befalls a file.
#[derive(Debug, Clone, Copy)]
enum Blow {
    CutTo(u64),
    /// The byte that many before the end.
    Flip(usize),
    /// Nothing is left of it but its name.
    Noise,
}

impl Blow {
    const ALL: [Self; 5] = [Self::CutTo(0), Self::CutTo(100), Self::Flip(1), Self::Flip(60), Self::Noise];

    /// Whose record it was is in its head, which of these the first alone leaves.
    const ALL_OF_BOTH: [Self; 3] = [Self::Flip(1), Self::CutTo(0), Self::Noise];

    fn strike(self, path: &Path) {
        match self {
            Self::CutTo(length) => fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap(),
            Self::Flip(back) => {
                let mut content = fs::read(path).unwrap();
                let at = content.len() - back;
                content[at] ^= 0x04;
                fs::write(path, content).unwrap();
            }
            Self::Noise => fs::write(path, [0xA5; 700]).unwrap(),
        }
    }

    /// On a record and on the one before it; returns their files.
    fn strike_both(self, scene: &Scene, stem: &str) -> [PathBuf; 2] {
        [".rec", ".prev"].map(|extension| {
            let path = scene.file(stem, extension);
            self.strike(&path);
            path
        })
    }
}

/// The daemon is killed while the refresh token is in flight and the provider out of reach: the record before holds
/// the same token.
fn killed_in_flight(scene: &Scene, daemon: Daemon) -> RuleId {
    let rule = FaultRule::new(Fault::Reset).at(Endpoint::ClassicRefresh).forever();
    let rule = scene.world.provider().provider().add_fault(rule);
    let (before, sandbox) = (scene.refreshes(), scene.world.provider());
    // Status 6 in the end; the daemon is gone by then.
    let ctl = scene.ctl.clone();
    let asking = std::thread::spawn(move || ctl.run(&["refresh", CHAIN]));
    let seen = sandbox.wait_until(PATIENCE, |p| p.count(Endpoint::ClassicRefresh) > before);
    assert!(seen, "no refresh was sent");
    daemon.kill();
    assert_ne!(asking.join().unwrap().status, 0);
    rule
}

#[test]
fn a_damaged_record_gives_way_to_the_one_before_and_the_provider_takes_its_token() {
    for (seed, blow) in (1..).zip(Blow::ALL) {
        let scene = Scene::new(seed, 7200);
        let daemon = scene.world.start();
        scene.import();
        let rule = killed_in_flight(&scene, daemon);
        let damaged = scene.record(".rec");
        blow.strike(&damaged);
        scene.world.provider().provider().remove_fault(rule);
        let before = scene.refreshes();
        let daemon = scene.world.start();
        scene.await_status("health", "good");
        until("the chain is settled", || (scene.status(CHAIN)["chain"]["state"] == "settled").then_some(()));
        scene.assert_alive();
        assert!(scene.refreshes() > before, "{blow:?}: only the provider can say whether the token was spent");
        let log = daemon.log();
        assert!(log.contains(&format!("{} cannot be read", damaged.display())), "{blow:?}: {log}");
        assert!(log.contains(".prev is used instead"), "{blow:?}: {log}");
        assert!(daemon.terminate().success());
        // Healed: nothing to say at the next start.
        let daemon = scene.world.start();
        scene.assert_alive();
        assert_eq!(daemon.log().matches("cannot be read").count(), 1, "{blow:?}");
    }
}

#[test]
fn a_damaged_record_whose_predecessor_is_spent_is_a_lost_chain_when_the_provider_says_so() {
    let (scene, daemon) = Scene::with_chain(11);
    daemon.kill();
    Blow::Flip(1).strike(&scene.record(".rec"));
    let before = scene.refreshes();
    let _daemon = scene.world.start();
    let held = scene.ctl.run(&["get", CHAIN]);
    if held.status == 0 {
        let token = held.stdout.trim_end();
        assert!(!scene.world.provider().provider().accepts(scene.world.provider().now(), token));
    }
    until("the provider has refused", || (scene.refreshes() == before + 1).then_some(()));
    let status =
        until("the chain is lost", || Some(scene.status(CHAIN)).filter(|status| status["chain"]["state"] == "lost"));
    assert_eq!(status["health"], "chain_lost", "{status}");
    assert!(status["action"].as_str().is_some_and(|text| text.contains("tokenctl import legacy")), "{status}");
    scene.import();
    assert_eq!(scene.status(CHAIN)["health"], "good");
}

#[test]
fn when_both_records_are_damaged_the_chain_is_lost_and_nothing_is_sent_until_an_import() {
    for (seed, blow) in (120..).zip(Blow::ALL_OF_BOTH) {
        // Not even where a login is configured: the chain was neither empty nor refused.
        for login in [false, true] {
            let (scene, daemon) = Scene::with_chain(seed);
            daemon.kill();
            let files = blow.strike_both(&scene, CHAIN_STEM);
            if login {
                scene.add_login();
            }
            let before = scene.refreshes();
            let daemon = scene.world.start();
            scene.assert_lost("its record in the state folder cannot be read");
            for path in files {
                assert!(daemon.log().contains(&format!("{} cannot be read", path.display())), "{}", daemon.log());
            }
            let ran = scene.ctl.run(&["reload"]);
            assert_eq!(ran.status, 0, "{ran:?}");
            scene.assert_lost("its record in the state folder cannot be read");
            assert_eq!(scene.refreshes(), before, "{blow:?}");
            scene.import();
            assert_eq!(scene.world.provider().provider().count(Endpoint::Login), 0, "{blow:?}");
            assert!(daemon.terminate().success());
            // Healed: nothing more to say.
            let said = damage_said(&scene);
            let daemon = scene.world.start();
            scene.assert_alive();
            let _ = daemon.log();
            assert_eq!(damage_said(&scene), said, "{blow:?}");
        }
    }
}

/// How often the log, of all daemons of this world, names a file that cannot be read.
fn damage_said(scene: &Scene) -> usize {
    fs::read_to_string(scene.world.log()).unwrap().matches("cannot be read: it").count()
}

#[test]
fn a_profile_that_a_reload_adds_is_lost_too_when_its_records_are_destroyed() {
    let (scene, daemon) = Scene::with_chain(13);
    daemon.kill();
    Blow::CutTo(0).strike_both(&scene, CHAIN_STEM);
    let world = &scene.world;
    world.configure("", &[world.central(CENTRAL)]);
    let _daemon = world.start();
    assert!(!scene.ctl.token(CENTRAL).is_empty());
    scene.add_login();
    let ran = scene.ctl.run(&["reload"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    scene.assert_lost("its record in the state folder cannot be read");
    assert_eq!(world.provider().provider().count(Endpoint::Login), 0);
    scene.import();
}

#[test]
fn when_the_record_of_its_logins_is_destroyed_the_next_login_waits_for_half_an_hour() {
    for (seed, blow) in (140..).zip(Blow::ALL_OF_BOTH) {
        let scene = Scene::new(seed, 7200);
        scene.add_login();
        let daemon = scene.world.start();
        scene.assert_alive();
        daemon.kill();
        let logins = || scene.world.provider().provider().count(Endpoint::Login);
        assert_eq!(logins(), 1);
        // As if the profile were new: nothing but the quota keeps it from a login.
        fs::remove_file(scene.record(".rec")).unwrap();
        blow.strike_both(&scene, "quota-");
        let _daemon = scene.world.start();
        let status = scene.await_status("health", "awaiting_login");
        let wait = status["last_error"]
            .as_str()
            .and_then(|said| said.split_whitespace().find_map(|word| word.parse::<u64>().ok()));
        assert!(wait.is_some_and(|seconds| seconds > 29 * 60), "{blow:?}: {status}");
        assert_eq!(logins(), 1);
    }
}

#[test]
fn a_record_that_is_gone_gives_way_to_the_one_before() {
    let scene = Scene::new(14, 7200);
    let daemon = scene.world.start();
    scene.import();
    let token = scene.ctl.token(CHAIN);
    let rule = killed_in_flight(&scene, daemon);
    fs::remove_file(scene.record(".rec")).unwrap();
    scene.world.provider().provider().remove_fault(rule);
    let daemon = scene.world.start();
    let other = until("another token is there", || {
        let now = scene.ctl.token(CHAIN);
        (now != token).then_some(now)
    });
    assert!(scene.world.provider().provider().accepts(scene.world.provider().now(), &other));
    assert_ne!(Fingerprint::of(&Secret::from(other.as_str())), Fingerprint::of(&Secret::from(token.as_str())));
    assert!(daemon.log().contains(".rec is missing"), "{}", daemon.log());
}
