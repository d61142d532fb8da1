//! Short-lived tokens across a restart: kept in memory by the service manager, good without a request to the provider.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::Duration;

use harness::{Ctl, Peer, World, until};
use nix::sys::memfd::{MFdFlags, memfd_create};
use sandbox::{Endpoint, Fault, FaultRule, Lives};
use tokend_proto::{Fingerprint, Millis, Request, Secret};

use super::manager::{Manager, copy};

/// Where the second slot begins, and how far from a slot's start its content is: as the daemon has written files that
/// the next release reads.
const SLOTS: [u64; 2] = [0, 256 * 1024 * 1024];
const CONTENT: u64 = 4096;

/// Requests for short-lived tokens and for what they are exchanged with.
fn requests(world: &World) -> [u64; 4] {
    let provider = world.provider().provider();
    let of = [Endpoint::CentralToken, Endpoint::WorkspaceToken, Endpoint::TenantExchange, Endpoint::MspTenants];
    of.map(|endpoint| provider.count(endpoint))
}

fn tokens(ctl: &Ctl, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| ctl.token(name)).collect()
}

/// A central profile and a workspace with one tenant warm by its name and one on demand; the names of all.
fn configured(world: &World) -> Vec<String> {
    world.configure("", &[world.central("campus"), world.glp("msp", &["Acme Corp"])]);
    let mut names = vec!["campus".to_owned(), "msp".to_owned()];
    names.extend(world.population.tenants.iter().map(|(id, _)| format!("msp/{id}")));
    names
}

#[test]
fn a_killed_daemon_costs_no_request_and_peers_see_the_same_tokens() {
    let world = World::new(1301);
    let names = configured(&world);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let manager = Manager::new(&world);
    let mut daemon = manager.start();
    let before = tokens(&manager.ctl(), &names);
    assert!(manager.count("READY=1") == 1);
    manager.holds(&names);
    let asked = requests(&world);
    assert!(asked.iter().all(|count| *count > 0), "{asked:?}");

    for how in ["killed", "killed again", "stopped"] {
        match how {
            "stopped" => drop(daemon.terminate()),
            _ => daemon.kill(),
        }
        assert!(manager.path.exists());
        daemon = manager.start();
        assert_eq!(tokens(&manager.ctl(), &names), before, "{how}");
        let by_name = manager.ctl().token("msp/Globex");
        assert!(before.contains(&by_name), "{how}: by its workspace name too");
        assert_eq!(requests(&world), asked, "{how}");
        manager.waits_for("READY=1");
        assert_eq!(manager.status(), "4 names: 4 good", "{how}");
    }
    assert_eq!(manager.store.borrow().len(), 1);
    let log = daemon.log();
    assert!(!log.contains("WARN"), "{log}");
    assert_eq!(manager.count("FDSTORE=1"), 0, "what was handed over goes on being used");
}

#[test]
fn nothing_is_stored_twice_and_nothing_reaches_the_disk() {
    let world = World::new(1302);
    let names = configured(&world);
    let manager = Manager::new(&world);
    let _daemon = manager.start();
    let token = manager.ctl().token(&names[0]);
    for name in &names {
        let _ = manager.ctl().token(name);
    }
    manager.holds(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((manager.count("FDSTORE=1"), manager.count("FDNAME=tokens")), (1, 2), "{:?}", manager.heard());
    for entry in fs::read_dir(world.path("state")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()));
    }
}

#[test]
fn without_a_service_manager_every_start_asks_again() {
    let world = World::new(1303);
    let names = configured(&world);
    let daemon = world.start();
    let before = world.ctl().token(&names[0]);
    daemon.kill();
    let _daemon = world.start();
    assert_ne!(world.ctl().token(&names[0]), before);
}

#[test]
fn a_rejected_token_does_not_come_back() {
    let world = World::new(1304);
    world.configure("", &[world.central("campus")]);
    let manager = Manager::new(&world);
    let daemon = manager.start();
    let bad = manager.ctl().token("campus");
    manager.holds(&["campus"]);
    // The renewal that it causes stays without an answer, and the daemon dies as soon as it is on the wire.
    world.provider().provider().add_fault(FaultRule::new(Fault::Delay(600_000)));
    let mut peer = Peer::connect(&manager.path);
    let fingerprint = Fingerprint::of(&Secret::from(bad.as_str()));
    let _ = peer.send(&Request::Reject { name: "campus", fingerprint, min_ttl: Millis(0) });
    until("it is on the wire", || (requests(&world)[0] == 2).then_some(()));
    daemon.kill();
    let _daemon = manager.start();
    until("it is renewed without being asked", || (requests(&world)[0] == 3).then_some(()));
    until("it is replaced", || (manager.ctl().token("campus") != bad).then_some(()));
}

#[test]
fn other_credentials_do_not_get_the_tokens() {
    let world = World::new(1305);
    world.configure("", &[world.central("campus"), world.glp("msp", &[])]);
    let manager = Manager::new(&world);
    let daemon = manager.start();
    let before = tokens(&manager.ctl(), &["campus", "msp"]);
    manager.holds(&["campus", "msp"]);
    daemon.kill();
    let client = &world.population.central.client_id;
    let text = fs::read_to_string(world.config()).unwrap();
    fs::write(world.config(), text.replace(client.as_str(), "somebody-else")).unwrap();
    let daemon = manager.start();
    let ran = manager.ctl().run(&["get", "campus", "--wait", "30s"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (7, ""), "{}", ran.stderr);
    assert_eq!(manager.ctl().token("msp"), before[1], "those of the other profile are as they were");
    assert!(daemon.log().contains("of other credentials or another endpoint: dropped"));
    until("they are gone from where they were kept", || (manager.fingerprints().len() == 1).then_some(()));
}

#[test]
fn of_a_damaged_slot_the_other_one_counts_and_of_two_none() {
    let world = World::new(1306);
    world.configure("", &[world.central("campus"), world.glp("msp", &[])]);
    let manager = Manager::new(&world);
    let daemon = manager.start();
    let names = ["campus", "msp"];
    let before = tokens(&manager.ctl(), &names);
    manager.holds(&names);
    daemon.kill();
    // Each start writes once more: both slots hold both tokens then.
    let daemon = manager.start();
    assert_eq!(tokens(&manager.ctl(), &names), before);
    daemon.kill();
    let asked = requests(&world);

    let flip = |slot: u64| {
        let store = manager.store.borrow();
        let (mut byte, at) = ([0], slot + CONTENT + 30);
        store[0].1.read_exact_at(&mut byte, at).unwrap();
        store[0].1.write_all_at(&[byte[0] ^ 0x20], at).unwrap();
    };
    for slot in SLOTS {
        flip(slot);
        let daemon = manager.start();
        assert_eq!(tokens(&manager.ctl(), &names), before, "slot {slot}");
        assert_eq!(requests(&world), asked);
        assert_eq!(daemon.log().matches("is damaged or was not written to its end").count(), 1);
        daemon.kill();
        fs::remove_file(world.log()).unwrap();
        let daemon = manager.start();
        assert_eq!(tokens(&manager.ctl(), &names), before);
        assert!(!daemon.log().contains("damaged"), "it was mended");
        daemon.kill();
        fs::remove_file(world.log()).unwrap();
    }
    SLOTS.iter().copied().for_each(flip);
    let daemon = manager.start();
    assert_ne!(tokens(&manager.ctl(), &names), before);
    assert_eq!(daemon.log().matches("is damaged or was not written to its end").count(), 2);
    manager.holds(&names);
}

#[test]
fn whatever_else_is_handed_over_is_closed_with_a_warning_and_does_no_harm() {
    let world = World::new(1307);
    world.configure("", &[world.central("campus")]);
    let manager = Manager::new(&world);
    let daemon = manager.start();
    let before = manager.ctl().token("campus");
    manager.holds(&["campus"]);
    daemon.kill();

    let memory = |bytes: &[u8]| {
        let file: File = memfd_create("something", MFdFlags::MFD_CLOEXEC).unwrap().into();
        file.write_all_at(bytes, 0).unwrap();
        file
    };
    fs::write(world.path("file"), "on a disk").unwrap();
    let on_disk = File::options().read(true).write(true).open(world.path("file")).unwrap();
    let (stranger, older, other) = (memory(&[7; 9000]), copy(&manager.store.borrow()[0].1), memory(b""));
    let ours = manager.store.borrow()[0].1.try_clone().unwrap();
    let null = File::open("/dev/null").unwrap();
    let descriptors = manager.pass(&[&stranger, &ours, &older, &on_disk, &other, &null]);
    manager.forget();
    let daemon = manager.launch(&descriptors, "tokend.socket:tokens:tokens:tokens:tokens:notes:tokens");
    assert_eq!(manager.ctl().token("campus"), before);
    let log = daemon.log();
    for said in [
        "3 descriptors are named \"tokens\"",
        "slot 0 holds something else",
        "named \"notes\", is of no use here",
        "descriptor 7, named \"tokens\", is of no use here",
        "descriptor 9, named \"tokens\", is of no use here",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert_eq!(fs::read_to_string(world.path("file")).unwrap(), "on a disk");
    until("there is one in the store again", || {
        manager.heard();
        (manager.store.borrow().len() == 1 && manager.count("FDSTORE=1") == 1).then_some(())
    });
    manager.holds(&["campus"]);
    daemon.kill();
    let _daemon = manager.start();
    assert_eq!(manager.ctl().token("campus"), before);
}

#[test]
fn a_daemon_that_is_killed_amid_its_writes_leaves_what_can_be_used() {
    let world = World::new(1308);
    // Renewed every other second: something is written in each.
    world.provider().provider().set_lives(Lives::default().access_tokens(4));
    let names = configured(&world);
    let manager = Manager::new(&world);
    let mut daemon = manager.start();
    let ctl = manager.ctl();
    for name in &names {
        let _ = ctl.token(name);
    }
    for round in 0..15 {
        thread::sleep(Duration::from_millis(137 * (round % 8)));
        daemon.kill();
        daemon = manager.start();
        for name in &names {
            let token = ctl.token(name);
            let provider = world.provider().provider();
            let now = world.provider().now();
            let ended = provider.expires_at(&token).is_some_and(|at| at <= now);
            assert!(provider.accepts(now, &token) || ended, "round {round}: {name}: not a token of this provider");
        }
    }
    let log = daemon.log();
    assert!(!log.contains("holds something else") && !log.contains("does not read as"), "{log}");
    assert!(log.contains("were handed on and are still good"), "{log}");
}
