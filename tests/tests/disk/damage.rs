//! Records that are no longer what was written.

use std::fs;
use std::path::Path;

use tokend_proto::{Fingerprint, Secret};
use tokend_tests::harness::{Daemon, PATIENCE, until};
use tokend_tests::sandbox::{Endpoint, Fault, FaultRule, RuleId};

use super::scene::{CHAIN, Scene};

/// What befalls a file.
#[derive(Debug, Clone, Copy)]
enum Blow {
    CutTo(u64),
    /// The byte that many before the end.
    Flip(usize),
}

impl Blow {
    const ALL: [Self; 4] = [Self::CutTo(0), Self::CutTo(100), Self::Flip(1), Self::Flip(60)];

    fn strike(self, path: &Path) {
        match self {
            Self::CutTo(length) => fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap(),
            Self::Flip(back) => {
                let mut content = fs::read(path).unwrap();
                let at = content.len() - back;
                content[at] ^= 0x04;
                fs::write(path, content).unwrap();
            }
        }
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
fn when_both_records_are_damaged_the_chain_is_lost_and_nothing_is_sent() {
    let (scene, daemon) = Scene::with_chain(12);
    daemon.kill();
    let (record, previous) = (scene.record(".rec"), scene.record(".prev"));
    Blow::Flip(1).strike(&record);
    Blow::Flip(1).strike(&previous);
    let before = scene.refreshes();
    let daemon = scene.world.start();
    scene.assert_lost("its record in the state folder cannot be read");
    for path in [&record, &previous] {
        assert!(daemon.log().contains(&format!("{} cannot be read", path.display())), "{}", daemon.log());
    }
    assert_eq!(scene.refreshes(), before);
    scene.import();
}

#[test]
fn when_both_records_are_damaged_a_login_brings_the_chain_back() {
    let (scene, daemon) = Scene::with_chain(13);
    daemon.kill();
    Blow::Flip(1).strike(&scene.record(".rec"));
    Blow::Flip(1).strike(&scene.record(".prev"));
    scene.add_login();
    let _daemon = scene.world.start();
    scene.assert_alive();
    let sandbox = scene.world.provider().provider();
    assert_eq!((sandbox.count(Endpoint::Login), sandbox.count(Endpoint::ClassicCode)), (1, 1));
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
